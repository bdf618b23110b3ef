"""What the loop waits for: of each connection what it wants, and nothing else, or the selector spins."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from functools import partial

from actors.tcp.connection import Connection

OnReady = Callable[[Connection, int], None]


class Readiness:
    """Keeps a selector up to date with the connections; ``on_ready`` gets one and the events' mask."""

    def __init__(self, selector: selectors.BaseSelector, on_ready: OnReady) -> None:
        self._selector, self._on_ready = selector, on_ready

    def watch(self, connection: Connection) -> None:
        """Wait for input while it is read, and for room while it has unsent bytes."""
        wanted = (selectors.EVENT_READ if connection.reading else 0) | (
            selectors.EVENT_WRITE if connection.outbox.unsent_bytes else 0
        )
        if wanted == connection.watched:
            return
        if not wanted:
            self._selector.unregister(connection.sock)
        else:
            watch = self._selector.modify if connection.watched else self._selector.register
            watch(connection.sock, wanted, partial(self._on_ready, connection))
        connection.watched = wanted

    def forget(self, connection: Connection) -> None:
        """Before its socket is closed."""
        if connection.watched:
            self._selector.unregister(connection.sock)
