"""Who may be connected: the seats of the house and who gives one up (WIRE: limits, "connections").

Pure: it knows connections by id and address, and neither sockets nor messages.
"""

from __future__ import annotations

from collections import Counter

from actors.config import TcpSettings
from actors.runtime.hosts import host_key, is_loopback
from actors.tcp.messages import ConnId

HELLO_GRACE_S = 0.1
"""How long an accepted connection has its seat for sure. When many peers dial at once (a whole network
starting), the hello of the last one accepted is still on its way to be read; a flood of silent ones
is let in at 80/s, and waits in the listener's backlog otherwise."""


class Admission:
    """The open connections, and which of the accepted ones are of no use yet."""

    def __init__(self, settings: TcpSettings) -> None:
        self._settings = settings
        self._open: dict[ConnId, str] = {}
        """And the host of each: of IPv6 a /64, in which one owner has all addresses."""
        self._per_host: Counter[str] = Counter()
        self._dialed: set[ConnId] = set()
        self._useless: dict[ConnId, str] = {}
        """Accepted and not established, oldest first."""
        self._unspoken: dict[ConnId, float] = {}
        """Of those, who has not yet said hello, and since when."""

    def crowded(self, now_s: float) -> bool:
        """Whether to wait before accepting: each seat for strangers is taken, and only just."""
        if len(self._unspoken) < self._settings.max_unestablished:
            return False
        return now_s - next(iter(self._unspoken.values())) < HELLO_GRACE_S

    def accept(self, conn: ConnId, ip: str, now_s: float) -> tuple[ConnId, ...] | None:
        """Seat an accepted connection. Who must go for it, or None: it is refused."""
        leaving, host = list[ConnId](), host_key(ip)
        if self._per_host[host] >= self._settings.max_per_ip and not is_loopback(ip):
            useless = next((other for other, its in self._useless.items() if its == host), None)
            if useless is None:
                return None
            leaving.append(useless)
        kept = max(0, self._settings.kept_for_dialed - len(self._dialed))
        if not self._make_room(leaving, kept):
            return None
        unspoken = [other for other in self._unspoken if other not in leaving]
        if len(unspoken) >= self._settings.max_unestablished:
            leaving.append(unspoken[0])
        self._enter(conn, ip)
        self._useless[conn] = host
        self._unspoken[conn] = now_s
        return tuple(leaving)

    def dialed(self, conn: ConnId, ip: str) -> tuple[ConnId, ...] | None:
        """Seat a connection that we dialed: only the limit of all connections holds for it."""
        leaving: list[ConnId] = []
        if not self._make_room(leaving, kept=0):
            return None
        self._enter(conn, ip)
        self._dialed.add(conn)
        return tuple(leaving)

    def adopt(
        self,
        conn: ConnId,
        ip: str,
        *,
        is_dialed: bool,
        is_established: bool,
        unspoken_s: float | None,
    ) -> None:
        """Seat a connection that had its seat before; ``unspoken_s``: since when its hello is missing."""
        self._enter(conn, ip)
        if is_dialed:
            self._dialed.add(conn)
        elif not is_established:
            self._useless[conn] = host_key(ip)
            if unspoken_s is not None:
                self._unspoken[conn] = unspoken_s

    def hello_said(self, conn: ConnId) -> None:
        self._unspoken.pop(conn, None)

    def establish(self, conn: ConnId) -> None:
        self._unspoken.pop(conn, None)
        self._useless.pop(conn, None)

    def leave(self, conn: ConnId) -> None:
        host = self._open.pop(conn)
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]
        self._dialed.discard(conn)
        self.establish(conn)

    def _make_room(self, leaving: list[ConnId], kept: int) -> bool:
        """Keep to the limit of all connections, ``kept`` seats left free; False when none is useless."""
        if len(self._open) - len(leaving) < self._settings.max_connections - kept:
            return True
        useless = next((other for other in self._useless if other not in leaving), None)
        if useless is None:
            return False
        leaving.append(useless)
        return True

    def _enter(self, conn: ConnId, ip: str) -> None:
        host = self._open[conn] = host_key(ip)
        self._per_host[host] += 1
