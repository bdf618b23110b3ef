"""The doorway when the system has nothing to give: it pauses, and says so once."""

from __future__ import annotations

import errno
import selectors
import socket
from typing import Any

import pytest

from actors.tcp.accepting import Doorway


class Listener:
    """A listening socket whose accept fails or succeeds as it is told."""

    def __init__(self) -> None:
        self.real = socket.create_server(("127.0.0.1", 0))
        self.accepts: list[OSError | None] = []

    def fileno(self) -> int:
        return self.real.fileno()

    def accept(self) -> tuple[object, tuple[str, int]]:
        outcome = self.accepts.pop(0) if self.accepts else BlockingIOError()
        if outcome is not None:
            raise outcome
        return object(), ("127.0.0.1", 1)


def test_a_lack_of_descriptors_is_told_once_however_long_it_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    full, listener, pauses = OSError(errno.EMFILE, "too many open files"), Listener(), list[int]()
    taken: list[object] = []

    def on_accepted(sock: Any, _sockaddr: Any) -> None:
        taken.append(sock)

    with selectors.DefaultSelector() as selector, listener.real:
        doorway = Doorway(
            listener,  # type: ignore[arg-type]
            selector,
            crowded=lambda: False,
            on_accepted=on_accepted,
            on_paused=lambda: pauses.append(1),
        )
        for attempts in ([full], [full], [None, full], [full]):
            listener.accepts = [*attempts]
            doorway.open()
            doorway._on_ready(selectors.EVENT_READ)
            assert not doorway.is_open
    assert (len(pauses), len(taken)) == (4, 1)
    assert len(caplog.messages) == 2
