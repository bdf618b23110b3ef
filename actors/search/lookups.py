"""Questions at their providers, and those that wait for a place there, by peer and by turns.

A provider's mailbox is first come, first served; so it has only as much at once as keeps it busy. Pure. Must not
live here: what a question is, or what is done with an answer.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import takewhile
from typing import NamedTuple

from actors.gossip.messages import GossipItem
from actors.peers.messages import PeerId
from actors.runtime.rota import Rota
from actors.tcp.messages import ConnId

PLACES = 256
"""What one connection's read credit lets in at once: a peer alone never waits here."""
TURN = 32
"""An eighth of that: several peers are served at a time."""


class _LookingUp(NamedTuple):
    """A question at its provider."""

    item: GossipItem
    since_s: float


class LookUps:
    """Gossip bounds how many there are: each awaits a verdict of ours."""

    def __init__(self, last_ticket: int) -> None:
        self._last_ticket = last_ticket
        self._at_provider: dict[int, _LookingUp] = {}
        self._rota = Rota[PeerId, GossipItem]()

    def add(self, items: Iterable[GossipItem], peer: PeerId) -> None:
        """Questions of one peer, to be looked up."""
        self._rota.add(peer, items)

    def next_turn(self, now_s: float) -> list[tuple[int, GossipItem]]:
        """Questions that go to their providers now, with their tickets."""
        free = PLACES - len(self._at_provider)
        items = self._rota.take(min(free, TURN)) if free > 0 else []
        first = self._last_ticket + 1
        self._last_ticket += len(items)
        self._at_provider.update(enumerate([_LookingUp(item, now_s) for item in items], first))
        return list(enumerate(items, first))

    def take(self, ticket: int) -> GossipItem | None:
        """The question that was looked up; None: too late."""
        looking_up = self._at_provider.pop(ticket, None)
        return None if looking_up is None else looking_up.item

    def take_overdue(self, latest_s: float) -> list[GossipItem]:
        """Those that went to their providers before."""
        at_provider = self._at_provider
        overdue = takewhile(lambda entry: entry[1].since_s <= latest_s, at_provider.items())
        tickets = [ticket for ticket, _ in overdue]
        return [at_provider.pop(ticket).item for ticket in tickets]

    def take_waiting(self, peer: PeerId, open_conns: Container[ConnId]) -> list[GossipItem]:
        """Those of a peer that wait for its turn and came on connections that are gone."""
        return self._rota.forget(peer, but=lambda item: item.conn in open_conns)

    def take_all(self) -> list[GossipItem]:
        """Everything, wherever it is."""
        items = [looking_up.item for looking_up in self._at_provider.values()]
        self._at_provider.clear()
        while waiting := self._rota.take(TURN):
            items += waiting
        return items
