"""Bytes that are no message, or none for us: refused as WIRE's limits say, and nothing else suffers."""

from __future__ import annotations

import random

import pytest

from actors.config import KIB, MIB
from actors.peers.messages import ConnectOutcome
from actors.tcp.messages import CloseReason
from tests.support.hostile import Arena
from tests.support.hostile_peer import GET_PEERS, HELLO, WAIT_S, Hostile, flood
from tests.support.wire_client import REGULAR, REQUEST, message

USELESS_BURST = 2_000
"""Messages of no use to anybody that a connection may send at once; the next ones, 200 a second."""
LONG_KIND = "k" * 64
"""As long as a kind may be (WIRE: limits, message)."""


# -- what ends a connection -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"\0\0\0\0",
        b"\0\0\0\0\1",
        message(3, 1, GET_PEERS),
        message(255, 1, GET_PEERS),
        message(REGULAR, 1, LONG_KIND + "k"),
        b"\0\0\0\0\1" + b"k" * 20,
        b"\0\0\0\0\1" + b"\xff" * 1000,
    ],
    ids=[
        "nothing",
        "no id",
        "half an id",
        "no kind",
        "type 3",
        "type 255",
        "kind too long",
        "kind without an end",
        "noise without an end",
    ],
)
@pytest.mark.parametrize("greeted", [False, True], ids=["before hello", "after hello"])
def test_a_frame_that_is_no_message_ends_the_connection(
    arena: Arena, body: bytes, greeted: bool
) -> None:
    peer = arena.peer() if greeted else arena.dial()
    peer.send_frame(body)
    assert peer.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.PROTOCOL) == 1)
    assert arena.messaging().malformed == 1


def test_what_stands_behind_a_broken_message_is_not_looked_at(arena: Arena) -> None:
    peer = arena.peer()
    flood(peer, [b"", message(REQUEST, 8, GET_PEERS)])
    assert peer.is_parted_with()
    assert GET_PEERS not in [each.kind for each in arena.messaging().kinds]


@pytest.mark.parametrize("size", [KIB + 1, MIB, MIB + 1, 2**32 - 1])
def test_before_the_hello_a_length_above_1_kib_ends_the_connection(arena: Arena, size: int) -> None:
    peer = arena.dial()
    peer.send_raw(size.to_bytes(4, "big"))
    assert peer.wait_closed() == b""
    arena.await_that(lambda: arena.ended(CloseReason.FRAME_TOO_LARGE) == 1)


@pytest.mark.parametrize("size", [MIB + 1, 2**32 - 1])
def test_after_the_hello_a_length_above_1_mib_ends_the_connection(arena: Arena, size: int) -> None:
    peer = arena.peer()
    peer.send_raw(size.to_bytes(4, "big"))
    assert peer.is_parted_with()
    arena.await_that(lambda: arena.ended(CloseReason.FRAME_TOO_LARGE) == 1)


def test_a_frame_of_1_mib_after_the_hello_is_taken(arena: Arena) -> None:
    peer = arena.peer()
    head = message(REGULAR, 1, "x")
    peer.send_frame(head + bytes(MIB - len(head)))
    assert peer.hears() is not None
    assert ("x", 1) in arena.messaging().unknown_kinds


@pytest.mark.parametrize("size", [64 * KIB + 1, MIB, 2**32 - 1])
def test_a_node_that_we_dial_may_not_send_more_than_64_kib_before_it_answers_our_hello(
    arena: Arena, size: int
) -> None:
    listening = arena.listen()
    outcome = arena.connect(listening.address)
    peer = listening.take()
    peer.recv_until(REQUEST, kind=HELLO)
    peer.send_raw(size.to_bytes(4, "big"))
    assert peer.is_parted_with()
    assert outcome.result(WAIT_S) is not ConnectOutcome.CONNECTED
    assert arena.ended(CloseReason.FRAME_TOO_LARGE) == 1


@pytest.mark.parametrize("seed", range(10))
def test_garbage_on_the_port_is_hung_up_on(arena: Arena, seed: int) -> None:
    generator = random.Random(seed)
    peer = arena.dial()
    peer.send_raw(b"\xff" + generator.randbytes(generator.randrange(4, 4_000)))
    assert peer.wait_closed() == b""


