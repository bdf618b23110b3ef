"""Requests of ours that wait for their response: ids and deadlines. Pure; time comes by parameter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from actors.messaging.codec import MAX_MESSAGE_ID
from actors.messaging.messages import Inbound, ReplyTo, SendRequest

MAX_IN_FLIGHT = 256
"""Per connection (WIRE: limits): the other side is entitled not to read more."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A request on its way: who is told how it ended, and when it is too late. Value."""

    token: int
    reply_to: ReplyTo
    deadline_s: float


class Stray(Enum):
    """A response without a request that waits for it."""

    LATE = "late"
    """Its request was answered before, or timed out."""
    UNASKED = "unasked"
    """Its id was never used on this connection."""


class Answered(NamedTuple):
    """What became of responses: the requests that they end, with their payloads, and how many end none."""

    ended: list[tuple[Pending, bytes]]
    late: int
    unasked: int


class Requests:
    """The requests in flight on one connection. Ids count from 1, so an id tells whether it was used."""

    __slots__ = ("_last_id", "_pending", "is_whole")

    def __init__(self) -> None:
        self._last_id = 0
        self.is_whole = True
        """Whether these are all that there ever were on the connection. If not, any response may be a late one."""
        self._pending: dict[int, Pending] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def ask(self, request: SendRequest, now_s: float) -> int | None:
        """The id for a new request; None when too many are in flight."""
        if len(self._pending) >= MAX_IN_FLIGHT:
            return None
        self._last_id = self._last_id % MAX_MESSAGE_ID + 1
        deadline_s = now_s + request.timeout_s
        self._pending[self._last_id] = Pending(request.token, request.reply_to, deadline_s)
        return self._last_id

    def answer(self, message_id: int) -> Pending | Stray:
        """Take out the request that a response belongs to."""
        pending = self._pending.pop(message_id, None)
        if pending is not None:
            return pending
        was_used = 0 < message_id <= self._last_id or not self.is_whole
        return Stray.LATE if was_used else Stray.UNASKED

    def answer_all(self, responses: Iterable[Inbound]) -> Answered:
        """Take out the requests that responses belong to, in order."""
        ended, late, unasked = list[tuple[Pending, bytes]](), 0, 0
        for response in responses:
            pending = self.answer(response.message_id)
            if isinstance(pending, Pending):
                ended.append((pending, response.payload))
            elif pending is Stray.LATE:
                late += 1
            else:
                unasked += 1
        return Answered(ended, late, unasked)

    def expire(self, now_s: float) -> list[Pending]:
        """Take out the requests whose time is over."""
        if not self._pending:
            return []
        due = [key for key, pending in self._pending.items() if now_s >= pending.deadline_s]
        return [self._pending.pop(key) for key in due]

    def give_up(self) -> list[Pending]:
        """Take out all requests: the connection is gone."""
        pending, self._pending = list(self._pending.values()), {}
        return pending
