"""Read credit: how much of a connection's input may be in the house, unhandled, at once.

Pure bookkeeping. It is the node's back-pressure: out of credit, a connection is not read, and the
sender's own TCP window fills up (ARCHITECTURE: messages and flow).
"""

from __future__ import annotations

from collections import deque


class Credit:
    """Frames and bytes handed on and not yet handled, against their limits.

    Once used up, nothing is granted until half has come back, so that a fast sender is served in
    batches and not frame by frame.
    """

    __slots__ = ("_batches", "_bytes", "_frames", "_limit_bytes", "_limit_frames", "_used_up")

    def __init__(self, limit_frames: int, limit_bytes: int) -> None:
        self._limit_frames, self._limit_bytes = limit_frames, limit_bytes
        self._frames = self._bytes = 0
        self._used_up = False
        self._batches: deque[list[int]] | None = (
            None  # each [frames left, bytes, frames], oldest first
        )

    @property
    def outstanding(self) -> int:
        """Frames handed on and not yet handled."""
        return self._frames

    @property
    def free_frames(self) -> int:
        """How many frames may be handed on now."""
        return 0 if self._used_up else self._limit_frames - self._frames

    def take(self, frames: int, size_bytes: int) -> None:
        """Note a batch handed on. Its bytes may exceed the limit once: a frame is not divisible."""
        if self._batches is None:
            self._batches = deque()
        self._batches.append([frames, size_bytes, frames])
        self._frames += frames
        self._bytes += size_bytes
        self._used_up = self._frames >= self._limit_frames or self._bytes >= self._limit_bytes

    def give_back(self, frames: int) -> tuple[int, int]:
        """Note frames as handled, oldest first; the frames and bytes of those batches that are through. A
        batch's bytes return with its last frame.

        Returning more than was taken is our bug, and changes nothing beyond "all is handled".
        """
        done_frames = done_bytes = 0
        while frames and self._batches:
            batch = self._batches[0]
            handled = min(frames, batch[0])
            frames -= handled
            batch[0] -= handled
            self._frames -= handled
            if not batch[0]:
                done_bytes += batch[1]
                done_frames += batch[2]
                self._batches.popleft()
        self._bytes -= done_bytes
        if not self._batches:
            self._batches = None
        if self._frames <= self._limit_frames // 2 and self._bytes <= self._limit_bytes // 2:
            self._used_up = False
        return done_frames, done_bytes
