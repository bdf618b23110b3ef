"""The hash rate: a moving average of hashes really tried."""

from __future__ import annotations

from collections import deque

WINDOW_S = 10
"""Long enough to be calm, for these are counts and not luck; short enough to show what another number
of threads does."""
BUCKETS_PER_S = 4
"""An engine's thread reports about as often."""


class HashRate:
    """Hashes a second over the last ``WINDOW_S`` seconds; holds a few dozen numbers at most."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, int]] = deque()  # each its number and its hashes
        self._since_s = 0.0

    def restart(self, now_s: float) -> None:
        """Forget what was counted: the scan begins now."""
        self._buckets.clear()
        self._since_s = now_s

    def add(self, hashes: int, now_s: float) -> None:
        bucket = int(now_s * BUCKETS_PER_S)
        if self._buckets and self._buckets[-1][0] == bucket:
            hashes += self._buckets.pop()[1]
        self._buckets.append((bucket, hashes))
        self._forget(now_s)

    def per_second(self, now_s: float) -> float:
        """Hashes a second over the window, or since the restart if that is later."""
        self._forget(now_s)
        span_s = min(float(WINDOW_S), now_s - self._since_s)
        return sum(hashes for _, hashes in self._buckets) / span_s if span_s > 0 else 0.0

    def _forget(self, now_s: float) -> None:
        oldest = (now_s - WINDOW_S) * BUCKETS_PER_S
        while self._buckets and self._buckets[0][0] <= oldest:
            self._buckets.popleft()
