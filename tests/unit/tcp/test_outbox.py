from __future__ import annotations

import pytest

from actors.tcp.outbox import CHUNKS_PER_WRITE, Chunk, Outbox


class Wire:
    """Takes so many bytes per write, as told, and keeps them."""

    def __init__(self, *portions: int) -> None:
        self.portions = list(portions)
        self.taken = b""
        self.widest = 0

    def write(self, chunks: list[Chunk]) -> int:
        self.widest = max(self.widest, len(chunks))
        data = b"".join(chunks)
        if not self.portions:
            raise BlockingIOError
        portion = min(self.portions.pop(0), len(data))
        self.taken += data[:portion]
        return portion


def test_chunks_are_written_together_and_in_order() -> None:
    outbox, wire = Outbox(), Wire(100)
    for chunk in (b"one", b"two", b"three"):
        outbox.put(chunk, 0.0)
    assert outbox.unsent_bytes == 11
    outbox.write(wire.write, 0.0)
    assert wire.taken == b"onetwothree"
    assert (outbox.unsent_bytes, outbox.sent_bytes) == (0, 11)


def test_partial_writes_lose_and_repeat_nothing() -> None:
    outbox, wire = Outbox(), Wire(*[2] * 6)
    for chunk in (b"one", b"two", b"three"):
        outbox.put(chunk, 0.0)
    for _ in range(6):
        outbox.write(wire.write, 0.0)
    assert wire.taken == b"onetwothree"
    assert outbox.unsent_bytes == 0


def test_a_full_socket_is_not_an_error() -> None:
    outbox = Outbox()
    outbox.put(b"x", 0.0)
    outbox.write(Wire().write, 0.0)
    assert outbox.unsent_bytes == 1


def test_nothing_to_write_touches_no_socket() -> None:
    wire = Wire(1)
    Outbox().write(wire.write, 0.0)
    assert wire.portions == [1]


def test_a_write_takes_a_bounded_number_of_chunks() -> None:
    outbox, wire = Outbox(), Wire(10**6)
    for _ in range(CHUNKS_PER_WRITE + 5):
        outbox.put(b"x", 0.0)
    outbox.write(wire.write, 0.0)
    assert wire.widest == CHUNKS_PER_WRITE
    assert outbox.unsent_bytes == 5


def test_waiting_is_counted_from_the_first_unsent_byte() -> None:
    outbox = Outbox()
    assert outbox.waiting_since_s is None
    outbox.put(b"xx", 10.0)
    outbox.put(b"yy", 15.0)
    assert outbox.waiting_since_s == 10.0


def test_a_trickle_does_not_reset_the_waiting_time() -> None:
    outbox = Outbox()
    outbox.put(b"x" * 10, 10.0)
    outbox.write(Wire(3).write, 12.0)
    assert outbox.waiting_since_s == 10.0


def test_a_slow_reader_that_keeps_up_is_not_waited_for() -> None:
    outbox = Outbox()
    outbox.put(b"x" * 10, 10.0)
    outbox.put(b"y" * 10, 11.0)
    outbox.write(Wire(12).write, 12.0)
    assert outbox.waiting_since_s == 12.0
    outbox.write(Wire(8).write, 13.0)
    assert outbox.waiting_since_s is None


def test_a_broken_socket_is_reported() -> None:
    def broken(_chunks: list[Chunk]) -> int:
        raise ConnectionResetError

    outbox = Outbox()
    outbox.put(b"x", 0.0)
    with pytest.raises(ConnectionResetError):
        outbox.write(broken, 0.0)


def test_what_others_have_as_well_is_not_its_own_however_it_is_sent() -> None:
    outbox = Outbox()
    for chunk, is_shared in ((b"a" * 10, True), (b"b" * 20, False), (b"c" * 30, True)):
        outbox.put(chunk, 0.0, is_shared=is_shared)
    assert (outbox.unsent_bytes, outbox.own_bytes) == (60, 20)
    held = []
    for part in (5, 10, 5, 5, 20, 15):
        outbox.write(lambda _chunks, part=part: part, 0.0)  # type: ignore[misc]
        held.append((outbox.unsent_bytes, outbox.own_bytes))
    assert held == [(55, 20), (45, 20), (40, 20), (35, 20), (15, 0), (0, 0)]
