"""Where the admin server may listen: on the loopback interface, and nowhere else without TLS."""

from __future__ import annotations

import errno
import ipaddress
import socket

MAX_PORT = 65_535


class AdminBindError(ValueError):
    """The admin server cannot listen there; the text is one sentence for the user."""


def parts_of(listen: str) -> tuple[str, int]:
    """The host, without brackets, and the port of ``host:port``.

    Raises:
        AdminBindError: it is none.
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
    return bare, int(port)


def bindable(listen: str, *, tls: bool) -> str:
    """The address to bind, ``host:port``, with ``localhost`` resolved.

    Raises:
        AdminBindError: it is no ``host:port`` of an IP address, or is open to others without TLS.
    """
    host, port = parts_of(listen)
    if host == "localhost":
        return f"127.0.0.1:{port}"
    address = _ip_of(host)
    if not tls and (address is None or not address.is_loopback):
        message = (
            "without TLS the admin server listens on the loopback interface only, not on"
            f" {listen}: add --tls, or --tls-cert and --tls-key"
        )
        raise AdminBindError(message)
    if address is None:
        message = f"the admin server listens on an IP address, not on the name {host!r}"
        raise AdminBindError(message)
    return listen


def is_local(address: str) -> bool:
    """Whether an address that :func:`parts_of` accepts cannot be another machine's."""
    host, _ = parts_of(address)
    ip = _ip_of(host)
    return host == "localhost" or (ip is not None and ip.is_loopback)


def reachable(bound: str) -> str:
    """Where a client on this machine finds what is bound: 0.0.0.0 is no address to call."""
    host, port = parts_of(bound)
    ip = _ip_of(host)
    if ip is None or not ip.is_unspecified:
        return bound
    return f"[::1]:{port}" if ip.version == 6 else f"127.0.0.1:{port}"  # noqa: PLR2004 - its name


def unbound(listen: str) -> AdminBindError:
    """Why an address that :func:`bindable` passed could not be bound: gRPC does not say, the system does."""
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


def _ip_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _bare(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")
