"""Where those are whom we chose to dial: few of them at one host (WIRE: limits, connections).

Whom we choose is what nobody else decides for us (`slots`). Who owns one host could otherwise list a hundred
of its ports, and be all that we see. Pure. Must not live here: which address is chosen (`book`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from actors.peers.bans import is_loopback

MAX_SOUGHT_PER_HOST = 2
"""A quarter of the places that are kept for whom we dial; some nodes do share an IP."""


class Hosts:
    """How many are at each host, and where that is enough: never on loopback, where all are."""

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self._count = Counter[str]()
        self._full = set[str]()
        for host in hosts:
            self.add(host)

    def add(self, host: str) -> None:
        """One more is there."""
        self._count[host] += 1
        if self._count[host] == MAX_SOUGHT_PER_HOST and not is_loopback(host):
            self._full.add(host)

    def is_full(self, host: str) -> bool:
        """Whether no more are sought there."""
        return host in self._full
