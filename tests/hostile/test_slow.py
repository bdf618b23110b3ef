"""Peers that make the node hold what it has not got room for: all together have one budget (WIRE: limits)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.config import KIB, MIB, TcpSettings
from actors.tcp.messages import CloseReason
from tests.support.hostile import Arena
from tests.support.hostile_peer import GET_PEERS, Hostile
from tests.support.wire_client import REGULAR, message

BUDGET_BYTES = 4 * MIB
FRAME_S = 20.0
PEERS = 12


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    """All connections together may make it hold 4 MiB."""
    settings = TcpSettings(buffer_limit_bytes=BUDGET_BYTES)
    with Arena(tmp_path / "node", tcp=settings) as arena:
        yield arena


def send_as_much_as_is_taken(peer: Hostile, data: bytes) -> None:
    peer.sock.setblocking(False)
    try:
        while data:
            data = data[peer.sock.send(data) :]
    except BlockingIOError:
        pass
    finally:
        peer.sock.settimeout(10.0)


def test_half_frames_of_a_mebibyte_from_everybody_stay_within_the_budget(arena: Arena) -> None:
    peers = [arena.peer() for _ in range(PEERS)]
    half = MIB.to_bytes(4, "big") + message(REGULAR, 1, "x") + bytes(900 * KIB)
    for peer in peers:
        send_as_much_as_is_taken(peer, half)
    for _ in range(20):
        assert arena.honest.ask(GET_PEERS) is not None
        assert arena.transport().held_bytes <= BUDGET_BYTES
    arena.grow(3)
    for peer in peers:
        peer.close()
    arena.await_connections(1)
    assert arena.transport().held_bytes < MIB


def test_a_frame_that_is_not_read_for_want_of_room_is_not_its_senders_fault(arena: Arena) -> None:
    """Whoever sends whole frames gets all of them read in the end."""
    peers = [arena.peer() for _ in range(PEERS)]
    head = message(REGULAR, 1, "x")
    whole = (900 * KIB).to_bytes(4, "big") + head + bytes(900 * KIB - len(head))
    for peer in peers:
        peer.frames += 1
        peer.send_raw(whole)
    arena.settle(*peers)
    assert dict(arena.messaging().unknown_kinds)["x"] == PEERS


def test_who_never_finishes_a_frame_loses_his_connection_and_the_room_is_free_again(
    arena: Arena,
) -> None:
    peers = [arena.peer() for _ in range(4)]
    for peer in peers:
        send_as_much_as_is_taken(peer, MIB.to_bytes(4, "big") + bytes(300 * KIB))
    arena.await_that(lambda: arena.transport().held_bytes > 256 * KIB)
    arena.skip(FRAME_S + 1)
    for peer in peers:
        assert peer.is_parted_with()
    arena.await_connections(1)
    assert arena.ended(CloseReason.FRAME_TIMEOUT) == 4
    assert arena.transport().held_bytes < MIB
