"""The address book: where peers might be found, and when an address is worth a dial.

Lives here: known addresses, their failures and the back-off. Must not live here: who is a peer now
(`table`), dialing, or files.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from actors.peers.messages import AddressSource, PeerId

GIVE_UP_AFTER = 8
"""Failures in a row, some minutes of back-off: an address from a list is not worth more."""
MAX_DOUBLINGS = 32
"""Keeps the power finite; every back-off has long reached its upper bound by then."""


@dataclass(slots=True)
class Entry:
    """What is known of an address."""

    source: AddressSource
    answered_s: float | None = None
    """When it last accepted us: better than hearsay, so hearsay does not displace it."""
    failures: int = 0
    due_s: float = 0.0

    @property
    def bootstrap(self) -> bool:
        """Told by the operator: never forgotten, dialed for ever."""
        return self.source is AddressSource.CONFIGURED


class AddressBook:
    """At most ``capacity`` addresses beside the bootstrap ones; never our own."""

    def __init__(
        self,
        *,
        own: PeerId,
        bootstrap: Iterable[PeerId],
        capacity: int,
        redial_first_s: float,
        redial_most_s: float,
        rng: random.Random,
    ) -> None:
        self._own = own
        self._first_s, self._most_s, self._rng = redial_first_s, redial_most_s, rng
        self._entries = {peer: Entry(AddressSource.CONFIGURED) for peer in bootstrap if peer != own}
        self._capacity = capacity + len(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, address: PeerId) -> bool:
        return address in self._entries

    def items(self) -> Iterator[tuple[PeerId, Entry]]:
        """Every address and what is known of it."""
        return iter(self._entries.items())

    def add(self, addresses: Iterable[PeerId], source: AddressSource) -> None:
        """Note addresses that somebody told. When full, one takes the place of the worst failure."""
        for address in addresses:
            if address == self._own or address in self._entries:
                continue
            if len(self._entries) >= self._capacity and not self._forget_worst():
                return
            self._entries[address] = Entry(source)

    def due(self, now_s: float, limit: int, taken: Container[PeerId]) -> list[PeerId]:
        """At most ``limit`` addresses to dial now: proven ones first, otherwise in random order."""
        due = [
            address
            for address, entry in self._entries.items()
            if entry.due_s <= now_s and address not in taken
        ]
        self._rng.shuffle(due)
        due.sort(key=self._is_hearsay)
        return due[: max(0, limit)]

    def answered(self, address: PeerId, now_s: float) -> None:
        """A hello to this address was accepted; one that the book did not hold was an operator's."""
        self.add((address,), AddressSource.OPERATOR)
        if (entry := self._entries.get(address)) is not None:
            entry.answered_s = now_s

    def failed(self, address: PeerId, now_s: float, *, lasted_s: float = 0.0) -> float | None:
        """A dial came to nothing, or a peer was lost after ``lasted_s``.

        Returns the seconds until the next try; None: there will be none. A peer that lasted has made
        good for its failures, one that accepts and hangs up has not.
        """
        entry = self._entries.get(address)
        if entry is None:
            return None
        entry.failures = 1 if lasted_s >= self._most_s else entry.failures + 1
        if entry.failures >= GIVE_UP_AFTER and not entry.bootstrap:
            del self._entries[address]
            return None
        doublings = min(entry.failures - 1, MAX_DOUBLINGS)
        delay_s = min(self._most_s, self._first_s * (1 << doublings)) * self._rng.uniform(0.5, 1.0)
        entry.due_s = now_s + delay_s
        return delay_s

    def rest(self, address: PeerId, until_s: float) -> None:
        """Leave the address alone until then."""
        if (entry := self._entries.get(address)) is not None:
            entry.due_s = max(entry.due_s, until_s)

    def _is_hearsay(self, address: PeerId) -> bool:
        entry = self._entries[address]
        return not entry.bootstrap and entry.answered_s is None

    def _forget_worst(self) -> bool:
        """Make room at the cost of hearsay that failed; hearsay not yet tried is as good as news."""
        worst = max(
            (address for address in self._entries if self._is_hearsay(address)),
            key=lambda address: self._entries[address].failures,
            default=None,
        )
        if worst is None or self._entries[worst].failures == 0:
            return False
        del self._entries[worst]
        return True
