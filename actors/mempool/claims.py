"""What a batch will take, if every signature in it is good: nobody verifies what has no chance.

A forecast: each transaction is judged at its turn, and one that was misjudged here costs time and nothing
else. Where it is in doubt it says no. Must not live here: limits across senders, and the judging.
"""

from __future__ import annotations

from actors.ledger.types import Transaction
from actors.mempool.sender import Sender


class Claims:
    """The nonces that a batch claims so far.

    Attributes:
        count: How many they are.
    """

    __slots__ = ("_nonces", "count")

    def __init__(self) -> None:
        self.count = 0
        self._nonces: dict[bytes, list[int]] = {}

    def has_of(self, sender: Sender) -> bool:
        """Whether the batch claims something for this sender."""
        return sender.address in self._nonces

    def may_follow(self, sender: Sender, transaction: Transaction, max_per_sender: int) -> bool:
        """Whether a sender's further transaction takes a place of its own."""
        nonces, nonce = self._nonces[sender.address], transaction.nonce
        return (
            nonce not in nonces
            and not sender.holds(nonce)
            and len(sender) + len(nonces) < max_per_sender
        )

    def is_next(self, sender: Sender, transaction: Transaction) -> bool:
        """Whether it comes right behind the sender's last claim."""
        return transaction.nonce == self._nonces[sender.address][-1] + 1

    def add(self, transaction: Transaction) -> None:
        self._nonces.setdefault(transaction.sender, []).append(transaction.nonce)
        self.count += 1
