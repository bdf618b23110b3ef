"""The calls that are under way: how many there may be of each kind, and what is known of each.

Must not live here: who may make a call (``auth``), how one is ended (``guard``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from troupe.admin.v1 import errors_pb2

from admin.auth import Token
from admin.counts import CallCounts
from admin.errors import Refusal
from admin.permissions import OPEN_METHODS

MAX_STREAMS = 128
"""Streams with a token: each may hold a thousand events (ADMIN_API: TOO_MANY_STREAMS)."""
MAX_TOKEN_STREAMS = 112
"""Of one token: whoever was given one cannot keep all the others from their events."""
MAX_TOKEN_CALLS = 192
"""Other calls of one token: they wait for actors, and for each other. See ``server.MAX_CALLS``."""
MAX_OPEN_STREAMS = 64
"""Streams that need no token (health, reflection) have places of their own: nobody can take the others'."""
MAX_OPEN_CALLS = 64
"""Other calls that need no token: so few that those with a token always have room."""
MAX_GIVEN_UP = 32
"""Calls whose client does not take a message: gRPC ends none of them before their connection does, and counts them
among ``server.MAX_CALLS``. So few leave their place to others; the rest keep it.
"""

_GIVEN_UP = "given up"
Shares = tuple[tuple[Hashable, int], ...]


@dataclass(slots=True)
class Call:
    """A call that is under way.

    Attributes:
        token: What it was let in with; None for an open method.
        ending: What it is being ended with.
        responses: What a stream's messages come from, until it is given up.
        is_upload: Whether it takes a stream of requests, which only its handler knows.
        writing: Whether a message of it is being sent.
        written: Messages that its reader took.
        is_cut: Whether it is to end after the message that is being sent.
        seen: ``written`` at the last look.
        stalled_looks: For how many looks its client has let us wait.
        held: What it took one of, to give it back.
    """

    method: str
    is_stream: bool
    token: Token | None = None
    ending: Refusal | None = None
    responses: AsyncGenerator[Any, None] | None = None
    is_upload: bool = False
    writing: bool = False
    written: int = 0
    is_cut: bool = False
    seen: int = 0
    stalled_looks: int = 0
    held: Shares = ()

    def stalls(self) -> int:
        """Look at its client once more: for how many looks in a row it has not taken the message that waits."""
        stands = self.writing and self.written == self.seen
        self.seen = self.written
        self.stalled_looks = self.stalled_looks + 1 if stands else 0
        return self.stalled_looks

    def shares(self) -> Shares:
        """What it takes one of, each with how many there are."""
        if self.method in OPEN_METHODS:
            limit = MAX_OPEN_STREAMS if self.is_stream else MAX_OPEN_CALLS
            return ((("open", self.is_stream), limit),)
        own = None if self.token is None else self.token.id
        if self.is_stream:
            return (("streams", MAX_STREAMS), ((own, True), MAX_TOKEN_STREAMS))
        return (((own, False), MAX_TOKEN_CALLS),)


class Places:
    """Who is in the house, by task. Only on the event loop."""

    def __init__(self, counts: CallCounts) -> None:
        self._counts = counts
        self._calls: dict[asyncio.Task[Any], Call] = {}
        self._taken: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[tuple[asyncio.Task[Any], Call]]:
        return iter(tuple(self._calls.items()))

    def own(self) -> Call | None:
        """The call of the running task."""
        task = asyncio.current_task()
        return self._calls.get(task) if task is not None else None

    def take(self, task: asyncio.Task[Any], call: Call) -> None:
        """Count a call from before its request, which may never come, to the end of its task.

        Raises:
            Refusal: TOO_MANY_STREAMS.
        """
        shares = call.shares()
        for share, limit in shares:
            if self._taken.get(share, 0) >= limit:
                raise _full(call, limit)
        self._hold(call, shares)
        self._calls[task] = call
        if call.is_stream:
            self._counts.open_streams[call.method] += 1
        task.add_done_callback(self._leave)

    def give_up(self, call: Call) -> None:
        """Let others have the place of a call whose client takes nothing, if there are not too many such."""
        given_up: Shares = ((_GIVEN_UP, MAX_GIVEN_UP),)
        if call.held != given_up and self._taken.get(_GIVEN_UP, 0) < MAX_GIVEN_UP:
            self._release(call)
            self._hold(call, given_up)

    def _hold(self, call: Call, shares: Shares) -> None:
        for share, _ in shares:
            self._taken[share] = self._taken.get(share, 0) + 1
        call.held = shares

    def _release(self, call: Call) -> None:
        for share, _ in call.held:
            self._taken[share] -= 1
            if not self._taken[share]:
                del self._taken[share]  # tokens come and go

    def _leave(self, task: asyncio.Task[Any]) -> None:
        call = self._calls.pop(task)
        self._release(call)
        if call.is_stream:
            self._counts.open_streams[call.method] -= 1


def _full(call: Call, limit: int) -> Refusal:
    message = f"{limit} {'streams' if call.is_stream else 'calls'} are open, and that is the limit"
    return Refusal(errors_pb2.ERROR_REASON_TOO_MANY_STREAMS, message, limit=str(limit))
