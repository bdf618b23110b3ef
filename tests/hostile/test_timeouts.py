"""Peers that take their time: each of WIRE's deadlines, and what does not count against them."""

from __future__ import annotations

import socket

import pytest

from actors.config import KIB, MIB
from actors.peers.messages import ConnectOutcome
from actors.tcp.messages import CloseReason, ConnectionState
from tests.support.hostile import Arena
from tests.support.hostile_peer import GET_BLOCKS, GET_PEERS, HELLO, WAIT_S, Hostile, flood
from tests.support.wire_client import REGULAR, REQUEST, RESPONSE, frame, message

HELLO_S, FRAME_S, WRITE_S = 5.0, 20.0, 20.0
ASKED_S, GONE_S = 30.0, 90.0
"""WIRE: limits."""
SWEEP_S = 1.1
"""Deadlines are looked at once a second."""
NEARLY = 0.7
"""Of a deadline: before it nothing happens."""


def assert_still_there(arena: Arena, peer: Hostile) -> None:
    """Not even closing, although somebody has looked."""
    arena.skip(SWEEP_S)
    for _ in range(2):
        arena.transport()
    info = arena.connection_of(peer)
    assert info is not None
    assert info.state is not ConnectionState.CLOSING


def pass_time(arena: Arena, seconds: float) -> None:
    """Let time pass in steps, while the honest peer shows that it lives."""
    while seconds > 0:
        arena.skip(min(seconds, ASKED_S / 2))
        seconds -= ASKED_S / 2
        arena.honest.hears()
    arena.skip(SWEEP_S)
    arena.honest.hears()


# -- the hello --------------------------------------------------------------------------------------


@pytest.mark.parametrize("opening", [b"", b"\0\0\0", frame(message(REQUEST, 1, GET_PEERS))])
def test_whoever_says_no_hello_for_5_s_is_hung_up_on(arena: Arena, opening: bytes) -> None:
    stranger = arena.dial()
    stranger.send_raw(opening)
    arena.await_that(lambda: arena.connection_of(stranger))
    arena.skip(NEARLY * HELLO_S)
    assert_still_there(arena, stranger)
    arena.skip((1 - NEARLY) * HELLO_S)
    assert stranger.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.HELLO_TIMEOUT) == 1)


def test_questions_for_peers_do_not_put_the_hello_off(arena: Arena) -> None:
    stranger = arena.dial()
    stranger.ask(GET_PEERS)
    arena.skip(NEARLY * HELLO_S)
    stranger.ask(GET_PEERS)
    arena.skip((1 - NEARLY) * HELLO_S)
    assert stranger.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.HELLO_TIMEOUT) == 1)


def test_a_hello_that_trickles_in_is_hung_up_on_after_5_s(arena: Arena) -> None:
    stranger = arena.dial()
    arena.await_that(lambda: arena.connection_of(stranger))
    for byte in frame(message(REQUEST, 1, HELLO, b"127.0.0.1:1"))[:6]:
        stranger.send_raw(bytes([byte]))
        arena.skip(HELLO_S / 5)
    assert stranger.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.HELLO_TIMEOUT) == 1)


def test_a_dialed_node_that_never_answers_our_hello_is_given_up(arena: Arena) -> None:
    listening = arena.listen()
    outcome = arena.connect(listening.address)
    peer = listening.take()
    peer.recv_until(REQUEST, kind=HELLO)
    arena.skip(11.0)
    assert outcome.result(WAIT_S) is ConnectOutcome.NO_ANSWER
    assert peer.is_parted_with()


# -- frames -----------------------------------------------------------------------------------------


def test_a_frame_that_is_not_finished_in_20_s_ends_the_connection(arena: Arena) -> None:
    peer = arena.peer()
    peer.send_raw((100 * KIB).to_bytes(4, "big") + bytes(KIB))
    arena.settle()
    arena.skip(NEARLY * FRAME_S)
    assert_still_there(arena, peer)
    arena.skip((1 - NEARLY) * FRAME_S)
    assert peer.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.FRAME_TIMEOUT) == 1)


