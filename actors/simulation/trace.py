"""Everything that happens in a simulated world, in order, as lines and as one rolling hash of them.

Two runs are the same if their digests are. Numbers and names only: nothing that differs from process to
process (no id of an object, no order of a set).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol

DIGEST_BYTES = 16
CHUNK_LINES = 4_096
"""Hashed and written together: for speed."""


class LineSink(Protocol):
    """Where the lines go, if anybody wants them."""

    def write(self, text: str, /) -> object:
        """Take some lines."""


class Trace:
    """Counts and hashes events."""

    def __init__(self, sink: LineSink | None = None) -> None:
        self._sink = sink
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        self._lines: list[str] = []
        self.events = 0

    def note(self, line: str) -> None:
        """One event, without its end of line."""
        self.events += 1
        self._lines.append(line)
        if len(self._lines) >= CHUNK_LINES:
            self._flush()

    def digest(self) -> str:
        """Of all events so far, in hex."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        if not self._lines:
            return
        text = "\n".join((*self._lines, ""))
        self._lines.clear()
        self._hash.update(text.encode())
        if self._sink is not None:
            self._sink.write(text)
