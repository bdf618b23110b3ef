"""Where a host is: what counts as one host, in which network it is, and from how far it can be reached.

Pure, and for all rooms: whoever limits something per host or per network asks here, so that all mean the
same. A host is an IP literal (IPv6 with or without brackets, or with a zone) or a name; no name is looked up.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

HOST_BITS_V6 = 64
"""An IPv6 customer has at least a /64, and as many addresses in it as he likes (RFC 6177)."""
NETWORK_BITS_V6 = 32
"""What one provider has, as a /16 of IPv4: more of them is what costs an attacker."""
NAME_LABELS = 2
"""Of a name, from its end: who owns a domain has all names in it."""
MAX_REMEMBERED = 4_096
"""Hosts whose place is kept: an address book and its peers, asked about at every dial; to
parse one anew takes longer than all else that is done with it. 2 MiB of the longest names.
"""

_LOCALHOST = "localhost"
_ZONE = "%"
_SITE_V6 = ip_network("fc00::/7")


class Reach(IntEnum):
    """From how far away a host can be reached."""

    NOWHERE = 0
    """No host: multicast, unspecified, reserved."""
    MACHINE = 1
    LINK = 2
    SITE = 3
    """A private network, or one that is for documents alone."""
    WORLD = 4
    """So far as is known: names are."""


class Place(NamedTuple):
    """What is known of a host by its text alone. Value."""

    key: str
    network: str
    reach: Reach


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """An IP literal without brackets and zone; IPv4 in an IPv6 dress is IPv4. None: it is a name."""
    try:
        ip = ip_address(host.strip("[]").partition(_ZONE)[0])
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip


def is_loopback(host: str) -> bool:
    """Whether all nodes of this machine share this host, so that it tells none from another."""
    return reach(host) is Reach.MACHINE


def host_key(host: str) -> str:
    """What counts as one host where a limit is per host: an IPv4 address, a name, a /64 of IPv6, except on
    this machine, link or site, where it holds many hosts of many owners.
    """
    return place_of(host).key


def network_of(host: str) -> str:
    """The network of a host, such as ``10.1.0.0/16``, ``2001:db8::/32`` or ``example.com``."""
    return place_of(host).network


def reach(host: str) -> Reach:
    """From how far away a host can be reached."""
    return place_of(host).reach


@lru_cache(maxsize=MAX_REMEMBERED)
def place_of(host: str) -> Place:
    """All of it at once: some ten microseconds, most of them for reading the literal, but for hosts met of
    late.
    """
    ip = literal(host)
    if ip is None:
        network = ".".join(host.split(".")[-NAME_LABELS:])
        return Place(host, network, Reach.MACHINE if host == _LOCALHOST else Reach.WORLD)
    if isinstance(ip, IPv4Address):
        text = str(ip)
        first, second, _, _ = text.split(".")
        return Place(text, f"{first}.{second}.0.0/16", _reach_v4(ip))
    network = str(IPv6Network((ip, NETWORK_BITS_V6), strict=False))
    is_shared = ip.is_loopback or ip.is_link_local or ip in _SITE_V6
    key = str(ip) if is_shared else str(IPv6Network((ip, HOST_BITS_V6), strict=False))
    return Place(key, network, _reach_v6(ip))


def _reach_v4(ip: IPv4Address) -> Reach:
    number = int(ip)
    for first, mask, distance in _V4:
        if number & mask == first:
            return distance
    return Reach.WORLD


def _reach_v6(ip: IPv6Address) -> Reach:
    if ip.is_loopback:
        return Reach.MACHINE
    if ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return Reach.NOWHERE
    if ip.is_link_local:
        return Reach.LINK
    return Reach.WORLD if ip.is_global else Reach.SITE


def _ranges(*networks: tuple[str, Reach]) -> tuple[tuple[int, int, Reach], ...]:
    parsed = ((ip_network(text), distance) for text, distance in networks)
    return tuple((int(net.network_address), int(net.netmask), far) for net, far in parsed)


_V4 = _ranges(
    ("127.0.0.0/8", Reach.MACHINE),
    ("10.0.0.0/8", Reach.SITE),
    ("172.16.0.0/12", Reach.SITE),
    ("192.168.0.0/16", Reach.SITE),
    ("100.64.0.0/10", Reach.SITE),
    ("169.254.0.0/16", Reach.LINK),
    ("224.0.0.0/3", Reach.NOWHERE),
    ("0.0.0.0/8", Reach.NOWHERE),
    ("192.0.0.0/24", Reach.SITE),
    ("192.0.2.0/24", Reach.SITE),
    ("198.18.0.0/15", Reach.SITE),
    ("198.51.100.0/24", Reach.SITE),
    ("203.0.113.0/24", Reach.SITE),
)
"""IANA's special addresses; of the rest all are the world's."""
