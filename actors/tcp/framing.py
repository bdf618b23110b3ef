"""Frames out of a byte stream and back: a 4-byte big-endian length, then that many bytes (WIRE: frames).

Pure: bytes in, bytes out. What an over-long frame means for its connection is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

_LENGTH = Struct(">I")
HEADER_BYTES = _LENGTH.size


def enframe(messages: Sequence[bytes]) -> bytes:
    """The messages as one run of frames."""
    pack = _LENGTH.pack
    return b"".join([part for message in messages for part in (pack(len(message)), message)])


class FrameDecoder:
    """Cuts a stream into frames and keeps the unfinished rest, and no more: a length costs nothing.

    A frame above ``limit_bytes`` stops the decoder: ``oversized_bytes`` says its length, and nothing
    behind it is cut until :meth:`lift` raises the limit.
    """

    __slots__ = ("_rest", "_wanted_bytes", "limit_bytes", "oversized_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.oversized_bytes: int | None = None
        self._rest: bytearray | None = None
        self._wanted_bytes = HEADER_BYTES

    @property
    def in_frame(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._rest is not None

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes, without their headers."""
        if self._rest is not None:
            self._rest += data
            if len(self._rest) < self._wanted_bytes:
                return []  # no copy and no second look: a trickle costs what its bytes cost
            data = bytes(self._rest)
        return self._cut(data)

    def lift(self, limit_bytes: int) -> list[bytes]:
        """Raise the limit; the frames that had only waited for this."""
        self.limit_bytes = limit_bytes
        if self.oversized_bytes is None:
            return []
        self.oversized_bytes = None
        return self.feed(b"")

    def _cut(self, data: bytes) -> list[bytes]:
        frames: list[bytes] = []
        unpack, limit_bytes, append = _LENGTH.unpack_from, self.limit_bytes, frames.append
        start, end = 0, len(data)
        self._wanted_bytes = HEADER_BYTES
        while (body := start + HEADER_BYTES) <= end:
            (length,) = unpack(data, start)
            if length > limit_bytes:
                self.oversized_bytes = length
                break
            if (stop := body + length) > end:
                self._wanted_bytes = HEADER_BYTES + length
                break
            append(data[body:stop])
            start = stop
        self._rest = bytearray(data[start:]) if start < end else None
        return frames
