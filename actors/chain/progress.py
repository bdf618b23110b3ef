"""How far the room is in getting the chains of others: for people, in words and figures.

Must not live here: what is obtained, and from whom.
"""

from __future__ import annotations

import logging
from collections import deque

from actors.chain.messages import SyncProgress, SyncState
from actors.runtime.clock import Clock
from actors.runtime.restraint import Restraint

log = logging.getLogger(__name__)

WINDOW_S = 10.0
"""The rate is that of the last so many seconds: it follows a change, and a batch is no jump in it."""
SAMPLE_S = 0.5
"""At most one sample in so long: a window holds some twenty."""
LOG_EVERY_S = 5.0
WORTH_A_LINE = 2
"""Blocks: getting one that came out of order is no news."""


class Progress:
    """Of the activity of the moment; none: idle. Begins anew with every other one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.state, self._what = SyncState.IDLE, ""
        self._done = self._left = 0
        self._begun_s = self._logged_s = 0.0
        self._samples: deque[tuple[float, int]] = deque()
        self._announced = False
        self._lines = Restraint(log)

    def note(self, blocks: int) -> None:
        """So many more are done."""
        self._done += blocks

    def look(self, state: SyncState, what: str, left: int) -> None:
        """What the room is doing now, and how many blocks are missing as far as is known."""
        now_s = self._clock.now_s()
        if what != self._what:
            self._end(now_s)
            self.state, self._what = state, what
            self._begin(now_s)
        self._left = left
        if state is SyncState.IDLE:
            return
        if now_s - self._samples[-1][0] >= SAMPLE_S:
            self._samples.append((now_s, self._done))
            while len(self._samples) > 1 and self._samples[1][0] <= now_s - WINDOW_S:
                self._samples.popleft()
        self._log(now_s)

    def report(self) -> SyncProgress | None:
        """The figures; None while idle."""
        if self.state is SyncState.IDLE:
            return None
        rate = self._rate(self._clock.now_s())
        left_s = self._left / rate if rate > 0 else None
        return SyncProgress(self._done, self._done + self._left, rate, left_s)

    def _begin(self, now_s: float) -> None:
        self._done = 0
        self._begun_s = self._logged_s = now_s
        self._samples.clear()
        self._samples.append((now_s, 0))
        self._announced = False

    def _rate(self, now_s: float) -> float:
        since_s, done = self._samples[0]
        return (self._done - done) / (now_s - since_s) if now_s > since_s else 0.0

    def _log(self, now_s: float) -> None:
        what = self._what
        if not self._announced:
            if self._left + self._done >= WORTH_A_LINE:
                self._announced = True
                self._lines.info(now_s, "%s: %d blocks to go", what, self._left)
        elif now_s - self._logged_s >= LOG_EVERY_S:
            self._logged_s = now_s
            rate = self._rate(now_s)
            left = f"{self._left / rate:.0f} s left" if rate > 0 else "at a standstill"
            total = self._done + self._left
            told = (what, self._done, total, rate, left)
            self._lines.info(now_s, "%s: %d of %d blocks, %.0f/s, %s", *told)

    def _end(self, now_s: float) -> None:
        if self._announced:
            took_s = now_s - self._begun_s
            rate = self._done / took_s if took_s > 0 else 0.0
            told = (self._what, self._done, took_s, rate)
            self._lines.info(now_s, "%s ended: %d blocks in %.1f s, %.0f/s", *told)
