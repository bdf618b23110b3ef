"""Dials: from ``host:port`` to a connected socket, or to the reason why not. Never blocks."""

from __future__ import annotations

import errno
import logging
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from actors.tcp.messages import CloseReason, Connect
from actors.tcp.resolver import Resolve, Resolver, is_ip
from actors.tcp.sockets import MAX_PORT, Endpoint, endpoint, tune

log = logging.getLogger(__name__)

MAX_DIALS = 64
"""At once. A node seeks 20 peers; more dials than three times that are a mistake or misuse."""


@dataclass(slots=True, eq=False)
class Dial:
    """An attempt under way; ``sock`` None while its name is being resolved."""

    token: int
    port: int
    due_s: float
    sock: socket.socket | None = None


class Dialer:
    """The attempts under way. Each ends in one call: ``on_connected`` or ``on_failed``."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        *,
        timeout_s: float,
        resolve: Resolve,
        on_resolved: Callable[[Dial, str | None], None],
        on_connected: Callable[[int, socket.socket, Endpoint], None],
        on_failed: Callable[[int, CloseReason], None],
    ) -> None:
        self._selector, self._timeout_s = selector, timeout_s
        self._on_connected, self._on_failed = on_connected, on_failed
        self._dials: set[Dial] = set()
        self._resolver = Resolver[Dial](resolve, on_resolved, self._dials.__contains__)
        self._fails = False
        """Whether the last attempt could not even begin, which was told then."""

    def __len__(self) -> int:
        """Attempts under way."""
        return len(self._dials)

    def dial(self, request: Connect, now_s: float) -> None:
        """Begin an attempt. A name is resolved elsewhere and comes back by :meth:`resolved`."""
        dial = Dial(request.token, request.port, now_s + self._timeout_s)
        if len(self._dials) >= MAX_DIALS or not 0 < request.port <= MAX_PORT:
            self._on_failed(request.token, CloseReason.REFUSED)
            return
        self._dials.add(dial)
        if is_ip(request.host):
            self.resolved(dial, request.host)
        elif not self._resolver.ask(dial, request.host):
            self._fail(dial, CloseReason.REFUSED)

    def resolved(self, dial: Dial, ip: str | None) -> None:
        """Go on with an attempt, unless it has timed out or was another incarnation's."""
        if dial not in self._dials:
            return
        if ip is None:
            self._fail(dial, CloseReason.REFUSED)
            return
        try:
            dial.sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
            tune(dial.sock)
            code = dial.sock.connect_ex((ip, dial.port))
        except OSError as error:
            if not self._fails:
                log.warning("cannot dial %s: %s", ip, error)
            self._fails = True
            self._fail(dial, CloseReason.IO_ERROR)
            return
        self._fails = False
        if code not in (0, errno.EINPROGRESS):
            self._fail(dial, CloseReason.REFUSED)
            return
        on_ready = partial(self._on_ready, dial, endpoint((ip, dial.port)))
        self._selector.register(dial.sock, selectors.EVENT_WRITE, on_ready)

    def expire(self, now_s: float) -> None:
        for dial in [dial for dial in self._dials if now_s >= dial.due_s]:
            self._fail(dial, CloseReason.CONNECT_TIMEOUT)

    def abandon(self) -> None:
        """Give up all attempts, each of which ends."""
        for dial in tuple(self._dials):
            self._fail(dial, CloseReason.IO_ERROR)
        self._resolver.close()

    def close(self) -> None:
        """Give up all attempts; nobody is told."""
        for dial in self._dials:
            if dial.sock is not None:
                dial.sock.close()
        self._dials.clear()
        self._resolver.close()

    def _on_ready(self, dial: Dial, there: Endpoint, _mask: int) -> None:
        sock = dial.sock
        if dial not in self._dials or sock is None:
            return
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or _is_itself(sock):
            self._fail(dial, CloseReason.REFUSED)
            return
        self._dials.discard(dial)
        self._selector.unregister(sock)
        self._on_connected(dial.token, sock, there)

    def _fail(self, dial: Dial, reason: CloseReason) -> None:
        self._dials.discard(dial)
        if dial.sock is not None:
            if dial.sock in self._selector.get_map():
                self._selector.unregister(dial.sock)
            dial.sock.close()
        self._on_failed(dial.token, reason)


def _is_itself(sock: socket.socket) -> bool:
    """A dial to a free local port can meet itself: the port was drawn for its own near end."""
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:
        return True  # no longer connected: of no more use than one that is its own peer
