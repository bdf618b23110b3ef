"""Where every thread is, on a signal: SIGUSR1 for a node that stands still, SIGUSR2 for one that is past that.

Python runs a signal's handler on the main thread alone, which may be what hangs. So SIGUSR1 is blocked, and a
thread of its own waits for it. It needs the interpreter for a moment; SIGUSR2 does not, and tells less.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

STDERR: Final = 2
END_S: Final = 1.0
"""So long the command's end waits for a dump that is being written: nobody may be reading it."""


@contextmanager
def dumping(text: Callable[[], str]) -> Iterator[None]:
    """Write ``text()`` to stderr on SIGUSR1, and every stack as C sees it on SIGUSR2 and on a fatal signal.

    To be entered before any other thread is there: those that begin later inherit what is blocked. Never ends
    the process: a dump that fails says so instead.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    faulthandler.enable(STDERR, all_threads=True)
    faulthandler.register(signal.SIGUSR2, STDERR, all_threads=True)
    over = threading.Event()
    thread = threading.Thread(target=_wait, args=(text, over), name="troupe-dump", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        signal.pthread_kill(thread.ident or 0, signal.SIGUSR1)  # a thread of before would die of it
        thread.join(END_S)
        faulthandler.unregister(signal.SIGUSR2)
        # What nobody came to would end the process now: who ignores a signal loses what is pending of it.
        signal.signal(signal.SIGUSR1, signal.signal(signal.SIGUSR1, signal.SIG_IGN))
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(text: Callable[[], str], over: threading.Event) -> None:
    while signal.sigwait({signal.SIGUSR1}) and not over.is_set():
        _write(text)


def _write(text: Callable[[], str]) -> None:
    """Past the log, whose lock may be what a thread hangs at."""
    try:
        dump = text()
    except Exception as error:  # noqa: BLE001 - a look must not be what ends the node
        dump = f"the dump failed: {error!r}"
    left = memoryview(f"{dump}\n".encode(errors="replace"))
    try:
        while left:
            left = left[os.write(STDERR, left) :]
    except OSError:
        return  # nobody reads it
