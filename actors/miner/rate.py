"""The hash rate: a moving average of hashes really tried."""

from __future__ import annotations

from collections import deque

WINDOW_S = 30
"""Long enough to be calm, short enough to show a change of threads at once."""


class HashRate:
    """Hashes by second over the last ``WINDOW_S`` seconds; holds that many numbers at most."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int]] = deque()
        self._since_s = 0.0

    def restart(self, now_s: float) -> None:
        """Forget what was counted: the scan begins now."""
        self._seconds.clear()
        self._since_s = now_s

    def add(self, hashes: int, now_s: float) -> None:
        second = int(now_s)
        if self._seconds and self._seconds[-1][0] == second:
            hashes += self._seconds.pop()[1]
        self._seconds.append((second, hashes))
        self._forget(now_s)

    def per_second(self, now_s: float) -> float:
        """Hashes a second over the window, or since the restart if that is later."""
        self._forget(now_s)
        span_s = min(float(WINDOW_S), now_s - self._since_s)
        return sum(hashes for _, hashes in self._seconds) / span_s if span_s > 0 else 0.0

    def _forget(self, now_s: float) -> None:
        while self._seconds and self._seconds[0][0] <= now_s - WINDOW_S:
            self._seconds.popleft()
