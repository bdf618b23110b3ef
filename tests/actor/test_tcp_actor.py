"""The tcp room alone, on its thread, over real loopback sockets; deadlines pass by a pushed clock."""

from __future__ import annotations

import itertools
import resource
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from actors.config import TcpSettings
from actors.runtime.address import Address
from actors.tcp.actor import TcpActor, _Sweep
from actors.tcp.admission import HELLO_GRACE_S
from actors.tcp.dialing import MAX_DIALS
from actors.tcp.framing import enframe
from actors.tcp.messages import (
    Close,
    CloseReason,
    Connect,
    Connected,
    ConnectFailed,
    ConnectionInfo,
    ConnId,
    Disconnected,
    Establish,
    FramesReceived,
    Handled,
    HelloSaid,
    Idle,
    ListConnections,
    Send,
)
from actors.tcp.sockets import open_listener
from tests.support.thread_probe import Stage, ThreadProbe
from tests.support.wire_client import WireClient

LOCALHOST = "127.0.0.1"
NAMES = {"peer.test": LOCALHOST}
TOKEN = 5
MEGABYTE = b"x" * 1_000_000
MORE_THAN_THE_SYSTEM_BUFFERS = 15
"""Megabytes: the kernel takes some 4 to 10 for a client that reads nothing."""


class Scene:
    """The actor, a probe that is told its events, and a listening socket of a peer to dial."""

    def __init__(self, stage: Stage, settings: TcpSettings | None = None) -> None:
        self.stage = stage
        keep = stage.resources.enter_context
        self.listener = keep(open_listener(LOCALHOST, 0))
        self.port: int = self.listener.getsockname()[1]
        self.peer = keep(socket.create_server((LOCALHOST, 0)))
        self.peer_port: int = self.peer.getsockname()[1]
        self.messaging = ThreadProbe(stage, "messaging")
        self.may_resolve = threading.Event()
        self.may_resolve.set()
        stage.resources.callback(self.may_resolve.set)
        self._settings = settings or TcpSettings()
        self._mailbox = stage.mailbox("tcp")
        self._conn_ids = map(ConnId, itertools.count(1))
        self.me: Address[Any] = Address(self._mailbox)
        self.start()

    def start(self) -> None:
        """Run the actor; once more after a stop, as the supervisor would."""
        self.actor = TcpActor(
            settings=self._settings,
            listener=self.listener,
            messaging=self.messaging.address,
            me=self.me,
            clock=self.stage.clock,
            conn_ids=self._conn_ids,
            resolve=self._resolve,
        )
        self.stage.run(self.actor, self._mailbox)

    def _resolve(self, host: str) -> str | None:
        self.may_resolve.wait(10)
        return NAMES.get(host)

    def tell(self, *messages: Any) -> None:
        for message in messages:
            self.me.tell(message)

    def accepted(self) -> tuple[WireClient, ConnId]:
        """A client that the actor has accepted."""
        client = WireClient.connect(LOCALHOST, self.port)
        up = self.messaging.wait_for(Connected, lambda event: event.remote == client.address)
        assert (up.initiated, up.token) == (False, None)
        return client, up.conn

    def established(self) -> tuple[WireClient, ConnId]:
        client, conn = self.accepted()
        self.tell(Establish(conn))
        assert len(self.connections()) > 0  # an answer: the letter before it is handled, too
        return client, conn

    def dialed(self) -> tuple[WireClient, ConnId]:
        """A client that the actor has dialed."""
        self.tell(Connect(TOKEN, LOCALHOST, self.peer_port))
        client = WireClient.accept(self.peer)
        up = self.messaging.wait_for(Connected, lambda event: event.token == TOKEN)
        assert (up.initiated, up.remote) == (True, f"{LOCALHOST}:{self.peer_port}")
        return client, up.conn

    def frames(self, conn: ConnId, count: int) -> list[bytes]:
        """The next frames of a connection, however they are batched; their credit is returned."""
        frames: list[bytes] = []
        while len(frames) < count:
            got = self.messaging.wait_for(FramesReceived, lambda event: event.conn == conn)
            frames += got.frames
            self.tell(Handled(conn, len(got.frames)))
        return frames

    def reason(self, conn: ConnId) -> CloseReason:
        """Why the connection ended, once it has."""
        return self.messaging.wait_for(Disconnected, lambda event: event.conn == conn).reason

    def connections(self) -> tuple[ConnectionInfo, ...]:
        return Address[ListConnections](self._mailbox).ask(ListConnections(), timeout_s=10)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return Scene(stage)


