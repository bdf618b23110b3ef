"""Before, in and after the hello: nothing leaks, and nobody becomes what he is not (WIRE: peers)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.peers.messages import ConnectOutcome, PeerKind
from actors.tcp.messages import CloseReason
from tests.support.chains import EASY_OTHER, mine, workless
from tests.support.hostile import SILENT_S, Arena
from tests.support.hostile_peer import (
    GET_BLOCKS,
    GET_PEERS,
    GET_POOL,
    HELLO,
    NEW_BLOCK,
    SEARCH,
    STATUS,
    WAIT_S,
    status_of,
)
from tests.support.wire_client import REGULAR, REQUEST, RESPONSE

LINGER_S = 10.0
"""WIRE: peers. So long may a rejected dialer keep its connection."""
WAITING = 64
"""Messages that may wait for the hello to be accepted."""


# -- before the hello -------------------------------------------------------------------------------


def test_whoever_said_no_hello_is_told_nothing_but_the_peer_list_he_asks_for(arena: Arena) -> None:
    stranger = arena.dial()
    (block,) = arena.grow()
    for number, kind in enumerate((STATUS, GET_BLOCKS, GET_POOL), start=1):
        stranger.send_message(REQUEST, number, kind, block.hash.hex().encode())
    stranger.gossip(SEARCH, bytes(16) + block.hash)
    arena.grow()
    assert stranger.hears() == []
    assert stranger.ask(GET_PEERS) == arena.honest.name.encode()


def test_what_a_stranger_gossips_counts_only_once_his_hello_is_accepted(arena: Arena) -> None:
    stranger = arena.dial()
    block = mine(arena.network, arena.network.genesis.ref)
    stranger.tell_block(block)
    stranger.hears()
    assert arena.tip()[0] == 0
    assert stranger.greet(arena.new_name()).accepted
    arena.await_tip(block)


def test_what_more_than_a_few_messages_say_before_the_hello_is_dropped(arena: Arena) -> None:
    stranger = arena.dial()
    for number in range(WAITING + 10):
        stranger.send_message(REGULAR, number, NEW_BLOCK, bytes(16))
    stranger.hears()
    assert arena.messaging().dropped_at_gate == 10


def test_a_crime_before_the_hello_is_no_crime_of_whom_the_hello_names_later(arena: Arena) -> None:
    """Nobody's points are given before it is known whose they are, and a gate is no hiding place."""
    stranger, name = arena.dial(), arena.new_name()
    stranger.tell_block(workless(arena.network, arena.network.genesis.ref))
    stranger.hears()
    assert arena.bans() == ()
    assert stranger.greet(name).accepted
    assert stranger.is_parted_with()
    assert arena.is_banned(stranger)


# -- the hello --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("", "nowhere", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "a b:1"),
        *(":::1", "n" * 300 + ":1", "127.0.0.1:1,127.0.0.1:2", "\0\0\0\0"),
    ],
)
def test_a_hello_without_an_address_is_rejected_at_once_and_the_connection_closed_later(
    arena: Arena, name: str
) -> None:
    stranger = arena.dial()
    answer = stranger.greet(name)
    assert not answer.accepted
    assert answer.peers == [arena.honest.name]
    arena.skip(LINGER_S)
    assert stranger.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.REJECTED) == 1)
    assert arena.bans() == ()


def test_a_hello_of_noise_is_rejected(arena: Arena) -> None:
    stranger = arena.dial()
    assert stranger.request(1, HELLO, bytes(range(256))).startswith(b"\0")


def test_a_second_hello_is_accepted_and_changes_nothing(arena: Arena) -> None:
    peer = arena.peer()
    name, other = peer.name, arena.new_name()
    assert peer.hello(other, id_=2).accepted
    assert arena.peers() == (arena.honest.name, name)
    assert other not in arena.honest.ask(GET_PEERS).decode()


def test_a_flood_of_hellos_makes_one_peer(arena: Arena) -> None:
    peer = arena.peer()
    for number in range(2, 200):
        peer.send_message(REQUEST, number, HELLO, arena.new_name().encode())
    peer.recv_until(RESPONSE, id_=199)
    assert arena.peers() == (arena.honest.name, peer.name)


