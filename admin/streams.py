"""Event streams: one follower of the node's events, fanned out to a bounded queue for each reader.

An event is converted and serialized once, for all its readers, and queued by reference. The events actor
never waits: it appends and wakes the loop. A reader that falls behind loses its queue and is told where to
resume.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection

from troupe.admin.v1 import errors_pb2, event_pb2

from actors.runtime.address import Address
from actors.runtime.events import Event, EventsInput, Happened, Unfollow
from admin.asks import actor_down
from admin.errors import Refusal, stopping
from admin.events import NodeStopping, Notice, notice_of

MAX_QUEUED = 1_000
"""Events that wait for one reader: some hundred blocks' worth, below a megabyte."""
MAX_INBOX = 10_000
"""Events on their way to the loop: only a loop that stands still for seconds lets so many gather."""


class EventStream:
    """The queue of one reader. Only on the event loop."""

    def __init__(self, types: Collection[int], position: event_pb2.EventPosition) -> None:
        self._types = frozenset(types)
        self._queue: deque[Notice] = deque()
        self._changed = asyncio.Event()
        self._ending: Refusal | None = None
        self._overflowed = False
        self._epoch, self._sent = position.epoch, position.sequence

    def offer(self, event: Notice) -> None:
        """Queue an event, unless the reader does not want it or has fallen behind."""
        if self._overflowed or self._ending is not None or not self.wants(event):
            return
        if len(self._queue) >= MAX_QUEUED:
            self.overflow()
            return
        self._queue.append(event)
        self._changed.set()

    def wants(self, event: Notice) -> bool:
        final = event.type == event_pb2.EVENT_TYPE_NODE_STOPPING
        return not self._types or event.type in self._types or final

    def overflow(self) -> None:
        """The reader missed something: what waits for it is let go, and it is told where to resume."""
        self._overflowed = True
        self._queue.clear()
        self._changed.set()

    def end(self, ending: Refusal) -> None:
        """End the stream once what waits is read."""
        self._ending = ending
        self._changed.set()

    def sent(self, event: Notice) -> None:
        """Note how far the reader has come."""
        self._sent = event.sequence

    async def next(self) -> Notice:
        """The next event that the reader has not got yet.

        Raises:
            Refusal: SLOW_CONSUMER, or what the stream was ended with.
        """
        while True:
            if self._overflowed:
                raise self._slow()
            while self._queue:
                event = self._queue.popleft()
                if event.sequence > self._sent:
                    return event
            if self._ending is not None:
                raise self._ending
            self._changed.clear()
            await self._changed.wait()

    def _slow(self) -> Refusal:
        return Refusal(
            errors_pb2.ERROR_REASON_SLOW_CONSUMER,
            f"the reader fell more than {MAX_QUEUED} events behind: resume after the last one received",
            sequence=str(self._sent),
            epoch=self._epoch,
        )


class EventHub:
    """The server's one follower of the events actor. Only ``receive`` is called on another thread."""

    def __init__(self, events: Address[EventsInput], loop: asyncio.AbstractEventLoop) -> None:
        self._events, self._loop = events, loop
        self._streams: set[EventStream] = set()
        self._inbox: deque[Event] = deque(maxlen=MAX_INBOX)
        self._waking = False
        self._newest: tuple[str, int] | None = None
        self._stopped = asyncio.Event()
        self._restarts = 0

    def open(self, types: Collection[int], position: event_pb2.EventPosition) -> EventStream:
        """A stream that gets what is received from now on; :meth:`close` it."""
        stream = EventStream(types, position)
        self._streams.add(stream)
        return stream

    def close(self, stream: EventStream) -> None:
        self._streams.discard(stream)

    def receive(self, event: Event) -> None:
        """The events actor's way in: on its thread, and back at once."""
        self._inbox.append(event)
        if not self._waking:
            self._waking = True
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody reads any more
                self._loop.call_soon_threadsafe(self._distribute)

    def note_restarts(self, restarts: int) -> None:
        """An events actor that was restarted has forgotten us and its events: the streams end."""
        if restarts != self._restarts:
            self._restarts, self._newest = restarts, None
            self._end_all(actor_down(self._events.name))

    async def stop(self, patience_s: float) -> None:
        """Let every stream end with the final event, if the events actor still plays."""
        self._events.tell(Happened(NodeStopping()))
        if self._streams:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), patience_s)
        self._events.tell(Unfollow(self))
        self._end_all(stopping())

    def _distribute(self) -> None:
        self._waking = False  # before the first look: what comes later wakes us again
        while self._inbox:
            event = self._inbox.popleft()
            self._check_gap(event)
            notice = notice_of(event)
            if notice is not None:
                for stream in self._streams:
                    stream.offer(notice)
            if isinstance(event.body, NodeStopping):
                self._stopped.set()

    def _check_gap(self, event: Event) -> None:
        """A number was skipped: the inbox overflowed, and every reader has missed something."""
        expected = self._newest is None or self._newest == (event.epoch, event.sequence - 1)
        self._newest = (event.epoch, event.sequence)
        if not expected:
            for stream in self._streams:
                stream.overflow()

    def _end_all(self, ending: Refusal) -> None:
        for stream in self._streams:
            stream.end(ending)
