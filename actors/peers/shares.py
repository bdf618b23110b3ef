"""Who holds how much of the address book: those who tell addresses, the networks and the hosts they lead to.

Whoever fills a book with his own addresses decides whom a node dials, and so what it sees. So nobody's
hearsay takes more than a share of it, and none takes more than a share for one network or one host,
however many tell of it. Must not live here: what becomes of an address (`book`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from actors.peers.addresses import host_of, parse_address
from actors.peers.messages import PeerId
from actors.runtime.hosts import Reach, network_of, place_of, reach

SHARES = 8
"""Into so many a book is divided: so many networks an attacker needs to fill it."""
LEAST_SHARE = 16
"""A share of a small book: nobody has that many nodes to show for a test."""
MAX_PER_HOST = 8
"""Ports of one host: some nodes share an IP, and a thousand ports of one are a scan by our hands."""


class Spot(NamedTuple):
    """Where an address leads, and who told it (None: nobody, or he has no share). Value."""

    host: str | None
    """None: on this machine, where a network of many nodes is a use and not an attack."""
    network: str | None
    teller: str | None


def spot_of(address: PeerId, teller: str | None) -> Spot | None:
    """The spot of an address that ``teller`` told (see `teller_of`); None: it leads nowhere."""
    place = place_of(host_of(address))
    if place.reach is Reach.NOWHERE:
        return None
    if place.reach is Reach.MACHINE:
        return Spot(None, None, teller)
    return Spot(place.key, place.network, teller)


def teller_of(peer: PeerId, host: str) -> str:
    """Whose share it is that a peer at ``host`` fills: its network's, on this machine its own."""
    place = place_of(host)
    return str(peer) if place.reach is Reach.MACHINE else place.network


def is_teller(text: str) -> bool:
    """Whether a saved name is one of those."""
    if "/" in text:
        host = text.partition("/")[0]
        return network_of(host) == text
    return parse_address(text) == text


def may_tell(address: PeerId, host: str) -> bool:
    """Whether a peer at ``host`` can know how to get there: of what only a smaller world reaches than the
    one that he is in, he knows nothing, and has us knock on the doors of our own machine or house.
    """
    target = reach(host_of(address))
    return target is not Reach.NOWHERE and target >= reach(host)


class Shares:
    """Which addresses take whose share. Each is an ordered set, those that came first at its begin."""

    def __init__(self, capacity: int) -> None:
        self.share = max(LEAST_SHARE, capacity // SHARES)
        """So many addresses at most of one teller's hearsay, or in one network."""
        self._spots: dict[PeerId, Spot] = {}
        self._told: dict[str, dict[PeerId, None]] = {}
        self._networks: dict[str, dict[PeerId, None]] = {}
        self._hosts: dict[str, dict[PeerId, None]] = {}

    def enter(self, address: PeerId, spot: Spot) -> None:
        """Note where an address leads."""
        self._spots[address] = spot
        for shares, key in ((self._networks, spot.network), (self._hosts, spot.host)):
            if key is not None:
                shares.setdefault(key, {})[address] = None

    def leave(self, address: PeerId) -> None:
        """The address is known no more."""
        spot = self._spots.pop(address, None)
        if spot is not None:
            _drop(self._networks, spot.network, address)
            _drop(self._hosts, spot.host, address)
            _drop(self._told, spot.teller, address)

    def judge(self, address: PeerId, teller: str, *, is_hearsay: bool) -> None:
        """Only hearsay counts against who told it."""
        if is_hearsay:
            self._told.setdefault(teller, {})[address] = None
        else:
            _drop(self._told, teller, address)

    def told(self, teller: str | None) -> Iterator[PeerId]:
        """What somebody told, the oldest first."""
        return iter(self._told.get(teller or "", ()))

    def has_told_enough(self, teller: str | None) -> bool:
        return teller is not None and len(self._told.get(teller, ())) >= self.share

    def full(self, spot: Spot) -> Iterator[dict[PeerId, None]]:
        """The shares, of those that a new address needs, that nothing is left of: the addresses in them."""
        host, network = (
            self._hosts.get(spot.host or "", {}),
            self._networks.get(spot.network or "", {}),
        )
        if len(host) >= MAX_PER_HOST:
            yield host
        if len(network) >= self.share:
            yield network

    def greediest(self, than: str | None) -> str | None:
        """Who has told the most, if giving one up leaves him no less than ``than`` has with it."""
        if not self._told:
            return None
        most = max(self._told, key=lambda teller: len(self._told[teller]))
        own = len(self._told.get(than or "", ()))
        return most if len(self._told[most]) > own + 1 else None


def _drop(shares: dict[str, dict[PeerId, None]], key: str | None, address: PeerId) -> None:
    holders = shares.get(key or "")
    if holders is not None and key is not None:
        holders.pop(address, None)
        if not holders:
            del shares[key]