def _with(stage: Stage, **changes: Any) -> Scene:
    return Scene(stage, replace(TcpSettings(), **changes))


# -- frames in and out ------------------------------------------------------------------------------


def test_frames_come_in_and_go_out(scene: Scene) -> None:
    client, conn = scene.accepted()
    with client:
        client.send_frame(b"ping")
        assert scene.frames(conn, 1) == [b"ping"]
        scene.tell(Send((conn,), (b"pong", b"")))
        assert client.recv_frame() == b"pong"
        assert client.recv_frame() == b""


def test_a_frame_may_come_byte_by_byte(scene: Scene) -> None:
    client, conn = scene.accepted()
    with client:
        for byte in enframe([b"slow"]):
            client.send_raw(bytes([byte]))
        assert scene.frames(conn, 1) == [b"slow"]


def test_frames_sent_together_are_told_in_batches_and_in_order(scene: Scene) -> None:
    client, conn = scene.established()
    sent = [str(number).encode() for number in range(5_000)]
    with client:
        client.send_raw(enframe(sent))
        assert scene.frames(conn, len(sent)) == sent


def test_a_message_of_1_mib_passes_both_ways(scene: Scene) -> None:
    client, conn = scene.established()
    big = bytes(range(256)) * 4096
    with client:
        client.send_frame(big)
        assert scene.frames(conn, 1) == [big]
        scene.tell(Send((conn,), (big,)))
        assert client.recv_frame() == big


def test_one_send_reaches_many_and_skips_the_gone(scene: Scene) -> None:
    (one, first), (two, second) = scene.accepted(), scene.accepted()
    with one, two:
        scene.tell(Send((first, ConnId(999), second), (b"all",)))
        assert one.recv_frame() == b"all"
        assert two.recv_frame() == b"all"


def test_a_frame_above_the_early_limit_ends_the_connection(scene: Scene) -> None:
    client, conn = scene.accepted()
    with client:
        client.send_raw(b"\xff\xff\xff\xff")
        assert scene.reason(conn) is CloseReason.FRAME_TOO_LARGE
        assert client.wait_closed() == b""


def test_a_long_frame_right_behind_the_hello_is_taken_once_it_is_accepted(scene: Scene) -> None:
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


# -- back-pressure ----------------------------------------------------------------------------------


def test_without_credit_nothing_more_is_told_until_half_is_returned(scene: Scene) -> None:
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


def test_a_client_that_reads_nothing_is_not_read_and_not_kept(scene: Scene) -> None:
    client, conn = scene.established()
    with client:
        scene.tell(*[Send((conn,), (MEGABYTE,))] * MORE_THAN_THE_SYSTEM_BUFFERS)
        assert scene.connections()[0].unsent_bytes > TcpSettings().unsent_limit_bytes
        client.send_frame(b"unread")
        assert scene.connections()[0].received_frames == 0
        scene.stage.clock.push(21)
        assert scene.reason(conn) is CloseReason.WRITE_TIMEOUT


def test_a_client_that_reads_again_is_read_again(scene: Scene) -> None:
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


def test_who_does_not_say_hello_in_5_s_has_to_go(scene: Scene) -> None:
    client, conn = scene.accepted()
    with client:
        scene.stage.clock.push(5)
        assert scene.reason(conn) is CloseReason.HELLO_TIMEOUT
        client.wait_closed()


def test_who_said_hello_may_stay(scene: Scene) -> None:
    (client, conn), (silent, other) = scene.accepted(), scene.accepted()
    with client, silent:
        scene.tell(HelloSaid(conn))
        scene.stage.clock.push(6)
        assert scene.reason(other) is CloseReason.HELLO_TIMEOUT
        assert [info.conn for info in scene.connections()] == [conn]


def test_an_unfinished_frame_ends_the_connection_after_20_s(scene: Scene) -> None:
    client, conn = scene.established()
    with client:
        client.send_raw(enframe([b"first"]) + b"\0")
        assert scene.frames(conn, 1) == [b"first"]
        scene.stage.clock.push(20)
        assert scene.reason(conn) is CloseReason.FRAME_TIMEOUT


