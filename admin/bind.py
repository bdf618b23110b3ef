"""Where the admin server may listen: on the loopback interface, and nowhere else without TLS."""

from __future__ import annotations

import errno
import ipaddress
import socket

MAX_PORT = 65_535


class AdminBindError(ValueError):
    """The admin server cannot listen there; the text is one sentence for the user."""


def loopback(listen: str) -> str:
    """The address to bind, ``host:port``, with ``localhost`` resolved.

    Raises:
        AdminBindError: it is no ``host:port``, or not on the loopback interface.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > MAX_PORT:
        message = f"the admin address must be host:port, not {listen!r}"
        raise AdminBindError(message)
    bare = _bare(host)
    if host != (f"[{bare}]" if ":" in bare else bare):
        message = (
            f"an IPv6 address, and no other, is written in brackets: [::1]:{port}, not {listen!r}"
        )
        raise AdminBindError(message)
    if bare == "localhost":
        return f"127.0.0.1:{port}"
    try:
        is_loopback = ipaddress.ip_address(bare).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        message = f"the admin server listens on the loopback interface only, not on {listen}"
        raise AdminBindError(message)
    return listen


def unbound(listen: str) -> AdminBindError:
    """Why an address that :func:`loopback` passed could not be bound: gRPC does not say, the system does."""
    host, _, port = listen.rpartition(":")
    reason = "the system does not say why"
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((_bare(host), int(port)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return AdminBindError(
                f"the admin address {listen} is in use: is another node running on it?"
            )
        reason = error.strerror or str(error)
    return AdminBindError(f"the admin address {listen} cannot be bound: {reason}")


def _bare(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")
