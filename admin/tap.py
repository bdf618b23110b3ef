"""A tap on a room: what passes there, through a bounded queue, to the stream of one reader.

The room never waits: it appends and wakes the loop. A reader that falls behind gets what was queued and
then SLOW_CONSUMER, since what is live cannot be resumed. For events that are kept, see ``streams``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Generic, TypeVar

from troupe.admin.v1 import errors_pb2

from admin.asks import actor_down
from admin.errors import Refusal

T = TypeVar("T")

MAX_QUEUED = 1_000
"""Items that wait for one reader, as in an event stream."""


class Tap(Generic[T]):
    """The queue of one reader: a :class:`~actors.runtime.sink.Sink` for a room, an iterator for a stream.

    Made and iterated on the event loop; ``offer``, ``lost`` and ``end`` are called on one other thread.
    """

    def __init__(self, actor: str, *, limit: int = MAX_QUEUED) -> None:
        """``actor`` is who offers, named when it goes down; ``limit`` the most items that wait."""
        self._actor, self._limit = actor, limit
        self._loop = asyncio.get_running_loop()
        self._queue: deque[T] = deque()
        self._changed = asyncio.Event()
        self._waking = False
        self._ended = False
        self._refusal: Refusal | None = None
        self._dropped = 0

    # -- the room's side: any thread, at once back --------------------------------------------------

    def offer(self, item: T) -> None:
        """Queue an item; if there is no place, count it and end."""
        if self._dropped or len(self._queue) >= self._limit:
            self._dropped += 1
            self._ended = True
        elif not self._ended:
            self._queue.append(item)
        self._wake()

    def lost(self) -> None:
        """The room goes down."""
        self.end(actor_down(self._actor))

    def end(self, refusal: Refusal | None = None) -> None:
        """Nothing more comes: the stream ends once what waits is read, well unless there is a refusal."""
        if not self._ended:
            self._refusal = refusal
            self._ended = True
            self._wake()

    def _wake(self) -> None:
        if not self._waking:
            self._waking = True
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody reads any more
                self._loop.call_soon_threadsafe(self._on_woken)

    # -- the reader's side: the event loop ----------------------------------------------------------

    def _on_woken(self) -> None:
        self._waking = False
        self._changed.set()

    def __aiter__(self) -> Tap[T]:
        return self

    async def __anext__(self) -> T:
        """The next item.

        Raises:
            Refusal: SLOW_CONSUMER, or what the tap was ended with.
        """
        while True:
            ended = self._ended  # before the look at the queue: what was queued before it is read
            if self._queue:
                return self._queue.popleft()
            if ended:
                raise self._refusal or (self._slow() if self._dropped else StopAsyncIteration())
            self._changed.clear()
            if not self._queue and not self._ended:
                await self._changed.wait()

    def _slow(self) -> Refusal:
        message = f"the reader fell more than {self._limit} items behind: begin anew"
        reason = errors_pb2.ERROR_REASON_SLOW_CONSUMER
        return Refusal(reason, message, dropped=str(self._dropped))
