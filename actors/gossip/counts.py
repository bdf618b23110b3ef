"""How many messages of each kind were heard, and what became of them.

Lives here: the counters and their bound. Must not live here: what becomes of a message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_HEARD_KINDS = 64
"""Counted by name because a peer said them: it may invent kinds, and the field has few."""
MAX_KINDS = 256
"""Counted by name in all: those that this node publishes or listens to always find a place among these."""


@dataclass(slots=True)
class Counts:
    """Of one kind, since the actor's start: received = duplicates + dropped + relayed + what awaits a
    verdict.
    """

    received: int = 0
    duplicates: int = 0
    dropped: int = 0
    relayed: int = 0
    published: int = 0


class Tally:
    """The counts by kind; kinds beyond the bound share one."""

    def __init__(self) -> None:
        self.others = Counts()
        self._of: dict[str, Counts] = {}

    def of(self, kind: str, *, ours: bool) -> Counts:
        """The counts of a kind; ``ours``: this node itself has to do with it."""
        counts = self._of.get(kind)
        if counts is None:
            if not kind or len(self._of) >= (MAX_KINDS if ours else MAX_HEARD_KINDS):
                return self.others
            counts = self._of[kind] = Counts()
        return counts

    def __iter__(self) -> Iterator[tuple[str, Counts]]:
        """By kind, in order of their names."""
        return iter(sorted(self._of.items()))
