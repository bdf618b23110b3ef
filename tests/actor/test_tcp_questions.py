"""What the tcp actor says of itself, and the one order that people give it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from actors.config import TcpSettings
from actors.runtime.address import Address, Ask
from actors.tcp.framing import enframe
from actors.tcp.messages import (
    CloseConnection,
    CloseReason,
    Connect,
    ConnectFailed,
    ConnectionState,
    ConnId,
    Disconnected,
    GetTransport,
    Send,
    TransportInfo,
)
from tests.support.tcp_stage import LOCALHOST, TOKEN, TcpScene
from tests.support.thread_probe import TIMEOUT_S, Stage
from tests.support.wire_client import WireClient


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


def ask(scene: TcpScene, question: Ask[Any]) -> Any:
    return Address[Any].ask(scene.me, question, timeout_s=TIMEOUT_S)


def transport(scene: TcpScene) -> TransportInfo:
    info = ask(scene, GetTransport())
    assert isinstance(info, TransportInfo)
    return info


def test_a_room_without_connections_tells_its_limits(stage: Stage) -> None:
    settings = replace(TcpSettings(), max_connections=7)
    info = transport(TcpScene(stage, settings))
    assert info.limits == settings
    assert (info.connections, info.dialing, info.accepting) == ((), 0, True)
    assert (info.accepted, info.dialed, info.refused, info.failed_dials) == (0, 0, 0, 0)
    assert info.ended == ()


def test_connections_are_counted_by_how_they_came_and_how_far_they_are(stage: Stage) -> None:
    scene = TcpScene(stage)
    with scene.established()[0], scene.accepted()[0], scene.dialed()[0]:
        info = transport(scene)
    assert (info.accepted, info.dialed) == (2, 1)
    assert dict(info.connections) == {
        ConnectionState.GREETING: 2,
        ConnectionState.ESTABLISHED: 1,
    }


def test_what_passed_is_counted_also_of_connections_that_are_gone(stage: Stage) -> None:
    scene = TcpScene(stage)
    (one, first), (two, second) = scene.established(), scene.established()
    with one, two:
        for client, conn in ((one, first), (two, second)):
            client.send_raw(enframe([b"abc", b"d"]))
            scene.frames(conn, 2)
        scene.tell(Send((first, second), (b"x",)))
        assert one.recv_frame() == two.recv_frame() == b"x"
        before = transport(scene)
        assert ask(scene, CloseConnection(first))
        assert scene.reason(first) is CloseReason.LOCAL
        after = transport(scene)
    for info in (before, after):
        assert (info.received_bytes, info.received_frames) == (24, 4)
        assert (info.sent_bytes, info.sent_frames, info.unsent_bytes) == (10, 2, 0)
    assert (before.ended, after.ended) == ((), ((CloseReason.LOCAL, 1),))


def test_who_gets_no_seat_is_counted_as_refused(stage: Stage) -> None:
    scene = TcpScene(stage, replace(TcpSettings(), max_connections=1))
    with scene.established()[0], WireClient.connect(LOCALHOST, scene.port) as refused:
        assert refused.wait_closed() == b""
        info = transport(scene)
    assert (info.accepted, info.refused) == (1, 1)


def test_who_makes_room_for_another_is_counted_as_evicted(stage: Stage) -> None:
    scene = TcpScene(stage, replace(TcpSettings(), max_connections=1))
    (one, first), (two, _) = scene.accepted(), scene.accepted()
    with one, two:
        assert scene.reason(first) is CloseReason.EVICTED
        assert transport(scene).ended == ((CloseReason.EVICTED, 1),)


def test_a_dial_that_comes_to_nothing_is_counted(stage: Stage) -> None:
    scene = TcpScene(stage)
    scene.tell(Connect(TOKEN, "no-such-name.test", 1))
    scene.messaging.wait_for(ConnectFailed)
    info = transport(scene)
    assert (info.failed_dials, info.dialing, info.dialed) == (1, 0, 0)


def test_a_dial_under_way_is_counted(stage: Stage) -> None:
    scene = TcpScene(stage)
    scene.may_resolve.clear()
    scene.tell(Connect(TOKEN, "peer.test", scene.peer_port))
    assert transport(scene).dialing == 1


def test_a_connection_that_is_closed_has_written_what_was_queued(stage: Stage) -> None:
    scene = TcpScene(stage)
    client, conn = scene.established()
    with client:
        scene.tell(Send((conn,), (b"last words",)))
        assert ask(scene, CloseConnection(conn))
        assert client.recv_frame() == b"last words"
        assert client.wait_closed() == b""
        assert scene.messaging.wait_for(Disconnected) == Disconnected(
            conn, False, CloseReason.LOCAL
        )


def test_there_is_nothing_to_close_where_no_connection_is(stage: Stage) -> None:
    assert not ask(TcpScene(stage), CloseConnection(ConnId(99)))
