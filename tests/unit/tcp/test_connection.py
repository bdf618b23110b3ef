"""One connection over a socket pair, its deadlines by numbers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from actors.config import TcpSettings
from actors.tcp.connection import HALF_CLOSE_S, UNSENT_FACTOR, Connection
from actors.tcp.framing import enframe
from actors.tcp.messages import CloseReason, ConnectionState, ConnId
from actors.tcp.sockets import Endpoint

SETTINGS = TcpSettings()
BEGAN_S = 100.0


@dataclass
class Line:
    """A connection and the peer's end of it."""

    near: Connection
    far: socket.socket
    scratch: memoryview

    def receive(self, data: bytes, now_s: float = BEGAN_S) -> CloseReason | None:
        self.far.sendall(data)
        return self.near.receive(self.scratch, now_s)

    def establish(self) -> None:
        assert self.near.establish(BEGAN_S) is None


def _line(*, initiated: bool) -> Line:
    ours, far = socket.socketpair()
    ours.setblocking(False)
    remote = Endpoint("127.0.0.1", 1)
    token = 7 if initiated else None
    near = Connection(ConnId(1), ours, remote, SETTINGS, token=token, now_s=BEGAN_S)
    near.decide_reading(BEGAN_S)
    return Line(near, far, memoryview(bytearray(65536)))


@pytest.fixture
def line() -> Iterator[Line]:
    yield from _open(initiated=False)


@pytest.fixture
def dialed() -> Iterator[Line]:
    yield from _open(initiated=True)


def _open(*, initiated: bool) -> Iterator[Line]:
    line = _line(initiated=initiated)
    yield line
    line.near.sock.close()
    line.far.close()


def _header(length: int) -> bytes:
    return length.to_bytes(4, "big")


# -- frames and their limits ----------------------------------------------------------------------


def test_frames_of_one_read_are_handed_on_together(line: Line) -> None:
    assert line.receive(enframe([b"a", b"b", b"c"])) is None
    assert line.near.hand_on(256) == (b"a", b"b", b"c")
    assert line.near.hand_on(256) == ()


@pytest.mark.parametrize("length", [1025, 65536, 2**32 - 1])
def test_a_first_frame_above_1_kib_ends_an_accepted_connection(line: Line, length: int) -> None:
    assert line.receive(_header(length)) is CloseReason.FRAME_TOO_LARGE


def test_a_first_frame_of_1_kib_is_taken_from_an_accepted_connection(line: Line) -> None:
    assert line.receive(enframe([b"x" * 1024])) is None


def test_a_first_frame_above_64_kib_ends_a_dialed_connection(dialed: Line) -> None:
    assert dialed.receive(_header(65536)) is None
    assert _line_fault(initiated=True, length=65537) is CloseReason.FRAME_TOO_LARGE


def _line_fault(*, initiated: bool, length: int) -> CloseReason | None:
    line = _line(initiated=initiated)
    fault = line.receive(_header(length))
    line.near.sock.close()
    line.far.close()
    return fault


def test_an_established_connection_may_send_1_mib_and_not_a_byte_more(line: Line) -> None:
    line.establish()
    assert line.receive(_header(1024 * 1024)) is None
    line = _line(initiated=False)
    line.establish()
    assert line.receive(_header(1024 * 1024 + 1)) is CloseReason.FRAME_TOO_LARGE
    line.near.sock.close()
    line.far.close()


def test_a_long_frame_right_behind_the_hello_waits_for_the_hello_to_be_judged(line: Line) -> None:
    block = b"x" * 5000
    assert line.receive(enframe([b"hello", block])) is None
    assert line.near.hand_on(256) == (b"hello",)
    line.near.decide_reading(BEGAN_S)
    assert not line.near.reading
    line.establish()
    assert line.near.hand_on(256) == (block,)


def test_a_long_frame_behind_what_was_no_hello_meets_a_deadline(line: Line) -> None:
    line.receive(enframe([b"no hello"]) + _header(5000))
    line.near.hello_said()
    line.near.decide_reading(BEGAN_S)
    assert line.near.overdue(BEGAN_S + 19.9) is None
    assert line.near.overdue(BEGAN_S + 20.0) is CloseReason.FRAME_TIMEOUT


def test_no_hello_makes_a_frame_above_1_mib_wait(line: Line) -> None:
    too_long = _header(1024 * 1024 + 1)
    assert line.receive(enframe([b"hello"]) + too_long) is CloseReason.FRAME_TOO_LARGE


