"""The simulated network: order, delays, loss, partitions, credit and deadlines, on two hosts."""

from __future__ import annotations

import random
from typing import Any

import pytest

from actors.runtime.address import Address
from actors.runtime.clock import FakeClock
from actors.runtime.mailbox import Mailbox
from actors.simulation.host import LIMITS, SimHost
from actors.simulation.network import SimNetwork, kind_of
from actors.simulation.tcp import SimTcpActor
from actors.tcp.messages import (
    Answer,
    CloseReason,
    Connect,
    Connected,
    ConnectFailed,
    ConnectionsNow,
    ConnId,
    Disconnected,
    Establish,
    FramesReceived,
    Handled,
    Idle,
    RollCall,
    Send,
)

ONE, OTHER = "10.0.0.1:9000", "10.0.0.2:9000"


class Side:
    """A host with its actor, and what its messaging room is told."""

    def __init__(self, network: SimNetwork, name: str) -> None:
        self.box = Mailbox(name, network.clock.now_s)
        messaging: Address[Any] = Address(self.box)
        self.host = SimHost(network, name, messaging)
        self.actor = SimTcpActor(self.host, messaging)

    def told(self) -> list[Any]:
        return [self.box.get()[0] for _ in range(self.box.qsize())]

    def frames(self) -> list[bytes]:
        events = [event for event in self.told() if isinstance(event, FramesReceived)]
        return [frame for event in events for frame in event.frames]


class Pair:
    """Two hosts with one connection, on which both have said hello."""

    def __init__(self, seed: int = 1, **options: Any) -> None:
        self.clock = FakeClock()
        self.network = SimNetwork(self.clock, random.Random(seed), **options)
        self.one, self.other = Side(self.network, ONE), Side(self.network, OTHER)

    def connect(self) -> ConnId:
        self.one.actor.on_receive(Connect(7, "10.0.0.2", 9000))
        self.clock.advance(1.0)
        (ours,) = self.one.told()
        (theirs,) = self.other.told()
        assert ours == Connected(ours.conn, True, OTHER, 7)
        assert theirs == Connected(theirs.conn, False, f"10.0.0.1:{20_000 + ours.conn}", None)
        for side, conn in ((self.one, ours.conn), (self.other, theirs.conn)):
            side.actor.on_receive(Establish(conn))
        return ConnId(ours.conn)


def frames(count: int) -> tuple[bytes, ...]:
    return tuple(b"\x00\x00\x00\x00%ckind\x00" % index for index in range(count))


@pytest.mark.parametrize("seed", range(5))
def test_bytes_of_a_connection_arrive_in_order(seed: int) -> None:
    pair = Pair(seed, loss=0.3)
    conn = pair.connect()
    sent = frames(40)
    for frame in sent:
        pair.one.actor.on_receive(Send((conn,), (frame,)))
        pair.clock.advance(0.01)
    pair.clock.advance(60.0)
    received = pair.other.frames()
    assert received == list(sent[: len(received)])
    assert len(received) == 40 or pair.network.broken


def test_a_lost_packet_costs_time_and_many_the_connection() -> None:
    pair = Pair(loss=1.0)
    assert pair.network.resend_s() is None
    conn = pair.connect()
    pair.one.actor.on_receive(Send((conn,), frames(1)))
    assert pair.network.broken == 1
    assert pair.one.told() == [Disconnected(conn, True, CloseReason.IO_ERROR)]
    pair.network.loss = 0.5
    waits = {pair.network.resend_s() for _ in range(200)}
    assert {0.0, 0.2, 0.2 + 0.4} <= waits


def test_a_host_sends_at_its_bandwidth() -> None:
    pair = Pair(bytes_per_s=1_000.0, min_delay_s=0.0, max_delay_s=0.0)
    conn = pair.connect()
    for _ in range(2):
        pair.one.actor.on_receive(Send((conn,), (bytes(996),)))
    pair.clock.advance(1.5)
    assert len(pair.other.frames()) == 1
    pair.clock.advance(0.6)
    assert len(pair.other.frames()) == 1


