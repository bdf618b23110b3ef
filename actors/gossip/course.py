"""What is done with a batch's messages of one kind: who judges them, who listens, and which are looked at.

Pure; settled once for each kind of a batch, since batches are large.
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


def course_of(wire_kind: str, kinds: Kinds, audience: Audience, tally: Tally) -> Course:
    """The course of a kind, as it is on the wire."""
    kind = kinds.named(wire_kind.removeprefix(WIRE_PREFIX))
    is_subscribed = audience.subscribers(kind.name) > 0
    listeners = audience.of(kind.name)
    return Course(
        kind,
        tally.of(kind.name, ours=is_subscribed),
        listeners,
        is_subscribed,
        is_wanted=wire_kind.startswith(WIRE_PREFIX)
        and (kind.handler is not None or bool(listeners)),
        longest_bytes=ID_BYTES + kind.limit_bytes,
    )
