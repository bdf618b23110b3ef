"""Where those are whom we chose to dial: few of them at one host or in one network (WIRE: limits, connections).

Whom we choose is what nobody else decides for us (`slots`). Who owns one host could otherwise list a hundred
of its ports, or one network with a host for each, and be all that we see. Pure. Must not live here: which
address is chosen (`book`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from actors.runtime.hosts import Reach, host_key, network_of, reach

MAX_SOUGHT_PER_HOST = 2
"""A quarter of the places that are kept for whom we dial; some nodes do share an IP."""
MAX_SOUGHT_PER_NETWORK = 4
"""Half of them: who owns a network decides about no more. A private one may be all the world that there is."""


class Hosts:
    """How many are at each host and in each network, and where that is enough: never on loopback, where
    all are.
    """

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self._at = Counter[str]()
        self._in = Counter[str]()
        for host in hosts:
            self.add(host)

    def add(self, host: str) -> None:
        """One more is there."""
        self._at[host_key(host)] += 1
        self._in[network_of(host)] += 1

    def is_full(self, host: str) -> bool:
        """Whether no more are sought there."""
        distance = reach(host)
        if distance is Reach.MACHINE:
            return False
        if self._at[host_key(host)] >= MAX_SOUGHT_PER_HOST:
            return True
        return distance is Reach.WORLD and self._in[network_of(host)] >= MAX_SOUGHT_PER_NETWORK
