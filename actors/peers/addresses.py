"""Addresses of peers as text: ``host:port``, alone and in lists (WIRE: peers; limits, peer list).

Lives here: which text is an address, its one canonical spelling, and the list codec. Must not live
here: what is done with an address (`book`, `table`), or any look-up of a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from itertools import islice

from actors.peers.messages import PeerId

MAX_PORT = 65_535
MAX_NAME_CHARS = 253
"""What DNS allows (RFC 1035)."""
MAX_LIST_BYTES = 64 * 1024
"""WIRE: limits, peer list. A longer one is not read at all."""
MAX_LIST_READ = 100
"""WIRE: limits, peer list. The field accepts 80 peers; what lies behind that is noise."""
MAX_LIST_SENT = 80
"""WIRE: nodes in the field, 3. What the field itself may send, it can read."""

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z._-]+)):([0-9]{1,5})")
_LABEL = re.compile(r"[0-9a-z_](?:[0-9a-z_-]{0,61}[0-9a-z_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")


def parse_address(text: str) -> PeerId | None:
    """The canonical spelling of an address, or None when the text is none.

    A host is an IPv4 literal, an IPv6 literal in brackets, or a name of at most 253 characters; the
    port is 1 to 65535. Names are lower-cased, numbers lose their leading zeros.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return None
    v6, name, digits = match.groups()
    host = _canonical_v6(v6) if v6 is not None else _canonical_name(name.lower())
    port = int(digits)
    if host is None or not 1 <= port <= MAX_PORT:
        return None
    return join_address(host, port)


def require_address(text: str) -> PeerId:
    """An address out of the settings.

    Raises:
        ValueError: the text is none; the message is for the operator.
    """
    address = parse_address(text)
    if address is None:
        message = f"{text!r} is not an address of the form host:port"
        raise ValueError(message)
    return address


def join_address(host: str, port: int) -> PeerId:
    """The address of a port at a canonical host; an IPv6 literal comes without brackets."""
    return PeerId(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def split_address(address: PeerId) -> tuple[str, int]:
    """Host and port of an address; an IPv6 literal loses its brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def host_of(address: str) -> str:
    """The host of an address or of a socket's other end; an IPv6 literal keeps its brackets."""
    return address.rpartition(":")[0]


def read_peer_list(payload: bytes) -> tuple[PeerId, ...]:
    """The addresses in a peer list, each once; an entry that is none is left out."""
    if len(payload) > MAX_LIST_BYTES:
        return ()
    entries = payload.split(b",", MAX_LIST_READ)[:MAX_LIST_READ]
    parsed = (parse_address(entry.decode("ascii", "replace")) for entry in entries)
    return tuple(dict.fromkeys(address for address in parsed if address is not None))


def is_peer_list(payload: bytes) -> bool:
    """Whether every entry that there is time to read is an address, as in any list of ours."""
    if not payload:
        return True
    entries = payload.split(b",", MAX_LIST_READ)[:MAX_LIST_READ]
    return len(payload) <= MAX_LIST_BYTES and all(
        parse_address(entry.decode("ascii", "replace")) is not None for entry in entries
    )


def write_peer_list(addresses: Iterable[PeerId]) -> bytes:
    """A peer list that the field can read: no IPv6 literal, since it splits on the colon."""
    readable = (address for address in addresses if not address.startswith("["))
    return ",".join(islice(readable, MAX_LIST_SENT)).encode("ascii")


def _canonical_v6(literal: str) -> str | None:
    try:
        return str(IPv6Address(literal))
    except AddressValueError:
        return None


def _canonical_name(host: str) -> str | None:
    """An IPv4 literal or a name. What ends in a number is a literal or nothing (``127.1`` is a name to
    nobody, yet many resolvers take it for one of ours).
    """
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            return None
    if len(host) > MAX_NAME_CHARS or not all(map(_LABEL.fullmatch, labels)):
        return None
    return host