def test_a_silent_peer_is_asked_about_once_and_then_gone(scene: Scene) -> None:
    client, conn = scene.established()
    with client:
        assert scene.connections()[0].established
        scene.stage.clock.push(30)
        assert scene.messaging.wait_for(Idle) == Idle(conn)
        scene.stage.clock.push(60)
        assert scene.reason(conn) is CloseReason.SILENT
        assert scene.messaging.of(Idle) == []


def test_a_former_incarnations_sweep_starts_no_second_one(scene: Scene) -> None:
    client, conn = scene.accepted()
    with client:
        scene.stage.clock.push(4)
        scene.tell(_Sweep())
        assert [info.conn for info in scene.connections()] == [conn]


# -- endings ----------------------------------------------------------------------------------------


def test_the_end_of_a_connection_is_told_once(scene: Scene) -> None:
    client, conn = scene.accepted()
    client.close()
    assert scene.reason(conn) is CloseReason.REMOTE
    scene.tell(Close(conn, CloseReason.LOCAL), Send((conn,), (b"x",)), Handled(conn, 1))
    scene.tell(Establish(conn), HelloSaid(conn))
    assert scene.connections() == ()
    assert scene.messaging.of(Disconnected) == []


def test_a_reset_is_the_end_as_well(scene: Scene) -> None:
    client, conn = scene.accepted()
    client.reset()
    assert scene.reason(conn) is CloseReason.REMOTE


def test_a_close_of_ours_lets_the_last_words_through(scene: Scene) -> None:
    client, conn = scene.accepted()
    with client:
        scene.tell(Send((conn,), (b"no",)), Close(conn, CloseReason.REJECTED))
        assert client.recv_frame() == b"no"
        assert client.wait_closed() == b""
    assert scene.reason(conn) is CloseReason.REJECTED


def test_who_stops_sending_still_gets_the_answer(scene: Scene) -> None:
    client, conn = scene.accepted()
    with client:
        client.send_frame(b"question")
        client.sock.shutdown(socket.SHUT_WR)
        assert scene.messaging.wait_for(FramesReceived).frames == (b"question",)
        scene.tell(Send((conn,), (b"answer",)), Handled(conn, 1))
        assert client.recv_frame() == b"answer"
        assert client.wait_closed() == b""
    assert scene.reason(conn) is CloseReason.REMOTE


def test_sends_to_a_peer_that_is_gone_do_no_harm(scene: Scene) -> None:
    client, conn = scene.accepted()
    client.send_frame(b"question")
    assert scene.messaging.wait_for(FramesReceived).frames == (b"question",)
    client.reset()
    scene.tell(*[Send((conn,), (b"x" * 100_000,))] * 3)
    assert scene.reason(conn) is CloseReason.REMOTE


# -- who may connect --------------------------------------------------------------------------------


def test_the_ninth_stranger_costs_the_oldest_its_seat(scene: Scene) -> None:
    strangers = [scene.accepted() for _ in range(8)]
    scene.stage.clock.push(HELLO_GRACE_S)
    ninth, _ = scene.accepted()
    assert scene.reason(strangers[0][1]) is CloseReason.EVICTED
    strangers[0][0].wait_closed()
    assert len(scene.connections()) == 8
    ninth.close()
    for client, _ in strangers:
        client.close()


def test_a_storm_of_peers_that_all_say_hello_costs_nobody_its_seat(scene: Scene) -> None:
    clients = [WireClient.connect(LOCALHOST, scene.port) for _ in range(40)]
    for _ in clients:
        scene.tell(HelloSaid(scene.messaging.wait_for(Connected).conn))
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


