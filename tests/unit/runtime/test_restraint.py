"""Lines of the log that others can cause, and how many of them are written."""

from __future__ import annotations

import logging

import pytest

from actors.runtime.restraint import LINES_AT_ONCE, LINES_PER_S, Restraint

log = logging.getLogger(__name__)


def test_a_few_lines_are_written_as_they_come(caplog: pytest.LogCaptureFixture) -> None:
    restraint = Restraint(log)
    for number in range(LINES_AT_ONCE):
        restraint.warning(0.0, "peer %d lied", number)
    assert caplog.messages == [f"peer {number} lied" for number in range(LINES_AT_ONCE)]


def test_a_flood_is_counted_and_the_next_line_tells_how_many_were_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    restraint = Restraint(log, rate=LINES_PER_S, burst=1)
    for number in range(1_001):
        restraint.warning(0.0, "peer %d lied", number)
    restraint.warning(1 / LINES_PER_S, "peer %d lied", 5)
    restraint.warning(2 / LINES_PER_S, "peer %d lied", 6)
    assert caplog.messages == [
        "peer 0 lied",
        "peer 5 lied (and 1000 such lines left out)",
        "peer 6 lied",
    ]


def test_a_day_of_a_thousand_hosts_is_a_bounded_number_of_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    restraint, minute_s = Restraint(log), 60
    for minute in range(60):
        for number in range(1_000):
            restraint.warning(float(minute * minute_s), "host %d lied", number)
    assert len(caplog.messages) <= LINES_AT_ONCE + 3_600 * LINES_PER_S


def test_lines_that_are_no_warnings_are_bounded_alike(caplog: pytest.LogCaptureFixture) -> None:
    restraint = Restraint(log, burst=2)
    with caplog.at_level(logging.INFO):
        for number in range(9):
            restraint.info(0.0, "connection %d", number)
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]
    assert restraint.left_out == 7
