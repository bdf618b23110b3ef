"""Where the admin server may listen: on the loopback interface, and nowhere else without TLS."""

from __future__ import annotations

import ipaddress

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
    bare = host.removeprefix("[").removesuffix("]")
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
