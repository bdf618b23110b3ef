"""What a connection has still to send: whole chunks in order, the first perhaps sent in part.

No socket here: the caller passes in the function that writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice

CHUNKS_PER_WRITE = 512
"""Below IOV_MAX (1024 on Linux, macOS and the BSDs), and enough to make a write of small chunks worth it."""

Chunk = bytes | memoryview
Write = Callable[[list[Chunk]], int]
"""Like ``socket.sendmsg`` on a non-blocking socket."""


class Outbox:
    """Unsent bytes and how long the oldest of them have waited."""

    __slots__ = (
        "_chunks",
        "_marked_bytes",
        "_partial_bytes",
        "own_bytes",
        "sent_bytes",
        "unsent_bytes",
        "waiting_since_s",
    )

    def __init__(self) -> None:
        self._chunks: deque[Chunk] | None = None
        self._partial_bytes = (
            0  # whole size of the first chunk, if it is sent in part and not shared
        )
        self.unsent_bytes = 0
        self.own_bytes = 0
        """Of the chunks that are not sent in full, the bytes of those that are not shared."""
        self.sent_bytes = 0
        self.waiting_since_s: float | None = None
        """Since when some unsent bytes have all been waiting; None when there are none."""
        self._marked_bytes = 0  # of these, what was queued at waiting_since_s and is not sent yet

    def put(self, chunk: bytes, now_s: float, *, is_shared: bool = False) -> None:
        """Queue a chunk; ``is_shared``: others have the same one, which is there once for all."""
        if self._chunks is None:
            self._chunks = deque()
            self._mark(len(chunk), now_s)
        self.unsent_bytes += len(chunk)
        if is_shared:
            self._chunks.append(memoryview(chunk))  # by which it is known
        else:
            self._chunks.append(chunk)
            self.own_bytes += len(chunk)

    def write(self, write: Write, now_s: float) -> None:
        """Pass on what the socket takes in one call; the rest waits for the next.

        Raises:
            OSError: the connection is broken.
        """
        if self._chunks is None:
            return
        try:
            sent = write(list(islice(self._chunks, CHUNKS_PER_WRITE)))
        except (BlockingIOError, InterruptedError):
            return
        self.sent_bytes += sent
        self.unsent_bytes -= sent
        self._marked_bytes -= sent
        self._drop(self._chunks, sent)
        if not self._chunks:
            self._chunks = self.waiting_since_s = None
        elif self._marked_bytes <= 0:
            self._mark(self.unsent_bytes, now_s)

    def _mark(self, size_bytes: int, now_s: float) -> None:
        self._marked_bytes, self.waiting_since_s = size_bytes, now_s

    def _drop(self, chunks: deque[Chunk], sent: int) -> None:
        while sent:
            first = chunks[0]
            own_bytes = len(first) if isinstance(first, bytes) else self._partial_bytes
            if sent < len(first):
                chunks[0] = memoryview(first)[sent:]
                self._partial_bytes = own_bytes
                return
            sent -= len(first)
            chunks.popleft()
            self.own_bytes -= own_bytes
            self._partial_bytes = 0