def test_a_peer_has_four_connections_and_no_fifth(arena: Arena) -> None:
    first = arena.peer()
    for _ in range(3):
        assert arena.dial().greet(first.name).accepted
    assert not arena.dial().greet(first.name).accepted
    info = arena.info_of(first)
    assert info is not None
    assert len(info.conns) == 4


def test_who_says_the_name_of_a_peer_from_another_host_is_not_that_peer(arena: Arena) -> None:
    owner = arena.peer(source="127.0.0.7")
    thief = arena.dial(source="127.0.0.8")
    assert thief.greet(owner.name).accepted
    assert set(arena.peers()) == {arena.honest.name, owner.name, thief.address}
    thief.tell_block(workless(arena.network, arena.network.genesis.ref))
    assert thief.is_parted_with()
    assert owner.name in arena.peers()
    assert not arena.is_banned(owner)


# -- whom the node dials ----------------------------------------------------------------------------


def test_until_our_hello_is_answered_the_other_side_is_told_nothing_else(arena: Arena) -> None:
    listening = arena.listen()
    arena.connect(listening.address)
    peer = listening.take()
    arena.grow()
    assert [(each.kind, each.payload) for each in peer.hears()] == [
        (HELLO, arena.node.settings.peers.advertise.encode())
    ]


def test_a_hello_from_the_side_that_was_dialed_is_rejected(arena: Arena) -> None:
    listening = arena.listen()
    outcome = arena.connect(listening.address)
    peer = listening.take()
    assert not peer.greet(arena.new_name()).accepted
    assert peer.name not in arena.peers()
    peer.close()
    assert outcome.result(WAIT_S) is ConnectOutcome.NO_ANSWER


def test_a_node_that_dials_itself_notices(arena: Arena) -> None:
    own = arena.node.settings.peers.advertise
    assert arena.connect(own).result(WAIT_S) is ConnectOutcome.OURSELVES
    port = own.rpartition(":")[2]
    outcome = arena.connect(f"localhost:{port}").result(WAIT_S)
    assert outcome in {ConnectOutcome.OURSELVES, ConnectOutcome.REJECTED}
    assert arena.peers() == (arena.honest.name,)


def test_who_says_hello_with_our_own_address_is_rejected_and_not_banned(arena: Arena) -> None:
    stranger = arena.dial()
    assert not stranger.greet(arena.node.settings.peers.advertise).accepted
    assert arena.bans() == ()


# -- other networks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status",
    [
        status_of(replace(EASY_OTHER, name="easy")),
        status_of(EASY_OTHER),
        b"easy," + bytes(32).hex().encode() + b",0," + bytes(32).hex().encode() + b",x/1",
    ],
    ids=["another genesis", "another name and genesis", "no genesis"],
)
@pytest.mark.parametrize("asks", [False, True], ids=["in its answer", "in its question"])
def test_a_peer_of_another_network_is_parted_with_and_not_banned(
    arena: Arena, status: bytes, asks: bool
) -> None:
    peer = arena.peer()
    if asks:
        peer.send_message(REQUEST, 1, STATUS, status)
    else:
        peer.answer(STATUS, status)
    assert peer.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.OTHER_NETWORK) == 1)
    assert arena.bans() == ()
    assert arena.welcomes(peer.name)


@pytest.mark.parametrize(
    "status", [b"", b"easy", b"\xff" * 80, b"easy,00,0,00,x/1", b"," * 5, b"0" * 900]
)
def test_a_status_that_is_none_makes_a_peer_of_the_field_and_costs_nothing(
    arena: Arena, status: bytes
) -> None:
    peer = arena.peer()
    peer.answer(STATUS, status)
    arena.await_that(lambda: arena.kind_of(peer) is PeerKind.LEGACY)
    assert arena.score_of(peer) == 0
    assert peer.ask(STATUS, status).startswith(b"easy,")


def test_a_peer_that_never_tells_its_status_is_of_the_field_after_3_s(arena: Arena) -> None:
    peer = arena.peer()
    assert arena.kind_of(peer) is PeerKind.UNKNOWN
    assert {peer.recv_message().kind for _ in range(2)} == {STATUS, GET_POOL}
    arena.skip(SILENT_S)
    arena.await_that(lambda: arena.kind_of(peer) is PeerKind.LEGACY)
