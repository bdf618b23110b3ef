"""What all connections together may hold, by connections over socket pairs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from actors.config import TcpSettings
from actors.tcp.budget import LEAST_SHARE_BYTES, RESUMED_AT_ONCE, Budget
from actors.tcp.connection import FRAME_COST_BYTES, Connection
from actors.tcp.framing import enframe
from actors.tcp.messages import ConnId
from actors.tcp.sockets import Endpoint

KIB, MIB = 1024, 1024 * 1024
SETTINGS = TcpSettings()
SCRATCH = memoryview(bytearray(64 * KIB))


class House:
    """Connections under one budget; each far end sends without limit."""

    def __init__(self, resources: ExitStack, limit_bytes: int) -> None:
        self._resources = resources
        self.settings = replace(SETTINGS, buffer_limit_bytes=limit_bytes)
        self.budget = Budget(self.settings)
        self.far: dict[Connection, socket.socket] = {}

    def connection(self) -> Connection:
        near, far = socket.socketpair()
        near.setblocking(False)
        self._resources.callback(near.close)
        self._resources.callback(far.close)
        conn = ConnId(len(self.far))
        connection = Connection(
            conn, near, Endpoint("10.0.0.1", 1), SETTINGS, token=None, now_s=0.0
        )
        connection.establish(0.0)
        self.far[connection] = far
        return connection

    def settle(self, connection: Connection, now_s: float = 0.0) -> int:
        """As the loop does after anything happened; what may be read."""
        self.budget.count(connection)
        room_bytes = self.budget.room_for(connection)
        connection.decide_reading(now_s, room_bytes)
        return room_bytes

    def receive(self, connection: Connection, data: bytes, now_s: float = 0.0) -> int:
        """The far end sends; as much is read as there is room for. How much that is."""
        sent = 0
        while sent < len(data) and (room_bytes := self.settle(connection, now_s)):
            part = data[sent : sent + min(room_bytes, len(SCRATCH))]
            self.far[connection].sendall(part)
            assert connection.receive(SCRATCH[:room_bytes], now_s) is None
            sent += len(part)
        self.settle(connection, now_s)
        return sent


@pytest.fixture
def resources() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def begun(size_bytes: int) -> bytes:
    """A frame of 1 MiB, of which so much has come."""
    return MIB.to_bytes(4, "big") + bytes(size_bytes)


# -- what is held -----------------------------------------------------------------------------------


def test_a_connection_holds_its_unfinished_frame_what_is_unhandled_and_its_own_output(
    resources: ExitStack,
) -> None:
    house = House(resources, 64 * MIB)
    peer = house.connection()
    assert peer.held_bytes == 0
    house.receive(peer, enframe([b"x" * 100, b"y" * 50]) + begun(1_000))
    assert peer.held_bytes == 104 + 54 + 2 * FRAME_COST_BYTES + 1_004
    assert len(peer.hand_on(256)) == 2
    assert peer.held_bytes == 104 + 54 + 2 * FRAME_COST_BYTES + 1_004
    peer.handled(2)
    assert peer.held_bytes == 1_004
    peer.send(b"z" * 500, 1, 0.0)
    assert peer.held_bytes == 1_504
    assert peer.flush(0.0) is None
    assert peer.held_bytes == 1_004
    assert house.receive(peer, bytes(MIB - 1_000)) == MIB - 1_000
    peer.hand_on(256)
    peer.handled(1)
    assert peer.held_bytes == 0


def test_what_all_are_sent_costs_none_of_them(resources: ExitStack) -> None:
    house = House(resources, 64 * MIB)
    peer = house.connection()
    peer.send(b"z" * 500, 1, 0.0, is_shared=True)
    assert (peer.outbox.unsent_bytes, peer.held_bytes) == (500, 0)


def test_who_leaves_takes_along_what_it_held(resources: ExitStack) -> None:
    house = House(resources, 64 * MIB)
    peer, other = house.connection(), house.connection()
    house.receive(peer, begun(5_000))
    house.receive(other, begun(1_000))
    house.budget.leave(peer)
    assert house.budget.held_bytes == other.held_bytes == 1_004


def test_another_incarnations_budget_counts_what_is_there(resources: ExitStack) -> None:
    house = House(resources, 64 * MIB)
    peer = house.connection()
    house.receive(peer, begun(5_000))
    house.budget = Budget(house.settings, house.far)
    assert house.budget.held_bytes == 5_004
    house.budget.leave(peer)
    assert house.budget.held_bytes == 0


# -- shares -----------------------------------------------------------------------------------------


def test_eighty_connections_within_their_own_limits_meet_no_other(resources: ExitStack) -> None:
    """A 16 KiB block and 256 small frames of each, unhandled; and every one may still send a block of 1 MiB."""
    house = House(resources, SETTINGS.buffer_limit_bytes)
    peers = [house.connection() for _ in range(80)]
    usual = enframe([bytes(16 * KIB), *[bytes(200)] * 255])
    assert [house.receive(peer, usual) for peer in peers] == [len(usual)] * 80
    assert house.receive(peers[0], begun(0)) == 4
    assert house.settle(peers[0]) >= MIB


def test_frames_half_sent_by_2_000_connections_take_no_more_than_the_budget(
    resources: ExitStack,
) -> None:
    """At a hundredth of the scale; each would send 1 MiB less a byte if it could."""
    limit_bytes, senders = 2 * MIB, 200
    house = House(resources, limit_bytes)
    peers = [house.connection() for _ in range(senders)]
    for _ in range(3):
        for peer in peers:
            house.receive(peer, begun(MIB - 5) if not peer.received_bytes else bytes(64 * KIB))
    held_bytes = sum(peer.held_bytes for peer in peers)
    assert held_bytes == house.budget.held_bytes
    assert held_bytes <= limit_bytes + MIB
    assert sum(not peer.reading for peer in peers) >= senders - 1


def test_small_talk_goes_on_whatever_others_hold(resources: ExitStack) -> None:
    house = House(resources, MIB)
    for _ in range(100):
        house.receive(house.connection(), begun(MIB - 5))
    honest = house.connection()
    assert house.settle(honest) >= LEAST_SHARE_BYTES
    for _ in range(50):
        assert house.receive(honest, enframe([bytes(2_000)])) == 2_004
        assert len(honest.hand_on(256)) == 1
        honest.handled(1)


def have_all_send(house: House, senders: int) -> None:
    """A frame of 1 MiB each, of which all send a part before anybody sends the next."""
    rest = {house.connection(): begun(MIB) for _ in range(senders)}
    rounds = 0
    while rest:
        rounds += 1
        assert rounds <= 20 * senders, "they wait for each other"
        for peer in [*rest]:
            rest[peer] = rest[peer][house.receive(peer, rest[peer][: len(SCRATCH)]) :]
            if frames := peer.hand_on(256):
                assert frames == (bytes(MIB),)
                peer.handled(1)
                del rest[peer]
                house.settle(peer)


def test_where_all_send_a_large_frame_at_once_each_has_its_turn(resources: ExitStack) -> None:
    house = House(resources, 4 * MIB)
    have_all_send(house, 40)
    assert house.budget.held_bytes == 0


def test_who_is_through_keeps_nobody_from_his_turn(resources: ExitStack) -> None:
    """It may have ended its frame while there was room for all, and say nothing from then on."""
    house = House(resources, 4 * MIB)
    crowd = [house.connection() for _ in range(40)]
    for peer in crowd:
        house.receive(peer, begun(MIB - 5))
    _, last = (peer for peer in crowd if peer.held_bytes == MIB - 1)  # the first had room without
    for peer in crowd:
        if peer is not last:
            house.budget.leave(peer)
    assert house.receive(last, bytes(5)) == 5
    assert last.hand_on(256) == (bytes(MIB),)
    last.handled(1)
    house.settle(last)
    have_all_send(house, 40)
    assert house.budget.held_bytes == 0


def test_a_frame_that_is_not_finished_has_its_turn_for_20_s_and_no_longer(
    resources: ExitStack,
) -> None:
    """Room that is lent for a frame is given back: a pause for want of room does not stop its clock."""
    house = House(resources, MIB)
    peers = [house.connection() for _ in range(20)]
    for peer in peers:
        house.receive(peer, begun(MIB - 5), now_s=1.0)
    assert [peer.overdue(20.9) for peer in peers] == [None] * len(peers)
    assert all(peer.overdue(21.0) is not None for peer in peers)
    for peer in peers:
        house.budget.leave(peer)
    assert house.budget.held_bytes == 0


def test_those_that_are_paused_are_looked_at_again_in_their_order(resources: ExitStack) -> None:
    house = House(resources, MIB)
    peers = [house.connection() for _ in range(1 + 2 * RESUMED_AT_ONCE)]
    for peer in peers:
        house.receive(peer, begun(MIB - 5))
    paused = [peer for peer in peers if not peer.reading]
    assert house.budget.resume() == paused[:RESUMED_AT_ONCE]
    assert house.budget.resume() == paused[RESUMED_AT_ONCE : 2 * RESUMED_AT_ONCE]


# -- too much ---------------------------------------------------------------------------------------


def test_while_no_more_is_held_than_may_be_nobody_must_go(resources: ExitStack) -> None:
    house = House(resources, MIB)
    peer = house.connection()
    peer.send(bytes(MIB), 1, 0.0)
    house.settle(peer)
    assert house.budget.greediest(house.far) is None


def test_beyond_that_whoever_holds_most_must_go(resources: ExitStack) -> None:
    house = House(resources, MIB)
    modest, greedy, other = (house.connection() for _ in range(3))
    for peer, size_bytes in ((modest, 300_000), (greedy, 600_000), (other, 400_000)):
        peer.send(bytes(size_bytes), 1, 0.0)
        house.settle(peer)
    assert house.budget.greediest(house.far) is greedy
    house.budget.leave(greedy)
    assert house.budget.greediest(house.far) is None
