"""The few things to know about TCP sockets: how ours are opened, tuned and named.

No connection's state and no actor here.
"""

from __future__ import annotations

import errno
import resource
import socket
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any

from actors.tcp.messages import CloseReason

MAX_PORT = 65_535
BACKLOG = 1_024
"""Connections that the system keeps for us while we are too busy to accept; it may allow fewer."""

OTHER_FILES = 256
"""Open files beside those of connections: the store and its readers, the admin plane's streams, processes
that mine."""

_SENTENCES = {
    errno.EADDRINUSE: "the port is in use",
    errno.EACCES: "no permission to use this port",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


class ListenError(Exception):
    """The node cannot listen where it is told to; says why in a sentence."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The other side of a connection, numerically. Value."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


def endpoint(sockaddr: tuple[Any, ...]) -> Endpoint:
    """Where a socket address points; IPv4 in an IPv6 dress is IPv4 (limits are per address)."""
    ip = ip_address(sockaddr[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return Endpoint(str(ip), int(sockaddr[1]))


def open_listener(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the system choose.

    For the composition root, which owns it: it stays open, and its port ours, while the actor that
    accepts on it is restarted.

    Raises:
        ListenError: in use, not permitted, or no address of this machine.
    """
    if not 0 <= port <= MAX_PORT:  # getaddrinfo would take it modulo 65,536
        message = f"Cannot listen on {host}:{port}: a port is a number up to {MAX_PORT}."
        raise ListenError(message)
    try:
        family, _, _, _, sockaddr = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = f"Cannot listen on {host}:{port}: {error}."
        raise ListenError(message) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(sockaddr)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        message = f"Cannot listen on {host}:{port}: {_SENTENCES.get(error.errno or 0, error)}."
        raise ListenError(message) from error
    return listener


def allow_connections(connections: int) -> None:
    """Raise how many files this process may open, if it must, to what so many connections need.

    For the composition root, before it listens: to find out with half of them is too late.

    Raises:
        ListenError: the system does not allow it.
    """
    needed = connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (ValueError, OSError) as error:  # above the hard limit, or above what the kernel knows
        message = (
            f"Cannot serve {connections} connections: this process may open {hard} files and needs "
            f"{needed}. Raise the limit (ulimit -Hn), or lower --max-peers."
        )
        raise ListenError(message) from error


def tune(sock: socket.socket) -> None:
    """Make a new connection ours: never blocking, and no waiting for more (we coalesce ourselves)."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def reason_of(error: OSError) -> CloseReason:
    """Whose end it was."""
    return CloseReason.REMOTE if isinstance(error, ConnectionError) else CloseReason.IO_ERROR