def test_a_partition_breaks_what_it_cuts_and_lets_nobody_dial_across() -> None:
    pair = Pair()
    conn = pair.connect()
    pair.network.partition({ONE: 1})
    assert pair.one.told() == [Disconnected(conn, True, CloseReason.IO_ERROR)]
    pair.one.actor.on_receive(Connect(8, "10.0.0.2", 9000))
    pair.clock.advance(1.0)
    assert pair.one.told() == [ConnectFailed(8, CloseReason.REFUSED)]
    pair.other.told()
    pair.network.heal()
    pair.connect()


def test_a_socket_whose_frames_are_not_handled_is_not_read() -> None:
    pair = Pair()
    conn = pair.connect()
    for _ in range(5):
        pair.one.actor.on_receive(Send((conn,), frames(100)))
    pair.clock.advance(5.0)
    assert len(pair.other.frames()) == 300, "read until the credit is used up"
    pair.other.actor.on_receive(Handled(ConnId(1), 40))
    assert pair.other.frames() == []
    pair.other.actor.on_receive(Handled(ConnId(1), 20))
    assert len(pair.other.frames()) == 100
    pair.other.actor.on_receive(Answer(ConnId(1), frames(100)))
    assert len(pair.other.frames()) == 100, "an answer gives credit back as well"


def test_who_sends_more_than_is_read_loses_the_connection() -> None:
    pair = Pair()
    conn = pair.connect()
    full = (bytes(1_000),) * LIMITS.credit_frames
    while pair.one.host.ends:
        pair.one.actor.on_receive(Send((conn,), full))
        pair.clock.advance(1.0)
    waiting = LIMITS.unsent_limit_bytes // (1_000 * LIMITS.credit_frames)
    assert pair.network.traffic.frames["malformed"] <= (waiting + 2) * LIMITS.credit_frames


def test_who_says_no_hello_in_time_is_gone() -> None:
    pair = Pair()
    pair.one.actor.on_receive(Connect(7, "10.0.0.2", 9000))
    pair.clock.advance(15.0)
    assert Disconnected(ConnId(1), False, CloseReason.HELLO_TIMEOUT) in pair.other.told()


def test_who_is_silent_is_asked_once_and_then_gone() -> None:
    pair = Pair()
    conn = pair.connect()
    pair.clock.advance(LIMITS.idle_s + 6.0)
    assert pair.one.told() == [Idle(conn)]
    pair.clock.advance(LIMITS.silent_s)
    reasons = {event.reason for event in pair.one.told() if isinstance(event, Disconnected)}
    assert reasons & {CloseReason.SILENT, CloseReason.REMOTE}


def test_a_fall_of_the_actor_keeps_the_connections_which_the_next_one_tells_of() -> None:
    pair = Pair()
    conn = pair.connect()
    pair.one.actor.on_crash()
    assert pair.one.host.ends
    SimTcpActor(pair.one.host, Address(pair.one.box)).on_start()
    roll = ConnectionsNow((Connected(conn, True, OTHER, 7),))
    assert pair.one.told() == [roll]
    pair.one.actor.on_receive(RollCall())
    assert pair.one.told() == [roll]


def test_a_host_of_the_old_kind_hears_no_extension() -> None:
    pair = Pair(legacy={OTHER})
    conn = pair.connect()
    extension, plain = b"\x01\x00\x00\x00\x01chain:status\x00", b"\x01\x00\x00\x00\x02p2p:hello\x00"
    pair.one.actor.on_receive(Send((conn,), (extension, plain)))
    pair.clock.advance(1.0)
    assert pair.other.frames() == [plain]


def test_kinds_are_told_apart() -> None:
    assert kind_of(b"\x01\x00\x00\x00\x01chain:status\x00abc") == "chain:status"
    assert kind_of(b"\x02\x00\x00\x00\x01\x00abc") == "response"
    assert kind_of(b"\x00\x00") == "malformed"
