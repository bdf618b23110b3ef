"""One sender's transactions in nonce order: pending ones first, queued ones behind (LEDGER: mempool
policy).

Must not live here: limits across senders, and what a change means to others.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

from actors.ledger.types import Account, Transaction


@dataclass(slots=True, eq=False)
class Entry:
    """A pooled transaction; ``added_s`` on the clock that never goes back."""

    transaction: Transaction
    added_s: float
    pending: bool = False


class Sender:
    """The queue of one address, and its account as the pool last read it.

    The first ``pending`` transactions in nonce order are the pending ones, always.
    """

    __slots__ = (
        "_account",
        "_by_nonce",
        "_is_settled",
        "_nonces",
        "_promised",
        "address",
        "pending",
    )

    def __init__(self, address: bytes, account: Account) -> None:
        self.address, self._account = address, account
        self.pending = 0
        self._promised = 0  # what the pending ones spend
        # Whether they are contiguous with the account's nonce and covered; not known after a change.
        self._is_settled = True
        self._nonces: list[int] = []
        self._by_nonce: dict[int, Entry] = {}

    def __len__(self) -> int:
        return len(self._nonces)

    @property
    def account(self) -> Account:
        return self._account

    @account.setter
    def account(self, account: Account) -> None:
        self._account, self._is_settled = account, False

    @property
    def queued(self) -> int:
        return len(self._nonces) - self.pending

    @property
    def broke(self) -> bool:
        """Without a balance; such senders share a part of the pool."""
        return self.account.balance == 0

    @property
    def lowest(self) -> Entry:
        return self._by_nonce[self._nonces[0]]

    @property
    def highest(self) -> Entry:
        return self._by_nonce[self._nonces[-1]]

    def at(self, index: int) -> Entry:
        """The entry at a place in nonce order."""
        return self._by_nonce[self._nonces[index]]

    def entries(self) -> tuple[Entry, ...]:
        """All entries in nonce order."""
        return tuple(self._by_nonce[nonce] for nonce in self._nonces)

    def spent(self) -> int:
        """What all entries together take from the balance."""
        return sum(entry.transaction.amount for entry in self._by_nonce.values())

    def holds(self, nonce: int) -> bool:
        return nonce in self._by_nonce

    def add(self, entry: Entry) -> None:
        """Take in an entry, queued; its nonce is free."""
        nonce = entry.transaction.nonce
        insort(self._nonces, nonce)
        self._by_nonce[nonce] = entry

    def remove(self, entry: Entry) -> None:
        nonce = entry.transaction.nonce
        self._nonces.remove(nonce)
        del self._by_nonce[nonce]
        if entry.pending:
            self.pending -= 1
            self._promised -= entry.transaction.amount
            self._is_settled = False

    def promote(self) -> Entry:
        """Make the first queued one pending."""
        entry = self.at(self.pending)
        entry.pending = True
        self.pending += 1
        self._promised += entry.transaction.amount
        return entry

    def demote(self) -> Entry:
        """Make the last pending one queued."""
        entry = self.at(self.pending - 1)
        entry.pending = False
        self.pending -= 1
        self._promised -= entry.transaction.amount
        return entry

    def settled(self) -> None:
        """No more are pending than :meth:`fundable` said."""
        self._is_settled = True

    def first_free_nonce(self) -> int:
        """The nonce, from the account's on, that no transaction holds."""
        nonce = self.account.nonce
        while nonce in self._by_nonce:
            nonce += 1
        return nonce

    def fundable(self, limit: int) -> int:
        """How many transactions may be pending: contiguous with the account's nonce, covered by its
        balance together, and at most ``limit``.
        """
        index, unspent = 0, self._account.balance
        if self._is_settled:
            index, unspent = self.pending, unspent - self._promised
        for nonce in self._nonces[index:limit]:
            unspent -= self._by_nonce[nonce].transaction.amount
            if nonce != self._account.nonce + index or unspent < 0:
                break
            index += 1
        return index

    def would_be_pending(self, transaction: Transaction, limit: int) -> bool:
        """Whether a transaction that is not here yet would be pending at once."""
        account = self._account
        if self.pending >= limit or transaction.nonce != account.nonce + self.pending:
            return False
        return self._promised + transaction.amount <= account.balance
