"""Which signatures were verified not long ago: one that was needs no second look.

Verifying one costs more than everything else that is done with its transaction. The outcome depends on the
bytes alone, so that an id stands for it (`state.check_transaction`).
"""

from __future__ import annotations

from collections import OrderedDict

MAX_KNOWN = 16_384
"""More than twice what a mempool holds; 2 MiB."""


class KnownSignatures:
    """Ids of transactions that passed `check_transaction`; the oldest are forgotten first.

    One thread adds, any may ask.
    """

    __slots__ = ("_capacity", "_ids")

    def __init__(self, capacity: int = MAX_KNOWN) -> None:
        self._capacity = capacity
        # A plain dict takes ever longer to find the first of its keys where many before it are gone.
        self._ids: OrderedDict[bytes, None] = OrderedDict()

    def __contains__(self, transaction_id: object) -> bool:
        return transaction_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, transaction_id: bytes) -> None:
        """Note that a transaction passed."""
        self._ids[transaction_id] = None
        if len(self._ids) > self._capacity:
            self._ids.popitem(last=False)
