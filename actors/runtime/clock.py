"""Time as a capability: now, the wall's time, and messages told later.

Nothing in the house reads the system's time but :class:`ThreadClock`. Timers only tell.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from actors.runtime.address import Address

M = TypeVar("M")

LATEST_S = 253_402_300_800.0
"""The end of the year 9999, in Unix time: a file that has it later is wrong, and it could not be shown."""
COMPACT_ABOVE = 64
"""Cancelled timers are swept out when there are so many timers, and then whenever they have doubled: what a
push costs does not grow with their number."""


class Timer:
    """A message that will be told. ``cancel`` is best effort: one already posted still arrives."""

    __slots__ = ("cancelled", "due_s", "fire")

    def __init__(self, due_s: float, fire: Callable[[], None]) -> None:
        self.due_s = due_s
        self.fire = fire
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock(Protocol):
    """What a room may know of time."""

    def now_s(self) -> float:
        """Seconds from an arbitrary origin; never goes back."""

    def wall_s(self) -> float:
        """Seconds since 1970-01-01 UTC: for people and for files, never for durations."""

    def tell_after(self, delay_s: float, address: Address[M], message: M) -> Timer:
        """Tell ``message`` once, ``delay_s`` from now at the earliest. Any thread."""


class _Timers:
    """A heap of timers in order of due time, first come first out among equals."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._compact_at = COMPACT_ABOVE

    def push(self, timer: Timer) -> None:
        if len(self._heap) >= self._compact_at:
            self._heap = [entry for entry in self._heap if not entry[2].cancelled]
            heapq.heapify(self._heap)
            self._compact_at = max(COMPACT_ABOVE, 2 * len(self._heap))
        heapq.heappush(self._heap, (timer.due_s, next(self._order), timer))

    def next_due_s(self) -> float | None:
        while self._heap and self._heap[0][2].cancelled:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now_s: float) -> Timer | None:
        due_s = self.next_due_s()
        if due_s is None or due_s > now_s:
            return None
        return heapq.heappop(self._heap)[2]


class ThreadClock:
    """The real clock: one thread for all timers of a node."""

    def __init__(self) -> None:
        self._timers = _Timers()
        self._changed = threading.Condition()
        self._running = True
        self._thread = threading.Thread(target=self._run, name="troupe-clock", daemon=True)
        self._thread.start()

    now_s = staticmethod(time.monotonic)  # without a detour: it is asked twice for each message

    def wall_s(self) -> float:
        return time.time()

    def tell_after(self, delay_s: float, address: Address[M], message: M) -> Timer:
        timer = Timer(self.now_s() + delay_s, lambda: address.tell(message))
        with self._changed:
            self._timers.push(timer)
            self._changed.notify()
        return timer

    def stop(self) -> None:
        """End the thread; timers not yet due are forgotten."""
        with self._changed:
            self._running = False
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                timer = self._timers.pop_due(self.now_s()) if self._running else None
                if timer is None:
                    if not self._running:
                        return
                    due_s = self._timers.next_due_s()
                    self._changed.wait(None if due_s is None else max(0.0, due_s - self.now_s()))
                    continue
            timer.fire()


class FakeClock:
    """A clock that a test or a simulation moves by hand, on one thread."""

    def __init__(self, now_s: float = 1_000.0, wall_s: float = 1_700_000_000.0) -> None:
        self._now_s = now_s
        self._wall_offset_s = wall_s - now_s
        self._timers = _Timers()

    def now_s(self) -> float:
        return self._now_s

    def wall_s(self) -> float:
        return self._now_s + self._wall_offset_s

    def tell_after(self, delay_s: float, address: Address[M], message: M) -> Timer:
        return self.call_after(delay_s, lambda: address.tell(message))

    def call_after(self, delay_s: float, fire: Callable[[], None]) -> Timer:
        """For simulated hardware (a network's delay); actors use :meth:`tell_after`."""
        timer = Timer(self._now_s + delay_s, fire)
        self._timers.push(timer)
        return timer

    def next_due_s(self) -> float | None:
        return self._timers.next_due_s()

    def advance(self, seconds: float) -> None:
        """Move on, firing what falls due on the way, in order of time."""
        self.advance_to(self._now_s + seconds)

    def advance_to(self, until_s: float) -> None:
        while (timer := self._timers.pop_due(until_s)) is not None:
            self._now_s = max(self._now_s, timer.due_s)
            timer.fire()
        self._now_s = max(self._now_s, until_s)
