"""What happened, in order: a bounded log of the rooms' events that outsiders may follow.

Rooms tell this actor the same frozen events that they tell each other. It numbers them and keeps the
newest; a follower is a callable run on this actor's thread, which must hand over and return at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from actors.runtime.actor import NodeActor
from actors.runtime.address import Ask
from actors.runtime.clock import Clock

KEPT_EVENTS = 10_000
"""A reader that was away for a thousand blocks of ten transactions can still resume."""
KEPT_WEIGHT = 50_000
"""Of bodies that list things: a first sync tells of thousands of blocks in few events, and each costs
half a kilobyte."""
MAX_FOLLOWERS = 256
"""Each follower costs a call per event; more of them belong behind one that fans out."""


@dataclass(frozen=True, slots=True)
class Event:
    """A numbered event. ``sequence`` counts from 1 within ``epoch``; ``at_s`` is Unix time. Value."""

    sequence: int
    epoch: str
    at_s: float
    body: object


@dataclass(frozen=True, slots=True)
class Happened:
    """Something worth telling the outside; ``body`` is a room's event, and ``weight`` about how many
    things it lists. Tell.
    """

    body: object
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Expired:
    """The wanted events are no longer kept, or belong to another run of the node. Value."""

    oldest: int
    newest: int
    epoch: str


@dataclass(frozen=True, slots=True)
class Follow(Ask["tuple[Event, ...] | Expired | None"]):
    """Start following: the kept events after ``after`` are the answer (None: only new ones), later
    ones go to ``on_event``. None when too many follow already. Ask: tuple of Event, Expired, None.
    """

    token: object
    on_event: Callable[[Event], None]
    after: int | None = None
    epoch: str | None = None


@dataclass(frozen=True, slots=True)
class Unfollow:
    """Stop calling the follower of this token. Tell."""

    token: object


@dataclass(frozen=True, slots=True)
class GetPosition(Ask["tuple[str, int]"]):
    """The epoch and the newest sequence. Ask: tuple of str and int."""


EventsInput = Happened | Follow | Unfollow | GetPosition


class EventsActor(NodeActor):
    """Numbers, keeps and hands on events."""

    def __init__(self, epoch: str, clock: Clock) -> None:
        super().__init__()
        self._epoch, self._clock = epoch, clock
        self._kept: deque[tuple[Event, int]] = deque()
        self._weight = 0
        self._sequence = 0
        self._followers: dict[object, Callable[[Event], None]] = {}

    def on_receive(self, message: EventsInput) -> object:
        match message:
            case Happened(body, weight):
                self._append(body, weight)
            case Follow():
                return self._follow(message)
            case Unfollow(token):
                self._followers.pop(token, None)
            case GetPosition():
                return self._epoch, self._sequence
            case _:
                assert_never(message)
        return None

    def _append(self, body: object, weight: int) -> None:
        self._sequence += 1
        event = Event(self._sequence, self._epoch, self._clock.wall_s(), body)
        self._kept.append((event, weight))
        self._weight += weight
        while len(self._kept) > KEPT_EVENTS or (self._weight > KEPT_WEIGHT and len(self._kept) > 1):
            self._weight -= self._kept.popleft()[1]
        for on_event in tuple(self._followers.values()):
            on_event(event)

    def _follow(self, request: Follow) -> tuple[Event, ...] | Expired | None:
        oldest = self._kept[0][0].sequence if self._kept else self._sequence + 1
        if request.after is not None and (
            request.epoch not in (None, self._epoch)
            or not oldest - 1 <= request.after <= self._sequence
        ):
            return Expired(oldest, self._sequence, self._epoch)
        if len(self._followers) >= MAX_FOLLOWERS:
            return None
        self._followers[request.token] = request.on_event
        if request.after is None:
            return ()
        return tuple(event for event, _ in self._kept if event.sequence > request.after)
