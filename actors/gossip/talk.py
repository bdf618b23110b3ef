"""What peers say in kinds that no room judges, such as chat (WIRE: gossip).

It is passed on while somebody here subscribes to the kind, and listeners hear it, both as far as its peer's
allowance goes. Must not live here: how large that is (`allowance`), or who listens (`audience`).
"""

from __future__ import annotations

from collections.abc import Callable

from actors.config import RateSettings
from actors.gossip.allowance import Allowances
from actors.gossip.audience import Listener
from actors.gossip.course import ID_BYTES, Course
from actors.gossip.kinds import is_well_formed
from actors.gossip.news import News, Rumour
from actors.peers.messages import PeerEvent, PeerId

Offer = Callable[[tuple[Listener, ...], str, bytes, PeerId | None], None]
"""Lets listeners hear a payload of a kind, which begins with its message id."""


class Talk:
    """Decides what of it is heard here, and what goes on."""

    def __init__(self, news: News, offer: Offer, rates: RateSettings) -> None:
        self._news, self._offer, self._allowances = news, offer, Allowances(rates)

    def apply(self, event: PeerEvent) -> None:
        """Who is a peer has changed."""
        self._allowances.apply(event)

    def hear(
        self, rumours: list[Rumour], peer: PeerId, course: Course, now_s: float
    ) -> list[tuple[str, bytes]]:
        """Let listeners hear rumours of one kind; those to be passed on."""
        passed_on: list[tuple[str, bytes]] = []
        for rumour in rumours:
            if not self._news.unheard([rumour]):
                course.counts.duplicates += 1
            elif self._hear(rumour, peer, course, now_s):
                course.counts.relayed += 1
                passed_on.append((rumour[0].kind, rumour[0].payload))
            else:
                course.counts.dropped += 1
        return passed_on

    def _hear(self, rumour: Rumour, peer: PeerId, course: Course, now_s: float) -> bool:
        """Whether it is passed on. What is not, or is not even heard, only because its peer says too much, is not
        noted: whoever repeats the lines of others faster than it may would keep them from everybody.
        """
        name, payload, news = course.kind.name, rumour[0].payload, self._news
        if not is_well_formed(name, payload[ID_BYTES:]):
            news.note([rumour], now_s)
            return False
        if not news.is_heard(rumour):
            if not self._allowances.may_be_heard(peer, now_s):
                return False
            self._offer(course.listeners, name, payload, peer)
        if course.is_subscribed and not self._allowances.may_be_relayed(peer, now_s):
            news.note_heard(rumour, now_s)
            return False
        news.note([rumour], now_s)
        return course.is_subscribed
