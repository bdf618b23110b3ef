from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from admin.cli.signals import SIGNALS, Stops, interrupting, watch_parent


@pytest.fixture(autouse=True)
def hears_hangups() -> Iterator[None]:
    """Also where the tests themselves run under ``nohup``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_to_stop(number: signal.Signals) -> None:
    stops, second = Stops(), list[int]()
    with stops.listening(on_second=lambda: second.append(1)):
        signal.raise_signal(number)
    assert stops.wait(0) == number.name
    assert second == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_does_not_wait(number: signal.Signals) -> None:
    stops, second = Stops(), list[int]()
    with stops.listening(on_second=lambda: second.append(1)):
        signal.raise_signal(number)
        signal.raise_signal(number)
    assert second == [1]


def test_a_hangup_after_another_signal_is_not_impatient() -> None:
    stops, second = Stops(), list[int]()
    with stops.listening(on_second=lambda: second.append(1)):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGHUP):
            signal.raise_signal(number)
    assert second == []


def test_an_ignored_hangup_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stops = Stops()
    with stops.listening(on_second=lambda: None):
        signal.raise_signal(signal.SIGHUP)
        assert stops.wait(0) is None
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_signal_that_does_not_wake_the_waiting_thread_is_heard() -> None:
    stops, waits = Stops(), threading.Event()

    def interrupt() -> None:
        waits.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    other = threading.Thread(target=interrupt)
    with stops.listening(on_second=lambda: None):
        other.start()
        waits.set()
        assert stops.wait() == "SIGTERM"
    other.join()


def test_signals_are_given_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stops().listening(on_second=lambda: None):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_once_so_that_what_it_ends_can_clear_up(number: signal.Signals) -> None:
    before, cleared = signal.getsignal(number), list[bool]()

    def work() -> None:
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(signal.SIGHUP)
            cleared.append(True)

    with pytest.raises(KeyboardInterrupt), interrupting():
        work()
    assert cleared == [True]
    assert signal.getsignal(number) == before


def test_without_a_request_the_wait_ends_with_its_time() -> None:
    assert Stops().wait(0) is None


def test_the_end_of_the_parent_asks_to_stop() -> None:
    stops = Stops()
    read_end, write_end = os.pipe()
    watch_parent(stops, read_end, on_overdue=lambda: None)
    os.write(write_end, b"chatter")
    os.close(write_end)
    assert stops.wait(60) == "the end of the parent process"
