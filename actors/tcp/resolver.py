"""Host names to IP addresses, on the one helper thread that may block for it. It only tells."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address
from typing import Generic, TypeVar

K = TypeVar("K")

MAX_QUEUED = 16
"""Names waiting behind a slow one; past that, a dial fails and its address is tried another time."""

Resolve = Callable[[str], str | None]
"""From a host name to an IP literal, or None. May block."""


def system_resolve(host: str) -> str | None:
    """Ask the system; an IPv4 address is preferred, as peer lists carry no other (WIRE: peers)."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # UnicodeError, for what is no name at all, is a ValueError
        return None
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0]) if found else None


def is_ip(host: str) -> bool:
    """Whether there is nothing to resolve."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Resolver(Generic[K]):
    """A bounded queue of names and the thread that works it off, started with the first of them."""

    def __init__(
        self,
        resolve: Resolve,
        tell: Callable[[K, str | None], None],
        is_wanted: Callable[[K], bool],
    ) -> None:
        """``is_wanted`` says, on that thread, whether somebody still waits for a name."""
        self._resolve, self._tell, self._is_wanted = resolve, tell, is_wanted
        self._names: queue.Queue[tuple[K, str] | None] = queue.Queue(MAX_QUEUED)
        self._thread: threading.Thread | None = None

    def ask(self, key: K, host: str) -> bool:
        """Have ``host`` resolved: ``tell`` gets ``key`` and the result. False when too many wait."""
        try:
            self._names.put_nowait((key, host))
        except queue.Full:
            return False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="troupe-resolver", daemon=True)
            self._thread.start()
        return True

    def close(self) -> None:
        """Let the thread end after the name it is at; it cannot be waited for."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._names.get_nowait()
        self._names.put_nowait(None)

    def _run(self) -> None:
        while (entry := self._names.get()) is not None:
            key, host = entry
            # Or names behind slow ones would wait for those that were given up.
            if self._is_wanted(key):
                self._tell(key, self._resolve(host))