def test_another_protocol_on_the_port_is_hung_up_on(arena: Arena) -> None:
    for opening in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-OpenSSH\r\n"):
        peer = arena.dial()
        peer.send_raw(opening)
        assert peer.wait_closed() == b""


# -- what is ignored --------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", [REGULAR, REQUEST], ids=["regular", "request"])
def test_an_unknown_kind_is_ignored_and_counted(arena: Arena, type_: int) -> None:
    peer = arena.peer()
    peer.send_message(type_, 5, "foo:bar", b"secret")
    assert peer.hears() is not None
    assert ("foo:bar", 1) in arena.messaging().unknown_kinds
    assert arena.score_of(peer) == 0


def test_an_empty_kind_and_one_of_64_bytes_are_only_unknown(arena: Arena) -> None:
    peer = arena.peer()
    peer.send_message(REGULAR, 1, "")
    peer.send_message(REGULAR, 2, LONG_KIND)
    arena.settle(peer)
    assert dict(arena.messaging().unknown_kinds) == {"": 1, LONG_KIND: 1}


def test_a_kind_that_is_no_utf_8_is_only_unknown(arena: Arena) -> None:
    peer = arena.peer()
    peer.send_frame(b"\0\0\0\0\1\xc3\x28\xff\0payload")
    assert peer.hears() is not None
    assert arena.messaging().malformed == 0


def test_a_flood_of_invented_kinds_is_counted_in_few_counters_and_not_logged(
    arena: Arena, caplog: pytest.LogCaptureFixture
) -> None:
    peer, count = arena.peer(), 1_000
    flood(peer, (message(REGULAR, 1, f"x:{each}", b"secret") for each in range(count)))
    arena.settle(peer)
    assert len(arena.messaging().unknown_kinds) <= 65
    assert "secret" not in caplog.text
    assert len(caplog.records) < 10
    assert arena.score_of(peer) == 0


def test_who_floods_with_unknown_kinds_is_read_more_slowly_and_nobody_else_is(
    arena: Arena,
) -> None:
    peer, count = arena.peer(), 2 * USELESS_BURST
    flood(peer, (message(REGULAR, 1, "x", bytes(KIB)) for _ in range(count)))
    arena.await_that(lambda: received(arena, peer) >= USELESS_BURST)
    arena.await_that(lambda: not reading(arena, peer))
    assert received(arena, peer) < count
    for _ in range(20):
        assert arena.honest.ask(GET_PEERS) is not None
    arena.settle(peer, hurry_s=0.2)
    assert ("x", count) in arena.messaging().unknown_kinds


def received(arena: Arena, peer: Hostile) -> int:
    info = arena.connection_of(peer)
    return 0 if info is None else info.received_frames


def reading(arena: Arena, peer: Hostile) -> bool:
    info = arena.connection_of(peer)
    return info is not None and info.reading


def test_a_connection_that_ends_within_a_frame_leaves_nothing_behind(arena: Arena) -> None:
    whole = len(message(REQUEST, 1, GET_PEERS)).to_bytes(4, "big") + message(REQUEST, 1, GET_PEERS)
    for length in range(len(whole)):
        peer = arena.dial()
        peer.send_raw(whole[:length])
        if length % 2:
            peer.reset()
        else:
            peer.close()
    arena.await_connections(1)


def test_a_peer_that_resets_within_everything_at_once_harms_nobody(arena: Arena) -> None:
    def say_everything(peer: Hostile) -> None:
        for kind in (GET_PEERS, "chain:status", "chain:get_blocks", "mempool:get"):
            peer.send_message(REQUEST, 9, kind, b"0" * 64)
        for kind in ("gossip:bc:new_block", "gossip:bc:new_tx", "gossip:search:block"):
            peer.gossip(kind, b"0" * 64)
        peer.send_raw(b"\0\0\4\0half a frame")

    for _ in range(10):
        peer = arena.peer()
        say_everything(peer)
        peer.reset()
    arena.await_connections(1)
    assert arena.peers() == (arena.honest.name,)
