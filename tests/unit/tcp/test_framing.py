from __future__ import annotations

import random
import tracemalloc

from actors.tcp.framing import FrameDecoder, enframe

LIMIT_BYTES = 1024


def test_an_empty_frame_is_a_frame() -> None:
    assert FrameDecoder(LIMIT_BYTES).feed(b"\0\0\0\0") == [b""]


def test_frames_survive_any_cutting_of_the_stream() -> None:
    rng = random.Random(1)
    messages = [rng.randbytes(rng.randrange(40)) for _ in range(200)]
    stream, decoder, out = enframe(messages), FrameDecoder(LIMIT_BYTES), []
    while stream:
        cut = rng.randrange(1, 60)
        out += decoder.feed(stream[:cut])
        stream = stream[cut:]
    assert out == messages
    assert not decoder.in_frame


def test_a_frame_of_exactly_the_limit_passes() -> None:
    decoder = FrameDecoder(LIMIT_BYTES)
    assert decoder.feed(enframe([b"x" * LIMIT_BYTES])) == [b"x" * LIMIT_BYTES]
    assert decoder.oversized_bytes is None


def test_a_frame_above_the_limit_is_known_by_its_header_alone() -> None:
    decoder = FrameDecoder(LIMIT_BYTES)
    assert decoder.feed((LIMIT_BYTES + 1).to_bytes(4, "big")) == []
    assert decoder.oversized_bytes == LIMIT_BYTES + 1


def test_frames_in_front_of_an_over_long_one_come_out() -> None:
    decoder = FrameDecoder(LIMIT_BYTES)
    assert decoder.feed(enframe([b"a", b"b", b"x" * 2000])) == [b"a", b"b"]


def test_a_length_of_4_gib_allocates_nothing() -> None:
    tracemalloc.start()
    decoder = FrameDecoder(2**32)
    decoder.feed(b"\xff\xff\xff\xff")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert decoder.in_frame
    assert peak < 10_000


def test_lifting_the_limit_lets_the_waiting_frame_through() -> None:
    decoder = FrameDecoder(LIMIT_BYTES)
    big = b"x" * 2000
    assert decoder.feed(enframe([b"hello", big, b"next"])) == [b"hello"]
    assert decoder.lift(4000) == [big, b"next"]
    assert decoder.oversized_bytes is None


def test_lifting_the_limit_in_the_middle_of_a_frame_loses_nothing() -> None:
    decoder = FrameDecoder(LIMIT_BYTES)
    raw = enframe([b"x" * 1000])
    assert decoder.feed(raw[:500]) == []
    assert decoder.lift(4000) == []
    assert decoder.feed(raw[500:]) == [b"x" * 1000]


def test_a_limit_lifted_too_little_still_stops_the_frame() -> None:
    decoder = FrameDecoder(LIMIT_BYTES)
    decoder.feed(enframe([b"x" * 5000]))
    assert decoder.lift(4000) == []
    assert decoder.oversized_bytes == 5000
