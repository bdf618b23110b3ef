"""The tcp actor alone: frames in and out, and the limits and deadlines of connections."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from actors.config import TcpSettings
from actors.tcp.admission import HELLO_GRACE_S
from actors.tcp.framing import enframe
from actors.tcp.messages import (
    Close,
    CloseReason,
    Connect,
    Connected,
    ConnectFailed,
    ConnectionState,
    ConnId,
    Disconnected,
    Establish,
    FramesReceived,
    Handled,
    HelloSaid,
    Idle,
    Send,
)
from actors.tcp.timers import Sweep
from tests.support.tcp_stage import LOCALHOST, TOKEN, TcpScene
from tests.support.thread_probe import Stage
from tests.support.wire_client import WireClient

MEGABYTE = b"x" * 1_000_000
MORE_THAN_THE_SYSTEM_BUFFERS = 15
"""Megabytes: the kernel takes some 4 to 10 for a client that reads nothing."""
STRANGERS = TcpSettings().max_unestablished


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.fixture
def scene(stage: Stage) -> TcpScene:
    return TcpScene(stage)


def _with(stage: Stage, **changes: Any) -> TcpScene:
    return TcpScene(stage, replace(TcpSettings(), **changes))


# -- frames in and out ------------------------------------------------------------------------------


def test_frames_come_in_and_go_out(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    with client:
        client.send_frame(b"ping")
        assert scene.frames(conn, 1) == [b"ping"]
        scene.tell(Send((conn,), (b"pong", b"")))
        assert client.recv_frame() == b"pong"
        assert client.recv_frame() == b""


def test_a_frame_may_come_byte_by_byte(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    with client:
        for byte in enframe([b"slow"]):
            client.send_raw(bytes([byte]))
        assert scene.frames(conn, 1) == [b"slow"]


def test_frames_sent_together_are_told_in_batches_and_in_order(scene: TcpScene) -> None:
    client, conn = scene.established()
    sent = [str(number).encode() for number in range(5_000)]
    with client:
        client.send_raw(enframe(sent))
        assert scene.frames(conn, len(sent)) == sent


def test_a_message_of_1_mib_passes_both_ways(scene: TcpScene) -> None:
    client, conn = scene.established()
    big = bytes(range(256)) * 4096
    with client:
        client.send_frame(big)
        assert scene.frames(conn, 1) == [big]
        scene.tell(Send((conn,), (big,)))
        assert client.recv_frame() == big


def test_one_send_reaches_many_and_skips_the_gone(scene: TcpScene) -> None:
    (one, first), (two, second) = scene.accepted(), scene.accepted()
    with one, two:
        scene.tell(Send((first, ConnId(999), second), (b"all",)))
        assert one.recv_frame() == b"all"
        assert two.recv_frame() == b"all"


def test_a_frame_above_the_early_limit_ends_the_connection(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    with client:
        client.send_raw(b"\xff\xff\xff\xff")
        assert scene.reason(conn) is CloseReason.FRAME_TOO_LARGE
        assert client.wait_closed() == b""


def test_a_long_frame_right_behind_the_hello_is_taken_once_it_is_accepted(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    with client:
        client.send_raw(enframe([b"hello", b"x" * 5_000]))
        assert scene.frames(conn, 1) == [b"hello"]
        scene.tell(HelloSaid(conn), Establish(conn))
        assert scene.frames(conn, 1) == [b"x" * 5_000]


def test_a_long_frame_waiting_for_the_hello_may_turn_out_too_long(stage: Stage) -> None:
    scene = _with(stage, frame_limit_bytes=4_000, accepted_frame_limit_bytes=3_000)
    client, conn = scene.accepted()
    with client:
        client.send_raw(enframe([b"hello"]) + (3_500).to_bytes(4, "big"))
        assert scene.frames(conn, 1) == [b"hello"]
        scene.tell(Establish(conn))
        client.send_raw(b"x" * 3_500 + (4_001).to_bytes(4, "big"))
        assert scene.reason(conn) is CloseReason.FRAME_TOO_LARGE


def test_connections_are_listed(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    with client:
        client.send_frame(b"abc")
        scene.frames(conn, 1)
        (info,) = scene.connections()
        assert (info.conn, info.remote, info.initiated) == (conn, client.address, False)
        assert (info.received_bytes, info.received_frames, info.unsent_bytes) == (7, 1, 0)


# -- back-pressure ----------------------------------------------------------------------------------


def test_without_credit_nothing_more_is_told_until_half_is_returned(scene: TcpScene) -> None:
    client, conn = scene.established()
    with client:
        client.send_raw(enframe([b"x"] * 300))
        got = 0
        while got < 256:
            got += len(scene.messaging.wait_for(FramesReceived).frames)
        assert got == 256
        assert len(scene.connections()) == 1
        assert scene.messaging.of(FramesReceived) == []
        scene.tell(Handled(conn, 128))
        assert len(scene.messaging.wait_for(FramesReceived).frames) == 44


def test_a_client_that_reads_nothing_is_not_read_and_not_kept(scene: TcpScene) -> None:
    client, conn = scene.established()
    with client:
        scene.tell(*[Send((conn,), (MEGABYTE,))] * MORE_THAN_THE_SYSTEM_BUFFERS)
        assert scene.connections()[0].unsent_bytes > TcpSettings().unsent_limit_bytes
        client.send_frame(b"unread")
        assert scene.connections()[0].received_frames == 0
        scene.push(21)
        assert scene.reason(conn) is CloseReason.WRITE_TIMEOUT


def test_a_client_that_reads_again_is_read_again(scene: TcpScene) -> None:
    client, conn = scene.established()
    with client:
        scene.tell(*[Send((conn,), (MEGABYTE,))] * MORE_THAN_THE_SYSTEM_BUFFERS)
        client.send_frame(b"read later")
        for _ in range(MORE_THAN_THE_SYSTEM_BUFFERS):
            assert client.recv_frame() == MEGABYTE
        assert scene.frames(conn, 1) == [b"read later"]


def test_far_too_much_unsent_ends_the_connection_at_once(stage: Stage) -> None:
    scene = _with(stage, unsent_limit_bytes=64 * 1024)
    client, conn = scene.established()
    with client:
        scene.tell(*[Send((conn,), (MEGABYTE,))] * MORE_THAN_THE_SYSTEM_BUFFERS)
        assert scene.reason(conn) is CloseReason.WRITE_TIMEOUT


# -- deadlines ----------------------------------------------------------------------------------------


def test_who_does_not_say_hello_in_5_s_has_to_go(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    with client:
        scene.push(5)
        assert scene.reason(conn) is CloseReason.HELLO_TIMEOUT
        client.wait_closed()


def test_who_said_hello_may_stay(scene: TcpScene) -> None:
    (client, conn), (silent, other) = scene.accepted(), scene.accepted()
    with client, silent:
        scene.tell(HelloSaid(conn))
        scene.push(6)
        assert scene.reason(other) is CloseReason.HELLO_TIMEOUT
        assert [info.conn for info in scene.connections()] == [conn]


def test_an_unfinished_frame_ends_the_connection_after_20_s(scene: TcpScene) -> None:
    client, conn = scene.established()
    with client:
        client.send_raw(enframe([b"first"]) + b"\0")
        assert scene.frames(conn, 1) == [b"first"]
        scene.push(20)
        assert scene.reason(conn) is CloseReason.FRAME_TIMEOUT


def test_a_silent_peer_is_asked_about_once_and_then_gone(scene: TcpScene) -> None:
    client, conn = scene.established()
    with client:
        assert scene.connections()[0].state is ConnectionState.ESTABLISHED
        scene.push(30)
        assert scene.messaging.wait_for(Idle) == Idle(conn)
        scene.push(60)
        assert scene.reason(conn) is CloseReason.SILENT
        assert scene.messaging.of(Idle) == []


def test_a_former_incarnations_sweep_starts_no_second_one(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    with client:
        scene.push(4)
        scene.tell(Sweep())
        assert [info.conn for info in scene.connections()] == [conn]


# -- who may connect --------------------------------------------------------------------------------


def test_the_ninth_stranger_costs_the_oldest_its_seat(scene: TcpScene) -> None:
    strangers = [scene.accepted() for _ in range(STRANGERS)]
    scene.push(HELLO_GRACE_S)
    ninth, _ = scene.accepted()
    assert scene.reason(strangers[0][1]) is CloseReason.EVICTED
    strangers[0][0].wait_closed()
    assert len(scene.connections()) == STRANGERS
    ninth.close()
    for client, _ in strangers:
        client.close()


def test_a_storm_of_peers_that_all_say_hello_costs_nobody_its_seat(scene: TcpScene) -> None:
    clients = [WireClient.connect(LOCALHOST, scene.port) for _ in range(40)]
    for _ in range(len(clients) // STRANGERS):  # no more are let in at once
        up = [scene.messaging.wait_for(Connected) for _ in range(STRANGERS)]
        scene.tell(*[HelloSaid(each.conn) for each in up])
        scene.push(HELLO_GRACE_S)
    assert len(scene.connections()) == 40
    assert scene.messaging.of(Disconnected) == []
    for client in clients:
        client.close()


def test_a_full_house_refuses(stage: Stage) -> None:
    scene = _with(stage, max_connections=2)
    (one, _), (two, second) = scene.established(), scene.established()
    with one, two, WireClient.connect(LOCALHOST, scene.port) as third:
        assert third.wait_closed() == b""
        scene.tell(Connect(TOKEN, LOCALHOST, scene.peer_port))
        refused = ConnectFailed(TOKEN, CloseReason.REFUSED)
        assert scene.messaging.wait_for(ConnectFailed) == refused
        scene.tell(Close(second, CloseReason.LOCAL))
        assert scene.reason(second) is CloseReason.LOCAL
        fourth, _ = scene.accepted()
        fourth.close()


def test_a_house_full_of_those_who_came_has_a_seat_for_one_that_we_dial(stage: Stage) -> None:
    scene = _with(stage, max_connections=2, kept_for_dialed=1)
    (one, _) = scene.established()
    with one, WireClient.connect(LOCALHOST, scene.port) as refused:
        assert refused.wait_closed() == b""
        with scene.dialed()[0]:
            assert len(scene.connections()) == 2


def test_without_descriptors_accepting_pauses_and_goes_on_later(scene: TcpScene) -> None:
    first, conn = scene.established()
    waiting = socket.socket()  # before the limit falls: it needs a descriptor of its own
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 1, hard))
        waiting.connect((LOCALHOST, scene.port))
        first.send_frame(b"still served")
        assert scene.frames(conn, 1) == [b"still served"]
        scene.await_that(lambda: not scene.transport().accepting)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    scene.push(HELLO_GRACE_S)
    with WireClient(waiting) as second, first:
        scene.messaging.wait_for(Connected, lambda event: event.remote == second.address)
