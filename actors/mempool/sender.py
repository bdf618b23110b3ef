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

    __slots__ = ("_by_nonce", "_nonces", "account", "address", "pending")

    def __init__(self, address: bytes, account: Account) -> None:
        self.address, self.account = address, account
        self.pending = 0
        self._nonces: list[int] = []
        self._by_nonce: dict[int, Entry] = {}

    def __len__(self) -> int:
        return len(self._nonces)

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
        self.pending -= entry.pending

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
        unspent = self.account.balance
        for index, nonce in enumerate(self._nonces[:limit]):
            unspent -= self._by_nonce[nonce].transaction.amount
            if nonce != self.account.nonce + index or unspent < 0:
                return index
        return min(len(self._nonces), limit)

    def would_be_pending(self, transaction: Transaction, limit: int) -> bool:
        """Whether a transaction that is not here yet would be pending at once."""
        if self.pending >= limit or transaction.nonce != self.account.nonce + self.pending:
            return False
        spent = sum(self.at(index).transaction.amount for index in range(self.pending))
        return spent + transaction.amount <= self.account.balance
