"""Poisoned address books: whatever lists say, few of it is kept, none of it is ours, and nobody is called that
is not wanted (WIRE: limits, peer list).

The node has the peers that it wants, and so dials nobody of whom it is told here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.peers.messages import AddressSource, KnownAddress, ListAddresses
from tests.support.hostile import Arena
from tests.support.hostile_peer import GET_PEERS, WAIT_S, Hostile
from tests.support.wire_client import REQUEST, RESPONSE

READ = 100
"""Entries of a list that are read."""
MALFORMED = 5
"""Points, for one of ours."""
IDLE_S = 16.0
DIALED: list[Hostile] = []
"""Of the arena in use."""


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    """One that wants three peers that it dialed, and has them: it seeks no more."""
    with Arena(tmp_path / "node", max_peers=6) as arena:
        DIALED[:] = [arena.dialed() for _ in range(3)]
        yield arena


def book(arena: Arena) -> tuple[KnownAddress, ...]:
    return arena.ask(arena.addresses.peers, ListAddresses())


def told(arena: Arena) -> set[str]:
    """The addresses that are known from a list alone."""
    return {each.address for each in book(arena) if each.source is AddressSource.PEER_LIST}


def tell(arena: Arena, peer: Hostile, payload: bytes) -> None:
    """Answer the node's question for peers, which it asks whoever is silent."""
    for _ in range(2):
        arena.skip(IDLE_S)
        for living in (arena.honest, *DIALED):
            living.hears()
    question = peer.recv_until(REQUEST, kind=GET_PEERS)
    peer.send_message(RESPONSE, question.id, "", payload)
    arena.settle(peer)


def addresses(count: int) -> list[str]:
    """Of so many networks; nobody is there."""
    return [f"{11 + each // 250}.{each % 250}.3.4:9000" for each in range(count)]


def test_of_a_long_list_a_hundred_entries_are_read(arena: Arena) -> None:
    peer, listed = arena.peer(), addresses(500)
    tell(arena, peer, ",".join(listed).encode())
    assert 0 < len(told(arena)) <= READ
    assert told(arena) <= set(listed[:READ])


def test_a_list_above_64_kib_is_not_read_at_all(arena: Arena) -> None:
    peer = arena.peer()
    tell(arena, peer, ",".join(addresses(4_500)).encode().ljust(70_000, b","))
    assert told(arena) == set()


def test_what_is_no_address_is_left_out_and_the_rest_is_kept(arena: Arena) -> None:
    peer = arena.peer()
    bad = [
        *("", "nowhere", ":1", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3:5"),
        *(
            "256.1.1.1:5",
            "a b:5",
            "a" * 254 + ":5",
            "\xff\xff:5",
            "0x7f000001:5",
            "[::1:5",
            "::1:5",
        ),
        *("1.2.3.4:5:6", "-a.test:5", "1.2.3.4:+5", "\N{FULLWIDTH DIGIT ONE}.2.3.4:5"),
    ]
    tell(arena, peer, ",".join([*bad, "12.34.56.78:9000", *bad]).encode())
    assert told(arena) == {"12.34.56.78:9000"}


def test_our_own_address_is_never_news(arena: Arena) -> None:
    peer = arena.peer()
    own = arena.node.settings.peers.advertise
    tell(arena, peer, f"{own},{own},{own}".encode())
    assert own not in {each.address for each in book(arena)}


@pytest.mark.parametrize("payload", [b"noise", b"\xff" * 500, b",", b"1.2.3.4:5,", bytes(70_000)])
def test_a_malformed_list_costs_one_of_ours_5_points_and_the_field_nothing(
    arena: Arena, payload: bytes
) -> None:
    ours, unknown = arena.ours(), arena.peer()
    tell(arena, ours, payload)
    question = unknown.recv_until(REQUEST, kind=GET_PEERS)
    unknown.send_message(RESPONSE, question.id, "", payload)
    arena.settle(unknown)
    assert arena.score_of(ours) == MALFORMED
    assert arena.score_of(unknown) == 0


def test_a_list_that_nobody_asked_for_is_not_read(arena: Arena) -> None:
    peer = arena.peer()
    peer.send_message(RESPONSE, 77, "", ",".join(addresses(10)).encode())
    arena.settle(peer)
    assert told(arena) == set()


def test_a_peer_that_tells_hundreds_again_and_again_does_not_fill_the_book(arena: Arena) -> None:
    """Of one source, and of one part of the network, only so much is kept."""
    peer, everything = arena.peer(), addresses(600)
    for start in range(0, len(everything), READ):
        tell(arena, peer, ",".join(everything[start : start + READ]).encode())
    assert len(book(arena)) < 400


def test_one_host_with_many_ports_takes_few_places(arena: Arena) -> None:
    peer = arena.peer()
    tell(arena, peer, ",".join(f"44.55.66.77:{port}" for port in range(1, READ + 1)).encode())
    assert len(told(arena)) < READ // 2


def test_one_part_of_the_network_takes_few_places(arena: Arena) -> None:
    """A hundred hosts of one /16 are one who has rented it."""
    peer = arena.peer()
    for block in range(3):
        hosts = (f"44.55.{block}.{host}:9000" for host in range(1, READ + 1))
        tell(arena, peer, ",".join(hosts).encode())
    assert len(told(arena)) <= arena.node.settings.peers.known_addresses // 8


def test_news_displace_nobody_who_has_proved_to_be_there(arena: Arena) -> None:
    proven = {each.address for each in book(arena) if each.last_success_s is not None}
    assert proven
    peer = arena.peer()
    for start in range(0, 1_200, READ):
        tell(arena, peer, ",".join(addresses(start + READ)[start:]).encode())
    assert proven <= {each.address for each in book(arena)}


def test_what_was_told_is_known_after_a_restart_within_the_same_bounds(arena: Arena) -> None:
    peer = arena.peer()
    tell(arena, peer, ",".join(addresses(20)).encode())
    before = told(arena)
    assert before
    arena.restart()
    assert told(arena) <= before


def test_a_dialed_node_that_rejects_us_can_tell_no_more_than_any_other(arena: Arena) -> None:
    listening = arena.listen()
    outcome = arena.connect(listening.address)
    peer = listening.take()
    peer.answer_hello(*addresses(500), accept=False)
    outcome.result(WAIT_S)
    assert len(told(arena)) <= READ
    assert peer.is_parted_with()
