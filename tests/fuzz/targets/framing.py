"""Frames: however a stream is cut, the same frames come out, none above the limit, and no byte is lost."""

from __future__ import annotations

from actors.tcp.framing import HEADER_BYTES, FrameDecoder, enframe
from tests.fuzz.draw import Draw

LIMITS = (1024, 0, 1, 16, 64 * 1024)
LIFTED = 1024 * 1024


def one_input(data: bytes) -> None:
    draw = Draw(data)
    limit, sizes = draw.pick(LIMITS), draw.blob()
    stream = draw.rest()
    whole, pieces = FrameDecoder(limit), FrameDecoder(limit)
    frames = whole.feed(stream)
    assert [frame for piece in cut(stream, sizes) for frame in pieces.feed(piece)] == frames
    assert (pieces.oversized_bytes, pieces.in_frame) == (whole.oversized_bytes, whole.in_frame)
    rest = stream.removeprefix(enframe(frames))
    assert len(rest) == len(stream) - sum(HEADER_BYTES + len(frame) for frame in frames)
    assert all(len(frame) <= limit for frame in frames)
    length = int.from_bytes(rest[:HEADER_BYTES], "big") if len(rest) >= HEADER_BYTES else None
    oversized = length is not None and length > limit
    assert whole.oversized_bytes == (length if oversized else None)
    assert whole.in_frame == bool(rest)
    assert frames + pieces.lift(LIFTED) == FrameDecoder(LIFTED).feed(stream) or not oversized


def cut(stream: bytes, sizes: bytes) -> list[bytes]:
    """Pieces of these sizes, then what is left."""
    pieces = []
    for size in sizes:
        pieces.append(stream[:size])
        stream = stream[size:]
    return [*pieces, stream]
