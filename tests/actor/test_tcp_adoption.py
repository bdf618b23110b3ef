"""The tcp room falls or is restarted, and no peer notices."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator

import pytest

from actors.runtime.actor import Waiting
from actors.tcp.connection import Connection
from actors.tcp.messages import (
    Close,
    CloseReason,
    Connect,
    Connected,
    ConnectFailed,
    ConnectionsNow,
    ConnectionState,
    ConnId,
    Disconnected,
    Establish,
    FramesReceived,
    Send,
)
from actors.tcp.readiness import Readiness
from tests.support.tcp_stage import TOKEN, TcpScene
from tests.support.thread_probe import TIMEOUT_S, Stage
from tests.support.wire_client import WireClient, frame


class Scene(TcpScene):
    """Its clients are closed when the test ends."""

    def accepted(self) -> tuple[WireClient, ConnId]:
        client, conn = super().accepted()
        self.stage.resources.callback(client.close)
        return client, conn

    def dialed(self) -> tuple[WireClient, ConnId]:
        client, conn = super().dialed()
        self.stage.resources.callback(client.close)
        return client, conn


@pytest.fixture
def scene() -> Iterator[TcpScene]:
    with Stage() as stage:
        yield Scene(stage)


def fall(scene: TcpScene) -> None:
    """Fell the actor, and begin its next incarnation."""
    scene.tell("no message of this room")
    assert scene.actor.ended.wait(TIMEOUT_S)
    assert len(scene.stage.take_falls()) == 1
    scene.start()


def restart(scene: TcpScene) -> None:
    """As an operator's restart."""
    scene.actor.halt(to_return=True)
    assert scene.actor.ended.wait(TIMEOUT_S)
    scene.start()


def roll(scene: TcpScene) -> list[ConnId]:
    return [each.conn for each in scene.messaging.wait_for(ConnectionsNow).connections]


@pytest.mark.parametrize("end", [fall, restart])
def test_connections_outlive_the_actor(scene: TcpScene, end: object) -> None:
    assert callable(end)
    client, conn = scene.established()
    dialed, outbound = scene.dialed()
    end(scene)
    assert roll(scene) == [conn, outbound]
    client.send_frame(b"to it")
    assert scene.frames(conn, 1) == [b"to it"]
    scene.tell(Send((conn, outbound), (b"from it",)))
    assert client.recv_frame() == dialed.recv_frame() == b"from it"
    states = {each.conn: each.state for each in scene.connections()}
    assert states[conn] is ConnectionState.ESTABLISHED


def test_a_roll_tells_of_a_connection_what_was_told_before(scene: TcpScene) -> None:
    client, conn = scene.established()
    _dialed, outbound = scene.dialed()
    fall(scene)
    assert scene.messaging.wait_for(ConnectionsNow).connections == (
        Connected(conn, False, client.address, None),
        Connected(outbound, True, f"127.0.0.1:{scene.peer_port}", TOKEN),
    )


def test_a_frame_half_read_is_finished_by_the_next_incarnation(scene: TcpScene) -> None:
    client, conn = scene.established()
    client.send_frame(b"first")
    whole = frame(b"in two parts")
    client.send_raw(whole[:9])
    assert scene.frames(conn, 1) == [b"first"]
    fall(scene)
    client.send_raw(whole[9:])
    assert scene.frames(conn, 1) == [b"in two parts"]


def test_unsent_bytes_are_written_by_the_next_incarnation(scene: TcpScene) -> None:
    client, conn = scene.established()
    large = bytes(512 * 1024)
    scene.tell(*[Send((conn,), (large,)) for _ in range(4)])
    fall(scene)
    assert [client.recv_frame() for _ in range(4)] == [large] * 4


def test_letters_wait_for_the_next_incarnation(scene: TcpScene) -> None:
    client, conn = scene.established()
    scene.tell("no message of this room", Send((conn,), (b"behind it",)))
    assert scene.actor.ended.wait(TIMEOUT_S)
    scene.stage.take_falls()
    scene.start()
    assert client.recv_frame() == b"behind it"


