"""Rumours on their way to a verdict: those that their handler has, and those that wait for a place there.

A handler's mailbox is first come, first served: whoever fills it is served for as long as he likes. So it is
given only as much as keeps it busy; the rest waits here, by peer, and is handed on by turns. What waits is not
noted as heard yet: the same from a peer whose turn comes sooner is judged sooner.

Must not live here: what is news, or what a verdict means.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import NamedTuple

from actors.gossip.counts import Counts
from actors.gossip.kinds import Kind
from actors.gossip.messages import GossipReceived
from actors.gossip.news import Rumour
from actors.messaging.messages import Inbound
from actors.peers.messages import PeerId
from actors.runtime.address import Address
from actors.runtime.rota import Rota
from actors.tcp.messages import ConnId

Handler = Address[GossipReceived]

MAX_AWAITING = 32_768
"""80 connections of 256 frames each may have some 20,000. Where there are a thousand, or connections come and
go, this is the bound: what is beyond it is dropped, and its sender reads on."""
KEPT_PARTS = 8
"""One of so many equal parts of that is kept for each handler: a flood of transactions leaves room for blocks."""

MOST_ROOM = 1_024
"""Rumours of a peer that may wait for its turn: what the read credit of as many connections as it may have lets
in. Who closes them and comes again, time after time, has no more."""
LEAST_ROOM = 16
"""So many rumours of each peer may wait for their turn even if others have filled that."""

PLACES, SMALL_BYTES = 512, 1024
"""What a handler is given at once: of transactions some ten milliseconds of signatures. Whose turn it is next
waits no longer."""
LONG_PLACES, LONG_BYTES = 16, 64 * 1024
"""Of longer ones, such as blocks: each may cost a look into the store, or milliseconds under load."""
LONGEST_PLACES = 4
"""Of the longest: a block of 1 MiB takes as long to read. With one, the handler would wait for us."""
TURN_PARTS = 8
"""One of so many parts of the places is a turn: several peers are served at a time."""


Source = tuple[ConnId, Handler]
"""Whose read credit is with which handler."""


class Round(NamedTuple):
    """What the rumours of one connection have in common that went to their handler together."""

    peer: PeerId
    source: Source
    since_s: float
    counts: Counts


Awaiting = tuple[Inbound, bytes, Round]
"""A rumour at its handler, and the hash of its kind and payload. A plain tuple for speed."""


class Waiting(NamedTuple):
    """A rumour that waits for its peer's turn."""

    rumour: Rumour
    peer: PeerId

    def where(self) -> tuple[ConnId, str]:
        """What those have in common that are handed on together: connection and kind."""
        return self.rumour[0].conn, self.rumour[0].kind


class _Desk:
    """One handler's."""

    def __init__(self) -> None:
        self.in_hand = 0
        self.places = self.turn = 0  # of the kind that waits
        self.rota = Rota[PeerId, Waiting]()

    @property
    def all(self) -> int:
        """Rumours that it is to judge."""
        return self.in_hand + len(self.rota)


class Docket:
    """Everything that awaits a verdict, by ticket."""

    def __init__(self, handlers: Iterable[Handler], last_ticket: int) -> None:
        self._desks = {handler: _Desk() for handler in handlers}
        self.awaiting: dict[int, Awaiting] = {}
        """What the handlers have. Whoever takes something out says so by :meth:`judged`."""
        self._last_ticket = last_ticket

    def __len__(self) -> int:
        return len(self.awaiting) + sum(len(desk.rota) for desk in self._desks.values())

    def is_ample_for(self, rumours: int) -> bool:
        """Whether there is certainly room for so many; of a busy handler :meth:`room` tells."""
        return len(self.awaiting) + rumours <= MAX_AWAITING // KEPT_PARTS

    def room(self, handler: Handler, peer: PeerId) -> int:
        """How many rumours more of a peer may await its verdict."""
        kept, desks = MAX_AWAITING // KEPT_PARTS, self._desks
        kept_for_others = sum(
            max(0, kept - desk.all) for each, desk in desks.items() if each is not handler
        )
        waiting = desks[handler].rota.waiting(peer)
        shared = min(MAX_AWAITING - len(self) - kept_for_others, MOST_ROOM - waiting)
        return max(0, shared, LEAST_ROOM - waiting)

    def free(self, kind: Kind, handler: Handler) -> int:
        """How many rumours of a kind its handler may be given at once: none while others wait for that."""
        desk = self._desks[handler]
        return 0 if len(desk.rota) else max(0, places_for(kind) - desk.in_hand)

    def give(self, news: list[Rumour], round_: Round) -> int:
        """News goes to its handler; the first of their tickets, which are in order."""
        first = self._last_ticket + 1
        self._last_ticket += len(news)
        self._desks[round_.source[1]].in_hand += len(news)
        self.awaiting.update(enumerate([(*each, round_) for each in news], first))
        return first

    def queue(self, rumours: list[Rumour], kind: Kind, handler: Handler, peer: PeerId) -> None:
        """Let rumours wait for their peer's turn."""
        desk = self._desks[handler]
        desk.places = places_for(kind)
        desk.turn = max(1, desk.places // TURN_PARTS)
        desk.rota.add(peer, [Waiting(rumour, peer) for rumour in rumours])

    def next_turn(self, handler: Handler) -> list[Waiting]:
        """Rumours of the peer whose turn it is; none when nothing waits, or there is no place."""
        desk = self._desks[handler]
        free = desk.places - desk.in_hand
        return desk.rota.take(min(free, desk.turn)) if free > 0 else []

    def judged(self, handler: Handler, rumours: int) -> bool:
        """So many are with it no more; whether others wait for their places."""
        desk = self._desks[handler]
        desk.in_hand -= rumours
        return len(desk.rota) > 0

    def forget(self, peer: PeerId) -> list[Waiting]:
        """Take out what waits for the turn of a peer that is none any more."""
        return [each for desk in self._desks.values() for each in desk.rota.forget(peer)]

    def abandon(self, handler: Handler) -> list[Waiting]:
        """Take out all that waits for a handler."""
        waiting, rota = list[Waiting](), self._desks[handler].rota
        while taken := rota.take(len(rota)):
            waiting += taken
        return waiting

    def overdue(self, latest_s: float) -> dict[int, Handler]:
        """The tickets of what went to its handler before, and to which."""
        entries = takewhile(lambda entry: entry[1][2].since_s <= latest_s, self.awaiting.items())
        return {ticket: round_.source[1] for ticket, (_, _, round_) in entries}


def places_for(kind: Kind) -> int:
    """How many rumours of a kind are with their handler at once. As many as there may be, of a family of
    kinds: who handles one (search) delays whom it wants to, and needs no order of ours.
    """
    if kind.is_of_family:
        return MAX_AWAITING
    if kind.limit_bytes <= SMALL_BYTES:
        return PLACES
    return LONG_PLACES if kind.limit_bytes <= LONG_BYTES else LONGEST_PLACES
