"""What is done with a batch's messages of one kind: who judges them, who listens, and which are looked at.

Pure; settled once for each kind, and anew when who listens has changed.
"""

from __future__ import annotations

from typing import NamedTuple

from actors.gossip.audience import Audience, Listener
from actors.gossip.counts import Counts, Tally
from actors.gossip.kinds import WIRE_PREFIX, Kind, Kinds

ID_BYTES = 16
"""WIRE: gossip."""


class Course(NamedTuple):
    """A kind's course. A tuple for speed."""

    kind: Kind
    counts: Counts
    listeners: tuple[Listener, ...]
    is_subscribed: bool
    """Whether a listener has named the kind: then it is relayed, even if no room judges it."""
    is_wanted: bool
    """Whether anybody looks at its messages."""
    longest_bytes: int
    """Of a message's payload, its id included."""


class Courses:
    """The courses of the kinds that are counted by name, which bounds them, are kept."""

    def __init__(self, kinds: Kinds, audience: Audience, tally: Tally) -> None:
        self._kinds, self._audience, self._tally = kinds, audience, tally
        self._kept: dict[str, Course] = {}

    def of(self, wire_kind: str) -> Course:
        """The course of a kind, as it is on the wire."""
        course = self._kept.get(wire_kind)
        if course is None:
            course = self._settle(wire_kind)
            if course.counts is not self._tally.others:
                self._kept[wire_kind] = course
        return course

    def forget(self) -> None:
        """Who listens has changed."""
        self._kept.clear()

    def _settle(self, wire_kind: str) -> Course:
        kind = self._kinds.named(wire_kind.removeprefix(WIRE_PREFIX))
        is_subscribed = self._audience.subscribers(kind.name) > 0
        listeners = self._audience.of(kind.name)
        return Course(
            kind,
            self._tally.of(kind.name, ours=is_subscribed or self._kinds.knows(kind.name)),
            listeners,
            is_subscribed,
            is_wanted=wire_kind.startswith(WIRE_PREFIX)
            and (kind.handler is not None or bool(listeners)),
            longest_bytes=ID_BYTES + kind.limit_bytes,
        )
