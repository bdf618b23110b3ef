"""What the supervisor is asked and told: the stage's public face.

The last four are the stage's own: an incarnation's shell and the clock tell them.
"""

from __future__ import annotations

from dataclasses import dataclass

from actors.runtime.actor import Fall, NodeActor
from actors.runtime.address import Ask
from actors.runtime.member import ActorReport


@dataclass(frozen=True, slots=True)
class ListActors(Ask[tuple[ActorReport, ...]]):
    """Every actor, in the order of start; the supervisor itself is the last. Ask: tuple of ActorReport."""


@dataclass(frozen=True, slots=True)
class GetDegraded(Ask[tuple[str, ...]]):
    """Why the node is degraded, a sentence an actor; empty when it is not. Ask: tuple of str."""


@dataclass(frozen=True, slots=True)
class RestartActor(Ask["tuple[ActorReport, ...] | None"]):
    """Bring a member down in order and build it anew, with its group; also one that used up its restarts,
    whose falls are then forgiven. Not charged against them. Answered when all of the group are up, or
    rest because one failed again; None: no member has that name. Ask: tuple of ActorReport, None.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Ailing:
    """A member that plays cannot do all of its work, and why, in a sentence for people; None: it can again.
    The last one counts, until its next incarnation begins. The node is degraded meanwhile. Tell.
    """

    name: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Began:
    """An incarnation's ``on_start`` is through. Tell."""

    name: str
    actor: NodeActor


@dataclass(frozen=True, slots=True)
class Ended:
    """An incarnation is over, by a fall or in order. Tell."""

    name: str
    actor: NodeActor
    fall: Fall | None


@dataclass(frozen=True, slots=True)
class Retry:
    """A degraded group has rested, if it is still the same rest. Tell."""

    group: tuple[str, ...]
    rest: int


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """See who is stuck; an incarnation knows its own one from a former one's. Tell."""