def test_what_the_actor_was_busy_with_is_dropped_and_nothing_else(
    scene: TcpScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    guilty, its = scene.established()
    innocent, other = scene.established()

    def bug(_connection: Connection, _scratch: memoryview, _now_s: float) -> CloseReason | None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "receive", bug)
        guilty.send_frame(b"poison")
        assert scene.actor.ended.wait(TIMEOUT_S)
    assert scene.messaging.wait_for(Disconnected) == Disconnected(its, False, CloseReason.IO_ERROR)
    (fall,) = scene.stage.take_falls()
    assert fall.message == Waiting(suspect=its)
    scene.start()
    assert guilty.wait_closed() == b""
    innocent.send_frame(b"still here")
    assert scene.frames(other, 1) == [b"still here"]


def test_a_dial_under_way_ends_with_the_actor(scene: TcpScene) -> None:
    scene.may_resolve.clear()
    scene.tell(Connect(TOKEN, "peer.test", scene.peer_port))
    fall(scene)
    assert scene.messaging.wait_for(ConnectFailed).token == TOKEN


def test_a_dial_ends_though_what_the_actor_was_busy_with_cannot_be_dropped(
    scene: TcpScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, conn = scene.established()
    scene.stage.resources.callback(scene.seats.connections[conn].sock.close)
    scene.may_resolve.clear()
    scene.tell(Connect(TOKEN, "peer.test", scene.peer_port))
    assert len(scene.connections()) == 1  # an answer: the letter before it is handled, too

    def bug(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "receive", bug)
        patched.setattr(Readiness, "forget", bug)
        client.send_frame(b"poison")
        assert scene.actor.ended.wait(TIMEOUT_S)
    scene.stage.take_falls()
    assert scene.messaging.wait_for(ConnectFailed).token == TOKEN


def test_a_connection_that_was_to_be_closed_still_is(scene: TcpScene) -> None:
    client, conn = scene.established()
    scene.tell(Send((conn,), (b"farewell",)), Close(conn, CloseReason.LOCAL))
    fall(scene)
    assert client.recv_frame() == b"farewell"
    assert client.wait_closed() == b""


def test_who_had_not_said_hello_yet_has_as_long_as_before(scene: TcpScene) -> None:
    client, conn = scene.accepted()
    fall(scene)
    roll(scene)
    scene.tell(Establish(conn))
    assert len(scene.connections()) == 1  # an answer: the letter before it is handled, too
    client.send_frame(b"x" * 2_000)  # above the early limit, which is lifted
    assert len(scene.frames(conn, 1)[0]) == 2_000


def test_an_end_for_good_closes_everything(scene: TcpScene) -> None:
    client, _conn = scene.established()
    scene.stage.stop(scene.actor)
    assert client.wait_closed() == b""
    assert scene.seats.connections == {}


def test_what_kept_failing_is_thrown_away(scene: TcpScene) -> None:
    client, conn = scene.established()
    scene.tell("no message of this room")
    assert scene.actor.ended.wait(TIMEOUT_S)
    scene.stage.take_falls()
    scene.seats.clear()
    scene.start()
    assert roll(scene) == []
    assert client.wait_closed() == b""
    assert all(each.conn != conn for each in scene.connections())


def test_no_descriptor_is_left_behind_by_falls(scene: TcpScene) -> None:
    client, conn = scene.established()
    before = _descriptors()
    for _ in range(5):
        fall(scene)
    client.send_frame(b"still")
    assert scene.messaging.wait_for(FramesReceived).conn == conn
    assert _descriptors() <= before


def _descriptors() -> int:
    """The lowest free number, which grows when some are not closed."""
    with socket.socket() as probe, selectors.DefaultSelector():
        return probe.fileno()
