from __future__ import annotations

import os
import signal

import pytest

from admin.cli.signals import SIGNALS, Stops, watch_parent


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_to_stop(number: signal.Signals) -> None:
    stops, second = Stops(), list[int]()
    with stops.listening(on_second=lambda: second.append(1)):
        signal.raise_signal(number)
    assert stops.wait(0) == number.name
    assert second == []


def test_the_second_signal_does_not_wait() -> None:
    stops, second = Stops(), list[int]()
    with stops.listening(on_second=lambda: second.append(1)):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert second == [1]


def test_signals_are_given_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stops().listening(on_second=lambda: None):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_without_a_request_the_wait_ends_with_its_time() -> None:
    assert Stops().wait(0) is None


def test_the_end_of_the_parent_asks_to_stop() -> None:
    stops = Stops()
    read_end, write_end = os.pipe()
    watch_parent(stops, read_end, on_overdue=lambda: None)
    os.write(write_end, b"chatter")
    os.close(write_end)
    assert stops.wait(10) == "the end of the parent process"
