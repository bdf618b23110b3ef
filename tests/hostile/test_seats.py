"""Who gets a place and who loses it: floods of connections, and peers at once from both sides (WIRE: limits)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.peers.messages import ConnectOutcome
from actors.tcp.messages import CloseReason
from tests.support.chains import EASY, mine
from tests.support.hostile import Arena
from tests.support.hostile_peer import GET_PEERS, HELLO, WAIT_S, status_of
from tests.support.wire_client import REQUEST, RESPONSE

UNSAID = 8
"""Accepted connections that have not yet said hello (WIRE: limits)."""
SEATS = 8 * 4 + UNSAID - 2
"""Connections that are accepted where there may be 8 peers with 4 each, two of whom are for the node to dial."""
GRACE_S = 0.2
"""A newcomer has its seat for a tenth of a second for sure."""
MAINTAIN_S = 5.5


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Arena]:
    """At most 8 peers, from 5 on for a few seconds only; two of the places are for whom the node dials."""
    with Arena(tmp_path / "node", max_peers=4) as arena:
        yield arena


# -- strangers --------------------------------------------------------------------------------------


def test_the_ninth_stranger_who_says_no_hello_costs_the_first_his_seat(arena: Arena) -> None:
    peers = [arena.peer() for _ in range(3)]
    strangers = []
    for number in range(UNSAID + 1):
        strangers.append(arena.dial())
        arena.skip(GRACE_S)
        if number < UNSAID:
            arena.await_connections(5 + number)
    assert strangers[0].is_parted_with()
    assert arena.ended(CloseReason.EVICTED) == 1
    for each in (*peers, *strangers[1:]):
        assert each.hears() is not None


def test_a_flood_of_silent_strangers_costs_no_peer_his_place_and_keeps_no_newcomer_out(
    arena: Arena,
) -> None:
    peers = [arena.peer() for _ in range(5)]
    strangers = [arena.dial() for _ in range(60)]
    for _ in range(10):
        arena.skip(GRACE_S)
        arena.transport()
    newcomer = arena.dial()
    newcomer.send_message(REQUEST, 1, HELLO, arena.new_name().encode())
    for _ in range(60):
        arena.skip(GRACE_S)
        arena.transport()
    assert newcomer.recv_until(RESPONSE, id_=1).payload.startswith(b"\1")
    for peer in peers:
        assert peer.hears() is not None
    for stranger in strangers:
        stranger.close()


def test_many_that_dial_at_once_and_say_hello_are_all_let_in(arena: Arena) -> None:
    arena.clock.go()
    for _ in range(4):
        newcomers = [arena.dial() for _ in range(UNSAID)]
        for newcomer in newcomers:
            newcomer.send_message(REQUEST, 1, HELLO, arena.new_name().encode())
        for newcomer in newcomers:
            assert newcomer.recv_until(RESPONSE, id_=1).payload.startswith(b"\1")
    assert len(arena.peers()) == 4 * UNSAID + 1


def test_a_storm_of_connections_that_reset_at_once_leaves_nothing(arena: Arena) -> None:
    arena.clock.go()
    for _ in range(200):
        arena.dial().reset()
    arena.await_connections(1)
    assert arena.peer() is not None


# -- places -----------------------------------------------------------------------------------------


def test_full_of_peers_a_newcomer_is_turned_away_and_no_peer_is_lost(small: Arena) -> None:
    peers = [small.honest, *(small.peer() for _ in range(5))]
    assert not small.dial().greet(small.new_name()).accepted
    for peer in peers:
        assert peer.hears() is not None


def test_peers_with_as_many_connections_as_one_may_have_keep_nobody_out(small: Arena) -> None:
    """They take a place each, and leave a seat for whoever comes for one of the others."""
    for _ in range(3):
        peer = small.peer()
        for _ in range(3):
            small.peer(peer.name)
    for _ in range(2):
        assert small.peer().name in small.peers()
    assert small.transport().refused == 0


def test_full_of_rejected_dialers_a_newcomer_takes_the_seat_of_one(small: Arena) -> None:
    rejected = []
    for _ in range(SEATS - 1):
        rejected.append(small.dial())
        assert not rejected[-1].greet("nowhere").accepted
    newcomer = small.peer()
    assert rejected[0].is_parted_with()
    assert small.ended(CloseReason.EVICTED) == 1
    assert newcomer.name in small.peers()


def test_above_the_wanted_number_the_youngest_inbound_go_and_those_we_dialed_stay(
    small: Arena,
) -> None:
    dialed = [small.dialed() for _ in range(2)]
    early, *late = [small.peer() for _ in range(4)]
    small.skip(MAINTAIN_S)
    small.await_that(lambda: len(small.peers()) == 4)
    assert set(small.peers()) == {small.honest.name, early.name, *(each.name for each in dialed)}
    for each in late:
        assert each.is_parted_with()


def test_whoever_misbehaved_goes_before_the_youngest(small: Arena) -> None:
    bad = small.ours()
    bad.gossip("gossip:bc:new_block", b"no block")
    small.settle(bad)
    others = [small.peer() for _ in range(3)]
    small.skip(MAINTAIN_S)
    assert bad.is_parted_with()
    assert set(small.peers()) == {small.honest.name, *(each.name for each in others)}


def test_one_that_brings_blocks_stays_when_idle_ones_are_too_many(small: Arena) -> None:
    """Useful to us, and costly to imitate: it is protected, although it came last."""
    [small.peer() for _ in range(4)]
    helper = small.peer()
    helper.tell_block(mine(EASY, EASY.genesis.ref))
    small.settle(helper)
    small.skip(MAINTAIN_S)
    small.await_that(lambda: len(small.peers()) == 4)
    assert helper.name in small.peers()
    small.honest = helper


# -- both sides at once -----------------------------------------------------------------------------


def test_two_that_dial_each_other_at_once_are_one_peer_with_two_connections(arena: Arena) -> None:
    listening = arena.listen()
    outcome = arena.connect(listening.address)
    theirs = listening.take()
    ours = arena.dial()
    ours.send_message(REQUEST, 1, HELLO, listening.address.encode())
    assert ours.recv_until(RESPONSE, id_=1).payload.startswith(b"\1")
    theirs.answer_hello()
    assert outcome.result(WAIT_S) in {ConnectOutcome.CONNECTED, ConnectOutcome.ALREADY_CONNECTED}
    arena.settle(theirs, ours)
    info = arena.info_of(theirs)
    assert info is not None
    assert len(info.conns) == 2
    for each in (theirs, ours):
        assert each.hears() is not None


def test_the_two_connections_of_a_node_in_the_field_are_both_kept(arena: Arena) -> None:
    """It drops us if either is closed (WIRE: nodes in the field, 1)."""
    first = arena.peer()
    second = arena.peer(first.name)
    arena.skip(MAINTAIN_S)
    arena.grow()
    assert first.ask(GET_PEERS) is not None
    assert second.ask(GET_PEERS) is not None
    info = arena.info_of(first)
    assert info is not None
    assert len(info.conns) == 2


def test_a_peer_that_comes_and_goes_all_the_time_leaves_nothing_behind(arena: Arena) -> None:
    for _ in range(100):
        peer = arena.peer()
        peer.send_message(REQUEST, 2, "chain:status", status_of(EASY))
        peer.reset()
    arena.await_that(lambda: arena.peers() == (arena.honest.name,))
    assert len(arena.connections()) == 1