def test_without_descriptors_accepting_pauses_and_goes_on_later(scene: Scene) -> None:
    first, conn = scene.established()
    waiting = socket.socket()  # before the limit falls: it needs a descriptor of its own
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 1, hard))
        waiting.connect((LOCALHOST, scene.port))
        first.send_frame(b"still served")
        assert scene.frames(conn, 1) == [b"still served"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with WireClient(waiting) as second, first:
        scene.messaging.wait_for(Connected, lambda event: event.remote == second.address)


# -- dialing ----------------------------------------------------------------------------------------


def test_a_dialed_connection_works_as_an_accepted_one(scene: Scene) -> None:
    client, conn = scene.dialed()
    with client:
        client.send_frame(b"x" * 60_000)
        assert scene.frames(conn, 1) == [b"x" * 60_000]
        scene.tell(Send((conn,), (b"hello",)))
        assert client.recv_frame() == b"hello"
    assert scene.messaging.wait_for(Disconnected) == Disconnected(conn, True, CloseReason.REMOTE)


def test_a_name_is_resolved_and_dialed(scene: Scene) -> None:
    scene.tell(Connect(TOKEN, "peer.test", scene.peer_port))
    with WireClient.accept(scene.peer):
        up = scene.messaging.wait_for(Connected)
    assert (up.token, up.remote) == (TOKEN, f"{LOCALHOST}:{scene.peer_port}")


@pytest.mark.parametrize(
    ("host", "port"),
    [("unknown.test", 1), (LOCALHOST, 0), (LOCALHOST, 65_536), ("", 1), ("255.255.255.255", 1)],
)
def test_what_cannot_be_dialed_fails(scene: Scene, host: str, port: int) -> None:
    scene.tell(Connect(TOKEN, host, port))
    assert scene.messaging.wait_for(ConnectFailed).token == TOKEN


def test_a_dead_port_refuses(scene: Scene) -> None:
    scene.peer.close()
    scene.tell(Connect(TOKEN, LOCALHOST, scene.peer_port))
    assert scene.messaging.wait_for(ConnectFailed) == ConnectFailed(TOKEN, CloseReason.REFUSED)


def test_a_name_that_resolves_too_slowly_fails_once(scene: Scene) -> None:
    scene.may_resolve.clear()
    scene.tell(Connect(TOKEN, "peer.test", scene.peer_port))
    assert scene.connections() == ()
    scene.stage.clock.push(10)
    failed = scene.messaging.wait_for(ConnectFailed)
    assert failed == ConnectFailed(TOKEN, CloseReason.CONNECT_TIMEOUT)
    scene.may_resolve.set()
    scene.tell(Connect(TOKEN + 1, "peer.test", scene.peer_port))  # the resolver is free again
    assert scene.messaging.wait_for(Connected).token == TOKEN + 1
    assert scene.messaging.of(ConnectFailed) == []
    WireClient.accept(scene.peer).close()


def test_dials_at_once_are_bounded(scene: Scene) -> None:
    scene.may_resolve.clear()
    for token in range(MAX_DIALS + 1):
        scene.tell(Connect(token, "peer.test", 1))
    assert scene.messaging.wait_for(ConnectFailed, lambda event: event.token == MAX_DIALS)


def test_a_dial_that_met_itself_is_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
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


# -- start, stop, fall ------------------------------------------------------------------------------


def test_a_stop_writes_what_is_queued_and_closes_everything(scene: Scene) -> None:
    client, conn = scene.accepted()
    with client:
        scene.tell(Send((conn,), (b"x" * 200_000,)))
        assert len(scene.connections()) == 1
        scene.stage.stop(scene.actor)
        assert client.recv_frame() == b"x" * 200_000
        assert client.wait_closed() == b""
    assert scene.reason(conn) is CloseReason.SHUTDOWN


def test_a_restarted_room_listens_on_the_same_port_with_fresh_ids(scene: Scene) -> None:
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
    scene = Scene(stage)
    client, conn = scene.accepted()

    def bug(*_args: Any) -> None:
        message = "a bug"
        raise ZeroDivisionError(message)

    monkeypatch.setattr("actors.tcp.connection.Connection.receive", bug)
    client.send_frame(b"x")
    assert scene.reason(conn) is CloseReason.IO_ERROR
    assert client.wait_closed() == b""
    assert scene.actor.ended.wait(10)
    (fall,) = stage.take_falls()
    assert isinstance(fall.error, ZeroDivisionError)
    scene.tell(Send((conn,), (b"x",)))  # telling a fallen room does no harm
    client.close()


def test_connections_are_listed(scene: Scene) -> None:
    client, conn = scene.accepted()
    with client:
        client.send_frame(b"abc")
        scene.frames(conn, 1)
        (info,) = scene.connections()
        assert (info.conn, info.remote, info.initiated) == (conn, client.address, False)
        assert (info.received_bytes, info.received_frames, info.unsent_bytes) == (7, 1, 0)