# -- back-pressure ----------------------------------------------------------------------------------


def test_no_more_than_256_frames_are_in_the_house(line: Line) -> None:
    line.receive(enframe([b"x"] * 600))
    assert len(line.near.hand_on(256)) == 256
    line.near.decide_reading(BEGAN_S)
    assert not line.near.reading
    assert line.near.hand_on(256) == ()
    line.near.handled(128)
    assert len(line.near.hand_on(256)) == 128
    line.near.handled(256)
    assert len(line.near.hand_on(256)) == 216
    line.near.decide_reading(BEGAN_S)
    assert line.near.reading


def test_a_connection_that_does_not_read_is_not_read(line: Line) -> None:
    line.receive(enframe([b"x"]))
    line.near.outbox.put(b"y" * (SETTINGS.unsent_limit_bytes + 1), BEGAN_S)
    assert line.near.hand_on(256) == ()
    line.near.decide_reading(BEGAN_S)
    assert not line.near.reading
    assert not line.near.clogged


def test_far_above_the_unsent_limit_it_is_clogged(line: Line) -> None:
    line.near.outbox.put(b"y" * (UNSENT_FACTOR * SETTINGS.unsent_limit_bytes + 1), BEGAN_S)
    assert line.near.clogged


# -- deadlines --------------------------------------------------------------------------------------


def test_an_accepted_connection_has_5_s_to_say_hello(line: Line) -> None:
    line.receive(enframe([b"something else"]))
    assert line.near.overdue(BEGAN_S + 4.9) is None
    assert line.near.overdue(BEGAN_S + 5.0) is CloseReason.HELLO_TIMEOUT


def test_a_hello_in_time_meets_the_deadline(line: Line) -> None:
    line.near.hello_said()
    assert line.near.overdue(BEGAN_S + 5.0) is None


def test_a_dialed_connection_owes_no_hello(dialed: Line) -> None:
    assert dialed.near.overdue(BEGAN_S + 30.0) is None


def test_a_frame_is_to_be_finished_20_s_after_its_first_byte(line: Line) -> None:
    line.establish()
    line.receive(b"\0", BEGAN_S + 1)
    line.receive(b"\0\0\x01", BEGAN_S + 20)
    assert line.near.overdue(BEGAN_S + 20.9) is None
    assert line.near.overdue(BEGAN_S + 21.0) is CloseReason.FRAME_TIMEOUT


def test_each_frame_has_its_own_20_s(line: Line) -> None:
    line.establish()
    raw = enframe([b"abc"])
    line.receive(raw[:3], BEGAN_S)
    line.receive(raw[3:] + raw[:3], BEGAN_S + 15)
    assert line.near.overdue(BEGAN_S + 34.9) is None
    assert line.near.overdue(BEGAN_S + 35.0) is CloseReason.FRAME_TIMEOUT


def test_a_finished_frame_has_no_deadline(line: Line) -> None:
    line.establish()
    raw = enframe([b"abc"])
    line.receive(raw[:3], BEGAN_S)
    line.receive(raw[3:], BEGAN_S + 15)
    assert line.near.overdue(BEGAN_S + 60) is None


def test_our_own_pause_does_not_count_against_a_frame(line: Line) -> None:
    line.establish()
    line.receive(enframe([b"x"] * 256) + b"\0")
    line.near.hand_on(256)
    line.near.decide_reading(BEGAN_S)
    assert not line.near.reading
    assert line.near.overdue(BEGAN_S + 60) is None
    line.near.handled(256)
    line.near.decide_reading(BEGAN_S + 60)
    assert line.near.overdue(BEGAN_S + 79.9) is None
    assert line.near.overdue(BEGAN_S + 80) is CloseReason.FRAME_TIMEOUT


def test_a_write_is_to_be_drained_in_20_s(line: Line) -> None:
    line.establish()
    line.near.outbox.put(b"x", BEGAN_S)
    assert line.near.overdue(BEGAN_S + 19.9) is None
    assert line.near.overdue(BEGAN_S + 20.0) is CloseReason.WRITE_TIMEOUT


def test_silence_is_asked_about_once_after_30_s_and_over_after_90(line: Line) -> None:
    line.establish()
    assert not line.near.turns_idle(BEGAN_S + 29.9)
    assert line.near.turns_idle(BEGAN_S + 30.0)
    assert not line.near.turns_idle(BEGAN_S + 31.0)
    assert line.near.overdue(BEGAN_S + 89.9) is None
    assert line.near.overdue(BEGAN_S + 90.0) is CloseReason.SILENT


