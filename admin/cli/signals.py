"""How a running command learns that it is to stop: a signal, a call, or the end of its parent."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WAKE_S: Final = 0.5
"""A signal that comes just before the main thread blocks does not wake it: it looks again so often."""
ORPHAN_LIMIT_S: Final = 20.0
"""A node stops in a few seconds; one that does not must not outlive its parent for ever."""


class Stops:
    """Requests to stop, from any thread and from signal handlers (``SimpleQueue.put`` is reentrant)."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._signalled: set[int] = set()

    def request(self, why: str) -> None:
        """Ask to stop; returns at once."""
        self._requests.put(why)

    def wait(self, timeout_s: float | None = None) -> str | None:
        """Why to stop; None when nobody asked within the timeout."""
        if timeout_s is not None:
            return self._next(timeout_s)
        while (why := self._next(WAKE_S)) is None:
            pass
        return why

    def _next(self, timeout_s: float) -> str | None:
        try:
            return self._requests.get(timeout=timeout_s)
        except queue.Empty:
            return None

    @contextmanager
    def listening(self, *, on_second: Callable[[], None]) -> Iterator[None]:
        """Turn signals into requests; an interrupt or SIGTERM that is repeated calls ``on_second``.

        SIGHUP is no sign of impatience: systemd sends it after SIGTERM, and a terminal that closes may
        send it twice.
        """

        def handle(number: int, _frame: object) -> None:
            if number in self._signalled and number != signal.SIGHUP:
                on_second()
                return
            self._signalled.add(number)
            self.request(signal.Signals(number).name)

        with _handled(SIGNALS, handle):
            yield


@contextmanager
def interrupting() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what is within as an interrupt does, so that it leaves nothing behind.

    One that comes while it clears up is heard no more; an interrupt is.
    """
    heard = False

    def handle(_number: int, _frame: object) -> None:
        nonlocal heard
        if not heard:
            heard = True
            raise KeyboardInterrupt

    with _handled((signal.SIGTERM, signal.SIGHUP), handle):
        yield


@contextmanager
def _handled(
    numbers: Iterable[signal.Signals], handle: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Have signals handled, and give them back. Where SIGHUP is ignored (``nohup``) it stays so."""
    before = {
        number: signal.signal(number, handle)
        for number in numbers
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch_parent(stops: Stops, descriptor: int, *, on_overdue: Callable[[], None]) -> None:
    """Ask to stop when the other end of the pipe is closed, however its holder ended.

    ``on_overdue`` is called when the process is still there ``ORPHAN_LIMIT_S`` after that.
    """

    def watch() -> None:
        try:
            while os.read(descriptor, 1):
                pass
        except OSError:
            pass  # a broken pipe says the same
        stops.request("the end of the parent process")
        threading.Event().wait(ORPHAN_LIMIT_S)
        on_overdue()

    threading.Thread(target=watch, name="parent", daemon=True).start()
