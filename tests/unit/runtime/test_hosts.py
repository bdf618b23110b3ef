"""What counts as one host, as one network, and who can be reached from where."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.hosts import Reach, host_key, is_loopback, network_of, reach


@pytest.mark.parametrize(
    ("host", "key", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.0.0/16"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.0.0/16"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8::/32"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64", "2001:db8::/32"),
        ("fe80::1%eth0", "fe80::1", "fe80::/32"),
        ("fd00::7", "fd00::7", "fd00::/32"),
        ("::1", "::1", "::/32"),
        ("node.example", "node.example", "node.example"),
        ("a.b.example.com", "a.b.example.com", "example.com"),
        ("node", "node", "node"),
    ],
)
def test_a_host_has_a_key_and_a_network(host: str, key: str, network: str) -> None:
    assert (host_key(host), network_of(host)) == (key, network)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", Reach.NOWHERE),
        ("0.1.2.3", Reach.NOWHERE),
        ("224.0.0.1", Reach.NOWHERE),
        ("240.0.0.1", Reach.NOWHERE),
        ("255.255.255.255", Reach.NOWHERE),
        ("::", Reach.NOWHERE),
        ("ff02::1", Reach.NOWHERE),
        ("127.0.0.1", Reach.MACHINE),
        ("127.9.9.9", Reach.MACHINE),
        ("[::1]", Reach.MACHINE),
        ("localhost", Reach.MACHINE),
        ("169.254.1.1", Reach.LINK),
        ("fe80::1%eth0", Reach.LINK),
        ("10.0.0.1", Reach.SITE),
        ("192.168.1.1", Reach.SITE),
        ("100.64.0.1", Reach.SITE),
        ("fc00::1", Reach.SITE),
        ("192.0.2.1", Reach.SITE),
        ("8.8.8.8", Reach.WORLD),
        ("2a00::1", Reach.WORLD),
        ("node.example", Reach.WORLD),
    ],
)
def test_a_host_is_reached_from_so_far(host: str, expected: Reach) -> None:
    assert reach(host) is expected
    assert is_loopback(host) is (expected is Reach.MACHINE)


@given(st.integers(0x2000, 0x3FFF), st.integers(0, 2**48 - 1), st.integers(0, 2**64 - 1))
def test_all_addresses_of_a_64_are_one_host_in_one_network(top: int, mid: int, low: int) -> None:
    first, other = IPv6Address(top << 112 | mid << 64), IPv6Address(top << 112 | mid << 64 | low)
    assert host_key(str(first)) == host_key(str(other))
    assert network_of(str(first)) == network_of(str(other))


@given(st.ip_addresses())
def test_every_literal_has_a_network(ip: object) -> None:
    assert "/" in network_of(str(ip))