def test_a_sign_of_life_starts_another_idle_period(line: Line) -> None:
    line.establish()
    assert line.near.turns_idle(BEGAN_S + 30)
    line.receive(enframe([b"here"]), BEGAN_S + 31)
    assert not line.near.turns_idle(BEGAN_S + 60.9)
    assert line.near.turns_idle(BEGAN_S + 61)


def test_before_the_hello_nobody_is_asked_for_a_sign_of_life(dialed: Line) -> None:
    assert not dialed.near.turns_idle(BEGAN_S + 60)


# -- endings ----------------------------------------------------------------------------------------


def test_the_end_of_input_with_nothing_owed_finishes_the_connection(line: Line) -> None:
    line.far.close()
    assert line.near.receive(line.scratch, BEGAN_S) is None
    assert line.near.finished
    assert line.near.closing is CloseReason.REMOTE


def test_after_the_end_of_input_answers_are_still_written(line: Line) -> None:
    line.receive(enframe([b"question"]))
    line.near.hand_on(256)
    line.far.shutdown(socket.SHUT_WR)
    line.near.receive(line.scratch, BEGAN_S)
    assert not line.near.finished
    line.near.send(b"answer", 1, BEGAN_S)
    assert line.near.outbox.unsent_bytes == 6
    line.near.handled(1)
    assert not line.near.finished
    line.near.outbox.write(line.near.sock.sendmsg, BEGAN_S)
    assert line.near.finished


def test_after_the_end_of_input_answers_are_not_waited_for_long(line: Line) -> None:
    line.receive(enframe([b"question"]))
    line.near.hand_on(256)
    line.far.shutdown(socket.SHUT_WR)
    line.near.receive(line.scratch, BEGAN_S)
    assert line.near.overdue(BEGAN_S + HALF_CLOSE_S) is CloseReason.REMOTE


def test_a_close_waits_for_what_is_queued_and_takes_no_more(line: Line) -> None:
    line.near.outbox.put(b"last words", BEGAN_S)
    line.near.close(CloseReason.REJECTED, BEGAN_S)
    assert not line.near.finished
    line.near.send(b"too late", 1, BEGAN_S)
    assert (line.near.outbox.unsent_bytes, line.near.sent_frames) == (10, 0)
    line.near.decide_reading(BEGAN_S)
    assert not line.near.reading
    line.near.outbox.write(line.near.sock.sendmsg, BEGAN_S)
    assert line.near.finished


def test_the_first_reason_to_close_stays(line: Line) -> None:
    line.near.close(CloseReason.REJECTED, BEGAN_S)
    line.near.close(CloseReason.LOCAL, BEGAN_S)
    assert line.near.closing is CloseReason.REJECTED


def test_a_close_that_cannot_be_written_ends_with_its_own_reason(line: Line) -> None:
    line.near.outbox.put(b"last words", BEGAN_S)
    line.near.close(CloseReason.REJECTED, BEGAN_S)
    assert line.near.overdue(BEGAN_S + 20) is CloseReason.REJECTED


def test_a_reset_is_raised(line: Line) -> None:
    line.near.sock.close()
    with pytest.raises(OSError, match="descriptor"):
        line.near.receive(line.scratch, BEGAN_S)


def test_its_numbers_are_reported(line: Line) -> None:
    line.receive(enframe([b"abc"]), BEGAN_S + 3)
    line.near.send(b"xy", 1, BEGAN_S)
    line.near.hand_on(256)
    info = line.near.info(BEGAN_S + 5)
    assert (info.remote, info.initiated) == ("127.0.0.1:1", False)
    assert (info.age_s, info.idle_s) == (5.0, 2.0)
    assert (info.received_bytes, info.received_frames) == (7, 1)
    assert (info.sent_bytes, info.sent_frames, info.unsent_bytes) == (0, 1, 2)
    assert (info.unhandled_frames, info.reading) == (1, True)


def test_its_state_goes_from_the_greeting_to_the_end(line: Line) -> None:
    states = [line.near.state]
    line.near.establish(BEGAN_S)
    states.append(line.near.state)
    line.near.close(CloseReason.LOCAL, BEGAN_S)
    states.append(line.near.state)
    assert states == [
        ConnectionState.GREETING,
        ConnectionState.ESTABLISHED,
        ConnectionState.CLOSING,
    ]
