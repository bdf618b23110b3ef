"""What the log is told of refused calls."""

from __future__ import annotations

import logging

import pytest
from troupe.admin.v1 import errors_pb2

from actors.runtime.clock import FakeClock
from admin.bursts import QUIET_S, Bursts, host_of
from admin.errors import Refusal

INVALID = Refusal(errors_pb2.ERROR_REASON_TOKEN_INVALID, "it is none")
STALLED = Refusal(errors_pb2.ERROR_REASON_UPLOAD_STALLED, "it stands still")
UNKNOWN = Refusal(errors_pb2.ERROR_REASON_BLOCK_NOT_FOUND, "there is none")


def caller() -> str:
    return "ipv4:192.0.2.7:50000"


def test_a_burst_is_a_line_at_its_begin_and_a_count_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    bursts = Bursts(clock)
    with caplog.at_level(logging.DEBUG):
        for _ in range(5_000):
            bursts.note(INVALID, "/a.B/C", caller)
            clock.advance(0.001)
            bursts.look()
        assert len(caplog.records) == 1
        clock.advance(QUIET_S)
        bursts.look()
        bursts.look()
    first, last = (record.getMessage() for record in caplog.records)
    assert first == "calls are refused with TOKEN_INVALID, the first from 192.0.2.7: /a.B/C"
    assert last == "5000 calls were refused with TOKEN_INVALID in 5.0 s"


def test_one_refused_call_is_one_line_and_a_later_one_is_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    bursts = Bursts(clock)
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            bursts.note(STALLED, "/a.B/C", caller)
            clock.advance(QUIET_S)
            bursts.look()
    assert [record.getMessage() for record in caplog.records] == [
        "calls are refused with UPLOAD_STALLED, the first from 192.0.2.7: /a.B/C"
    ] * 2


def test_bursts_of_two_kinds_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    bursts = Bursts(FakeClock())
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            bursts.note(INVALID, "/a.B/C", caller)
            bursts.note(STALLED, "/a.B/C", caller)
    assert len(caplog.records) == 2


def test_what_a_user_asks_in_vain_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        Bursts(FakeClock()).note(UNKNOWN, "/a.B/C", caller)
    assert not caplog.records


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.7:50000", "192.0.2.7"),
        ("ipv6:%5B2001:db8::1%5D:50000", "[2001:db8::1]"),
        ("unknown", "unknown"),
    ],
)
def test_the_host_is_read_from_grpc_s_name_of_the_caller(peer: str, host: str) -> None:
    assert host_of(peer) == host
