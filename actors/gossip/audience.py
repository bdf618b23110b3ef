"""Who listens to what: outsiders that follow gossip as it comes.

A listener that names kinds is a subscriber (WIRE: gossip): they are relayed on its account. One that names
none hears every kind, and has nothing relayed. Must not live here: what a listener does.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors.gossip.kinds import family_of
from actors.gossip.messages import MAX_LISTENERS, Heard
from actors.runtime.sink import Sink

Listener = Sink[Heard]


class Audience:
    """The listeners and their kinds; a kind or the first part of kinds (``search``) names it."""

    def __init__(self) -> None:
        self._kinds: dict[Listener, frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self._kinds)

    def __iter__(self) -> Iterator[Listener]:
        return iter(self._kinds)

    def join(self, listener: Listener, kinds: frozenset[str]) -> bool:
        """Begin to listen, or to other kinds. False: too many do."""
        if len(self._kinds) >= MAX_LISTENERS and listener not in self._kinds:
            return False
        self._kinds[listener] = kinds
        return True

    def leave(self, listener: Listener) -> None:
        self._kinds.pop(listener, None)

    def of(self, kind: str) -> tuple[Listener, ...]:
        """Who hears a kind."""
        if not self._kinds:
            return ()
        names = {kind, family_of(kind)}
        return tuple(
            listener
            for listener, kinds in self._kinds.items()
            if not kinds or not names.isdisjoint(kinds)
        )

    def subscribers(self, kind: str) -> int:
        """How many have named a kind."""
        names = {kind, family_of(kind)}
        return sum(not names.isdisjoint(kinds) for kinds in self._kinds.values())

    def named(self) -> frozenset[str]:
        """Every kind that somebody has named."""
        return frozenset().union(*self._kinds.values())
