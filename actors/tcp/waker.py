"""How another thread ends the loop's sleep: a byte through a socket pair, written only when it helps."""

from __future__ import annotations

import contextlib
import socket


class Waker:
    """Set ``asleep`` *before* looking for letters a last time; then no letter can be missed.

    A teller posts first and looks at ``asleep`` second, the loop does the reverse: one of the two
    sees the other. ``wake`` may be called by any thread, and after :meth:`close`.
    """

    __slots__ = ("_writer", "asleep", "reader")

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)
        self.asleep = False

    def wake(self) -> None:
        if self.asleep:
            self.asleep = False
            with contextlib.suppress(OSError):  # full: it will wake anyhow; closed: nobody sleeps
                self._writer.send(b"\0")

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.reader.recv(64)

    def close(self) -> None:
        self.asleep = False
        self.reader.close()
        self._writer.close()
