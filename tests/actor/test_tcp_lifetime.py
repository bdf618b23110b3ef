"""The tcp actor alone: connections dialed and ended, the room stopped, restarted and fallen."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from actors.tcp.dialing import MAX_DIALS
from actors.tcp.messages import (
    Close,
    CloseReason,
    Connect,
    Connected,
    ConnectFailed,
    Disconnected,
    Establish,
    FramesReceived,
    Handled,
    HelloSaid,
    Send,
)
from tests.support.tcp_stage import LOCALHOST, TOKEN, TcpScene
from tests.support.thread_probe import TIMEOUT_S, Stage
from tests.support.wire_client import WireClient


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.fixture
def scene(stage: Stage) -> TcpScene:
    return TcpScene(stage)


# -- dialing ----------------------------------------------------------------------------------------


def test_a_dialed_connection_works_as_an_accepted_one(scene: TcpScene) -> None:
    client, conn = scene.dialed()
    with client:
        client.send_frame(b"x" * 60_000)
        assert scene.frames(conn, 1) == [b"x" * 60_000]
        scene.tell(Send((conn,), (b"hello",)))
        assert client.recv_frame() == b"hello"
    assert scene.messaging.wait_for(Disconnected) == Disconnected(conn, True, CloseReason.REMOTE)


def test_a_name_is_resolved_and_dialed(scene: TcpScene) -> None:
    scene.tell(Connect(TOKEN, "peer.test", scene.peer_port))
    with WireClient.accept(scene.peer):
        up = scene.messaging.wait_for(Connected)
    assert (up.token, up.remote) == (TOKEN, f"{LOCALHOST}:{scene.peer_port}")


@pytest.mark.parametrize(
    ("host", "port"),
    [("unknown.test", 1), (LOCALHOST, 0), (LOCALHOST, 65_536), ("", 1), ("255.255.255.255", 1)],
)
def test_what_cannot_be_dialed_fails(scene: TcpScene, host: str, port: int) -> None:
    scene.tell(Connect(TOKEN, host, port))
    assert scene.messaging.wait_for(ConnectFailed).token == TOKEN


def test_a_dead_port_refuses(scene: TcpScene) -> None:
    scene.peer.close()
    scene.tell(Connect(TOKEN, LOCALHOST, scene.peer_port))
    assert scene.messaging.wait_for(ConnectFailed) == ConnectFailed(TOKEN, CloseReason.REFUSED)


def test_a_name_that_resolves_too_slowly_fails_once(scene: TcpScene) -> None:
    scene.may_resolve.clear()
    scene.tell(Connect(TOKEN, "peer.test", scene.peer_port))
    assert scene.connections() == ()
    scene.push(10)
    failed = scene.messaging.wait_for(ConnectFailed)
    assert failed == ConnectFailed(TOKEN, CloseReason.CONNECT_TIMEOUT)
    scene.may_resolve.set()
    scene.tell(Connect(TOKEN + 1, "peer.test", scene.peer_port))  # the resolver is free again
    assert scene.messaging.wait_for(Connected).token == TOKEN + 1
    assert scene.messaging.of(ConnectFailed) == []
    WireClient.accept(scene.peer).close()


def test_dials_at_once_are_bounded(scene: TcpScene) -> None:
    scene.may_resolve.clear()
    for token in range(MAX_DIALS + 1):
        scene.tell(Connect(token, "peer.test", 1))
    assert scene.messaging.wait_for(ConnectFailed, lambda event: event.token == MAX_DIALS)


def test_a_dial_that_met_itself_is_refused(
    scene: TcpScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket may be dialed to the very port that it got: here that port is forced."""
    free = socket.create_server((LOCALHOST, 0))
    port = free.getsockname()[1]
    free.close()
    connect_ex = socket.socket.connect_ex

    def connect_from_that_port(sock: socket.socket, address: tuple[str, int]) -> int:
        sock.bind((LOCALHOST, port))
        return connect_ex(sock, address)

    monkeypatch.setattr(socket.socket, "connect_ex", connect_from_that_port)
    scene.tell(Connect(TOKEN, LOCALHOST, port))
    assert scene.messaging.wait_for(ConnectFailed) == ConnectFailed(TOKEN, CloseReason.REFUSED)


# -- endings ----------------------------------------------------------------------------------------


def test_the_end_of_a_connection_is_told_once(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    client.close()
    assert scene.reason(conn) is CloseReason.REMOTE
    scene.tell(Close(conn, CloseReason.LOCAL), Send((conn,), (b"x",)), Handled(conn, 1))
    scene.tell(Establish(conn), HelloSaid(conn))
    assert scene.connections() == ()
    assert scene.messaging.of(Disconnected) == []


def test_a_reset_is_the_end_as_well(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    client.reset()
    assert scene.reason(conn) is CloseReason.REMOTE


def test_a_close_of_ours_lets_the_last_words_through(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    with client:
        scene.tell(Send((conn,), (b"no",)), Close(conn, CloseReason.REJECTED))
        assert client.recv_frame() == b"no"
        assert client.wait_closed() == b""
    assert scene.reason(conn) is CloseReason.REJECTED


def test_who_stops_sending_still_gets_the_answer(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    with client:
        client.send_frame(b"question")
        client.sock.shutdown(socket.SHUT_WR)
        assert scene.messaging.wait_for(FramesReceived).frames == (b"question",)
        scene.tell(Send((conn,), (b"answer",)), Handled(conn, 1))
        assert client.recv_frame() == b"answer"
        assert client.wait_closed() == b""
    assert scene.reason(conn) is CloseReason.REMOTE


def test_sends_to_a_peer_that_is_gone_do_no_harm(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    client.send_frame(b"question")
    assert scene.messaging.wait_for(FramesReceived).frames == (b"question",)
    client.reset()
    scene.tell(*[Send((conn,), (b"x" * 100_000,))] * 3)
    assert scene.reason(conn) is CloseReason.REMOTE


# -- start, stop, fall ------------------------------------------------------------------------------


def test_a_stop_writes_what_is_queued_and_closes_everything(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    with client:
        scene.tell(Send((conn,), (b"x" * 200_000,)))
        assert len(scene.connections()) == 1
        scene.stage.stop(scene.actor)
        assert client.recv_frame() == b"x" * 200_000
        assert client.wait_closed() == b""
    assert scene.reason(conn) is CloseReason.SHUTDOWN


def test_a_restarted_room_listens_on_the_same_port_with_fresh_ids(scene: TcpScene) -> None:
    first, old = scene.accepted()
    scene.stage.stop(scene.actor)
    first.wait_closed()
    first.close()
    scene.start()
    second, new = scene.accepted()
    with second:
        assert new > old
        scene.tell(Send((old,), (b"to nobody",)), Send((new,), (b"to you",)))
        assert second.recv_frame() == b"to you"


def test_a_bug_in_the_loop_is_a_fall_that_closes_everything(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = TcpScene(stage)
    client, conn = scene.accepted()

    def bug(*_args: Any) -> None:
        message = "a bug"
        raise ZeroDivisionError(message)

    monkeypatch.setattr("actors.tcp.connection.Connection.receive", bug)
    client.send_frame(b"x")
    assert scene.reason(conn) is CloseReason.IO_ERROR
    assert client.wait_closed() == b""
    assert scene.actor.ended.wait(TIMEOUT_S)
    (fall,) = stage.take_falls()
    assert isinstance(fall.error, ZeroDivisionError)
    scene.tell(Send((conn,), (b"x",)))  # telling a fallen room does no harm
    client.close()
