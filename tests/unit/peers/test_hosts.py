"""Of those whom we choose to dial few are at one host or in one network."""

from __future__ import annotations

import pytest

from actors.peers.hosts import MAX_SOUGHT_PER_HOST, MAX_SOUGHT_PER_NETWORK, Hosts


@pytest.mark.parametrize("host", ["8.8.8.8", "10.0.0.2", "node.example", "[2001:db8::7]"])
def test_a_host_is_full_with_so_many(host: str) -> None:
    hosts = Hosts([host] * (MAX_SOUGHT_PER_HOST - 1))
    assert not hosts.is_full(host)
    hosts.add(host)
    assert hosts.is_full(host)


def test_all_addresses_of_one_64_are_one_host() -> None:
    hosts = Hosts(f"[2001:db8::{n}]" for n in range(MAX_SOUGHT_PER_HOST))
    assert hosts.is_full("[2001:db8::99]")
    assert not hosts.is_full("[2001:db8:0:1::99]")


def test_a_network_is_full_with_so_many_hosts_and_the_next_one_is_not() -> None:
    hosts = Hosts(f"8.8.0.{n}" for n in range(MAX_SOUGHT_PER_NETWORK))
    assert hosts.is_full("8.8.99.99")
    assert not hosts.is_full("8.9.0.1")


def test_a_private_network_may_be_all_the_world_that_there_is() -> None:
    hosts = Hosts(f"10.1.0.{n}" for n in range(2 * MAX_SOUGHT_PER_NETWORK))
    assert not hosts.is_full("10.1.0.99")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_this_machine_is_never_full(host: str) -> None:
    assert not Hosts([host] * 99).is_full(host)
