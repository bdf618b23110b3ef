"""The doorway: takes connections from the listening socket, in small groups, and pauses when it must."""

from __future__ import annotations

import logging
import selectors
import socket
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

ACCEPTS_PER_PASS = 16
"""A storm of connections must not keep the loop from those that it already has."""

OnAccepted = Callable[[socket.socket, tuple[Any, ...]], None]


class Doorway:
    """Accepts while it is open. The listener is not ours: it is never closed here."""

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        *,
        crowded: Callable[[], bool],
        on_accepted: OnAccepted,
        on_paused: Callable[[], None],
    ) -> None:
        self._listener, self._selector = listener, selector
        self._crowded, self._on_accepted, self._on_paused = crowded, on_accepted, on_paused
        self.is_open = False
        self._fails = False
        """Whether the last attempt failed, which was told then."""

    def open(self) -> None:
        if not self.is_open:
            self._selector.register(self._listener, selectors.EVENT_READ, self._on_ready)
            self.is_open = True

    def close(self) -> None:
        """Leave newcomers in the system's backlog."""
        if self.is_open:
            self.is_open = False
            self._selector.unregister(self._listener)

    def _on_ready(self, _mask: int) -> None:
        for _ in range(ACCEPTS_PER_PASS):
            if self._crowded():
                self._pause()
                return
            try:
                sock, sockaddr = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # it left before its turn came
            except OSError as error:  # no descriptor or no memory: trying at once would only spin
                if not self._fails:
                    log.warning("cannot accept connections for the moment: %s", error)
                self._fails = True
                self._pause()
                return
            self._fails = False
            self._on_accepted(sock, sockaddr)

    def _pause(self) -> None:
        self.close()
        self._on_paused()