def test_a_trickle_of_bytes_buys_a_frame_no_more_time(arena: Arena) -> None:
    """Slowloris: a byte now and then keeps no connection."""
    peer = arena.peer()
    peer.send_raw((MIB).to_bytes(4, "big"))
    for _ in range(5):
        peer.send_raw(b"\0")
        arena.await_that(lambda: arena.connection_of(peer))
        arena.skip(FRAME_S / 5)
    assert peer.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.FRAME_TIMEOUT) == 1)


def test_frames_that_are_finished_in_time_may_come_slowly_for_ever(arena: Arena) -> None:
    peer = arena.peer()
    for _ in range(10):
        whole = frame(message(REGULAR, 1, "x"))
        peer.send_raw(whole[:5])
        arena.skip(FRAME_S / 2)
        peer.send_raw(whole[5:])
        assert peer.hears() is not None
        arena.honest.hears()


# -- writes -----------------------------------------------------------------------------------------


def test_a_peer_that_asks_and_never_reads_is_not_read_and_then_parted_with(arena: Arena) -> None:
    """What it does not read is bounded: 2 MiB, and the answers to what was in the house by then."""
    arena.grow(200)
    peer = arena.peer()
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
    locator = arena.network.genesis.hash.hex().encode()
    flood(peer, (message(REQUEST, each, GET_BLOCKS, locator) for each in range(2_000)))
    arena.await_that(lambda: _is_stuck(arena, peer))
    info = arena.connection_of(peer)
    assert info is not None
    assert info.received_frames < 2_000
    assert info.unsent_bytes < 8 * MIB
    assert arena.honest.ask(GET_PEERS) is not None
    arena.skip(WRITE_S + 1)
    arena.await_that(lambda: arena.ended(CloseReason.WRITE_TIMEOUT) == 1)


def _is_stuck(arena: Arena, peer: Hostile) -> bool:
    """Whether all that was read is dealt with, and more is not read since the answers are not."""
    info = arena.connection_of(peer)
    assert info is not None
    return not info.reading and not info.unhandled_frames and info.unsent_bytes > 2 * MIB


def test_a_peer_that_closes_its_sending_side_still_gets_its_answer(arena: Arena) -> None:
    peer = arena.peer()
    peer.send_message(REQUEST, 7, GET_PEERS)
    peer.sock.shutdown(socket.SHUT_WR)
    assert peer.recv_until(RESPONSE, id_=7).payload == arena.honest.name.encode()
    assert peer.is_parted_with()


# -- silence ----------------------------------------------------------------------------------------


def test_a_silent_peer_is_asked_after_30_s_and_gone_after_90(arena: Arena) -> None:
    peer = arena.peer()
    peer.hears()
    pass_time(arena, ASKED_S)
    asked = peer.recv_until(REQUEST, kind=GET_PEERS)
    assert asked.payload == b""
    pass_time(arena, NEARLY * (GONE_S - ASKED_S))
    assert_still_there(arena, peer)
    pass_time(arena, (1 - NEARLY) * (GONE_S - ASKED_S))
    assert peer.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.SILENT) == 1)
    assert peer.name not in arena.peers()


def test_a_peer_that_answers_stays_however_little_it_says(arena: Arena) -> None:
    peer = arena.peer()
    peer.hears()
    for _ in range(5):
        pass_time(arena, ASKED_S)
        asked = peer.recv_until(REQUEST, kind=GET_PEERS)
        peer.send_message(RESPONSE, asked.id, "")
        arena.settle(peer)
    assert peer.name in arena.peers()


def test_a_connection_that_only_half_opens_ends_as_a_stranger_does(arena: Arena) -> None:
    """Closed for reading and writing by its owner's system, which has not told us: all is silence."""
    strangers = [arena.dial() for _ in range(4)]
    arena.await_connections(5)
    arena.skip(HELLO_S + 1)
    for stranger in strangers:
        assert stranger.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.HELLO_TIMEOUT) == 4)
