"""Who loses first when the pool is full: senders by balance (LEDGER: mempool policy).

A heap with lazy deletion: an outdated entry stays until it surfaces or outnumbers the live ones, so a
change costs by itself and not by the number of senders. Must not live here: what is taken from them.
"""

from __future__ import annotations

import heapq

SPARE_ENTRIES = 64
"""Outdated entries that a small heap may keep before it is rebuilt."""


class Poorest:
    """A set of addresses with balances that knows its poorest, the latest comer among equals."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, bytes]] = []
        self._live: dict[bytes, tuple[int, int]] = {}
        self._arrivals = 0

    def put(self, address: bytes, balance: int) -> None:
        """Add an address, or give it another balance."""
        live = self._live.get(address)
        if live is not None and live[0] == balance:
            return
        self._arrivals += 1
        order = -self._arrivals
        self._live[address] = (balance, order)
        heapq.heappush(self._heap, (balance, order, address))
        if len(self._heap) > 2 * len(self._live) + SPARE_ENTRIES:
            self._heap = [(*key, live_address) for live_address, key in self._live.items()]
            heapq.heapify(self._heap)

    def discard(self, address: bytes) -> None:
        self._live.pop(address, None)

    def first(self) -> tuple[bytes, int] | None:
        """The poorest address and its balance; None when there is none."""
        while self._heap:
            balance, order, address = self._heap[0]
            if self._live.get(address) == (balance, order):
                return address, balance
            heapq.heappop(self._heap)
        return None
