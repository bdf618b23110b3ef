"""What happened, in order: a bounded log of the rooms' events that outsiders may follow.

Rooms tell this actor the same frozen events that they tell each other. It numbers them and keeps the
newest; a follower is a callable run on this actor's thread, which must hand over and return at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
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
class Kept:
    """Events in a row; ``newest`` and ``epoch`` are where the log stands. Value."""

    events: tuple[Event, ...]
    newest: int
    epoch: str


@dataclass(frozen=True, slots=True)
class ListKept(Ask[Kept | Expired]):
    """The kept events after ``after`` (None: from the oldest on), at most ``limit``. Ask: Kept, Expired."""

    limit: int
    after: int | None = None
    epoch: str | None = None


@dataclass(frozen=True, slots=True)
class Unfollow:
    """Stop calling the follower of this token. Tell."""

    token: object


@dataclass(frozen=True, slots=True)
class GetPosition(Ask["tuple[str, int]"]):
    """The epoch and the newest sequence. Ask: tuple of str and int."""


EventsInput = Happened | Follow | ListKept | Unfollow | GetPosition


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
            case ListKept(limit, after, epoch):
                return self._list(limit, after, epoch)
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
        if request.after is not None and not self._keeps_after(request.after, request.epoch):
            return self._expired()
        if len(self._followers) >= MAX_FOLLOWERS:
            return None
        self._followers[request.token] = request.on_event
        return () if request.after is None else self._after(request.after, KEPT_EVENTS)

    def _list(self, limit: int, after: int | None, epoch: str | None) -> Kept | Expired:
        begin = self._oldest - 1 if after is None else after
        if not self._keeps_after(begin, epoch):
            return self._expired()
        return Kept(self._after(begin, limit), self._sequence, self._epoch)

    @property
    def _oldest(self) -> int:
        """The number of the oldest that is kept; while there is none, of the next."""
        return self._kept[0][0].sequence if self._kept else self._sequence + 1

    def _keeps_after(self, after: int, epoch: str | None) -> bool:
        return epoch in (None, self._epoch) and self._oldest - 1 <= after <= self._sequence

    def _expired(self) -> Expired:
        return Expired(self._oldest, self._sequence, self._epoch)

    def _after(self, after: int, limit: int) -> tuple[Event, ...]:
        """What follows a position that is kept: the numbers have no gap."""
        begin = after + 1 - self._oldest
        return tuple(event for event, _ in islice(self._kept, begin, begin + limit))
