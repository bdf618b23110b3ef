"""The messaging room alone, between a tcp room and rooms that only listen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors.messaging.actor import SWEEP_S, MessagingActor, _Sweep
from actors.messaging.codec import encode, encode_response
from actors.messaging.link import MAX_WAITING
from actors.messaging.messages import (
    Disconnect,
    Done,
    GetMessaging,
    Inbound,
    MessageType,
    OpenGate,
    Received,
    Respond,
    RespondBatch,
    Response,
    SendBatch,
    SendRegular,
    SendRequest,
)
from actors.messaging.requests import MAX_IN_FLIGHT
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.tcp.messages import (
    Answer,
    Close,
    CloseReason,
    Connected,
    ConnectFailed,
    ConnId,
    Disconnected,
    Establish,
    FramesReceived,
    Handled,
    HelloSaid,
    Idle,
    Send,
)
from tests.support.probe import Probe, stage

CONN, OTHER = ConnId(7), ConnId(8)
PEER = "10.0.0.1:7000"
HELLO = encode(MessageType.REQUEST, 1, "p2p:hello", b"127.0.0.1:9")
CHAT = encode(MessageType.REGULAR, 2, "gossip:chat", b"hi")


class Scene:
    """The actor with its neighbours, and one connection that is up."""

    def __init__(self) -> None:
        self.pump = Pump(1, FakeClock())
        self.tcp, self.peers = Probe(self.pump, "tcp"), Probe(self.pump, "peers")
        self.gossip, self.asker = Probe(self.pump, "gossip"), Probe(self.pump, "asker")
        self.me = stage(self.pump, "messaging", self._build)
        self.tell(Connected(CONN, False, "127.0.0.1:5", None))
        self.peers.take()

    def _build(self, me: Any) -> MessagingActor:
        return MessagingActor(
            tcp=self.tcp.address,
            rooms={"p2p": self.peers.address, "gossip": self.gossip.address},
            links=self.peers.address,
            me=me,
            clock=self.pump.clock,
        )

    def tell(self, *messages: Any) -> None:
        for message in messages:
            self.me.tell(message)
        self.pump.run_until_idle()

    def receive(self, *frames: bytes, conn: ConnId = CONN) -> None:
        self.tell(FramesReceived(conn, frames))

    def ask(self, token: int, timeout_s: float = 10.0, conn: ConnId = CONN) -> None:
        self.tell(SendRequest(conn, "p2p:x", b"?", token, self.asker.address, timeout_s))


@pytest.fixture
def scene() -> Scene:
    return Scene()


# -- in ---------------------------------------------------------------------------------------------


def test_before_the_gate_opens_the_peers_room_gets_its_messages(scene: Scene) -> None:
    scene.receive(HELLO)
    hello = Inbound(CONN, MessageType.REQUEST, 1, "p2p:hello", b"127.0.0.1:9")
    assert scene.peers.take() == [Received((hello,))]


def test_a_hello_is_reported_to_tcp_so_that_its_deadline_is_met(scene: Scene) -> None:
    scene.receive(HELLO)
    assert scene.tcp.take() == [HelloSaid(CONN)]


def test_gossip_before_the_gate_opens_waits_with_its_credit(scene: Scene) -> None:
    scene.receive(CHAT, CHAT)
    assert scene.gossip.take() == []
    assert scene.tcp.take() == []
    scene.tell(OpenGate(CONN, PEER))
    (received,) = scene.gossip.take()
    assert [message.payload for message in received.messages] == [b"hi", b"hi"]
    assert scene.tcp.take() == [Establish(CONN)]


def test_more_than_a_bounded_number_does_not_wait_and_returns_its_credit(scene: Scene) -> None:
    scene.receive(*[CHAT] * (MAX_WAITING + 5))
    assert scene.tcp.take() == [Handled(CONN, 5)]


def test_what_waited_is_forgotten_with_its_connection(scene: Scene) -> None:
    scene.receive(CHAT)
    scene.tell(Disconnected(CONN, False, CloseReason.REMOTE), OpenGate(CONN, PEER))
    assert scene.gossip.take() == []


def test_a_batch_of_frames_is_one_batch_for_each_room(scene: Scene) -> None:
    scene.tell(OpenGate(CONN, PEER))
    scene.receive(CHAT, HELLO, CHAT)
    assert [len(received.messages) for received in scene.gossip.take()] == [2]
    assert [len(received.messages) for received in scene.peers.take()] == [1]


def test_unknown_kinds_are_counted_and_answered_by_nobody(scene: Scene) -> None:
    scene.tell(OpenGate(CONN, PEER))
    scene.tcp.take()
    scene.receive(encode(MessageType.REQUEST, 5, "foo:bar", b""), CHAT)
    assert scene.tcp.take() == [Handled(CONN, 1)]
    assert scene.pump.ask(scene.me, GetMessaging()).unknown_kinds == (("foo:bar", 1),)


def test_what_is_no_message_ends_the_connection(scene: Scene) -> None:
    scene.receive(HELLO, b"\x07\0\0\0\x01kind\0", HELLO)
    assert [len(received.messages) for received in scene.peers.take()] == [1]
    assert scene.tcp.take() == [HelloSaid(CONN), Close(CONN, CloseReason.PROTOCOL)]
    assert scene.pump.ask(scene.me, GetMessaging()).malformed == 1


def test_after_a_close_what_still_comes_is_ignored(scene: Scene) -> None:
    scene.tell(Disconnect(CONN, CloseReason.REJECTED), Disconnect(CONN, CloseReason.LOCAL))
    scene.receive(HELLO)
    assert scene.tcp.take() == [Close(CONN, CloseReason.REJECTED), Handled(CONN, 1)]
    assert scene.peers.take() == []


def test_frames_of_a_connection_that_it_never_saw_are_ignored(scene: Scene) -> None:
    scene.receive(HELLO, conn=OTHER)
    assert scene.peers.take() == []


@pytest.mark.parametrize(
    "event",
    [
        Connected(OTHER, True, "127.0.0.1:6", 3),
        ConnectFailed(3, CloseReason.REFUSED),
        Disconnected(CONN, False, CloseReason.REMOTE),
        Idle(CONN),
    ],
)
def test_news_of_connections_goes_to_the_peers_room(scene: Scene, event: Any) -> None:
    scene.tell(event)
    assert scene.peers.take() == [event]


# -- out --------------------------------------------------------------------------------------------


def test_a_response_goes_out_and_returns_the_credit(scene: Scene) -> None:
    scene.tell(Respond(CONN, 9, b"yes"))
    assert scene.tcp.take() == [Answer(CONN, (encode_response(9, b"yes"),))]


def test_responses_go_out_in_a_batch(scene: Scene) -> None:
    scene.tell(RespondBatch(CONN, ((9, b"a"), (10, b"b"))))
    frames = (encode_response(9, b"a"), encode_response(10, b"b"))
    assert scene.tcp.take() == [Answer(CONN, frames)]


def test_messages_that_are_done_return_their_credit(scene: Scene) -> None:
    scene.tell(Done(CONN, 3))
    assert scene.tcp.take() == [Handled(CONN, 3)]


def test_a_regular_message_is_encoded_once_for_all(scene: Scene) -> None:
    scene.tell(SendRegular((CONN, OTHER), "gossip:chat", b"hi"))
    frame = encode(MessageType.REGULAR, 1, "gossip:chat", b"hi")
    assert scene.tcp.take() == [Send((CONN, OTHER), (frame,))]


def test_a_batch_of_regular_messages_is_sent_as_one(scene: Scene) -> None:
    scene.tell(SendBatch((CONN,), (("a", b"1"), ("b", b"2"))))
    frames = (encode(MessageType.REGULAR, 1, "a", b"1"), encode(MessageType.REGULAR, 2, "b", b"2"))
    assert scene.tcp.take() == [Send((CONN,), frames)]


@pytest.mark.parametrize(
    "nothing",
    [
        RespondBatch(CONN, ()),
        SendRegular((), "kind", b""),
        SendBatch((CONN,), ()),
        Done(CONN, 0),
        OpenGate(OTHER, PEER),
    ],
)
def test_nothing_to_do_tells_tcp_nothing(scene: Scene, nothing: Any) -> None:
    scene.tell(nothing)
    assert scene.tcp.take() == []


# -- requests ---------------------------------------------------------------------------------------


def test_a_request_goes_out_and_its_response_comes_back(scene: Scene) -> None:
    scene.ask(42)
    assert scene.tcp.take() == [Send((CONN,), (encode(MessageType.REQUEST, 1, "p2p:x", b"?"),))]
    scene.receive(encode_response(1, b"!"))
    assert scene.asker.take() == [Response(42, CONN, b"!")]
    assert scene.tcp.take() == [Handled(CONN, 1)]


def test_a_request_that_is_not_answered_is_reported_absent_once(scene: Scene) -> None:
    scene.ask(42, timeout_s=3.0)
    scene.pump.run_for(2.9)
    assert scene.asker.take() == []
    scene.pump.run_for(0.1 + SWEEP_S)
    assert scene.asker.take() == [Response(42, CONN, None)]
    scene.receive(encode_response(1, b"late"))
    scene.pump.run_for(60)
    assert scene.asker.take() == []
    assert scene.pump.ask(scene.me, GetMessaging()).late_responses == 1


def test_an_empty_response_is_not_an_absent_one(scene: Scene) -> None:
    scene.ask(42)
    scene.receive(encode_response(1, b""))
    assert scene.asker.take() == [Response(42, CONN, b"")]


def test_a_lost_connection_ends_its_requests_and_no_others(scene: Scene) -> None:
    scene.tell(Connected(OTHER, True, "127.0.0.1:6", 1))
    scene.ask(42)
    scene.ask(43)
    scene.ask(44, conn=OTHER)
    scene.tell(Disconnected(CONN, False, CloseReason.REMOTE))
    assert scene.asker.take() == [Response(42, CONN, None), Response(43, CONN, None)]


def test_a_response_counts_only_on_the_connection_of_its_request(scene: Scene) -> None:
    scene.tell(Connected(OTHER, True, "127.0.0.1:6", 1))
    scene.ask(42)
    scene.receive(encode_response(1, b"forged"), conn=OTHER)
    assert scene.asker.take() == []
    assert scene.pump.ask(scene.me, GetMessaging()).unasked_responses == 1


@pytest.mark.parametrize(
    "gone", [Disconnected(CONN, False, CloseReason.REMOTE), Disconnect(CONN, CloseReason.LOCAL)]
)
def test_a_request_where_there_is_no_connection_is_absent_at_once(scene: Scene, gone: Any) -> None:
    scene.tell(gone)
    scene.ask(42)
    assert scene.asker.take() == [Response(42, CONN, None)]


def test_too_many_requests_in_flight_are_absent_at_once(scene: Scene) -> None:
    for token in range(MAX_IN_FLIGHT + 1):
        scene.ask(token)
    assert scene.asker.take() == [Response(MAX_IN_FLIGHT, CONN, None)]
    assert scene.pump.ask(scene.me, GetMessaging()).requests_in_flight == MAX_IN_FLIGHT


def test_without_requests_no_timer_runs(scene: Scene) -> None:
    scene.ask(42)
    scene.receive(encode_response(1, b""))
    scene.pump.run_for(SWEEP_S)
    assert scene.pump.clock.next_due_s() is None


def test_the_timer_of_a_former_incarnation_starts_no_second_one(scene: Scene) -> None:
    scene.ask(42)
    due: Callable[[], float | None] = scene.pump.clock.next_due_s
    before = due()
    scene.tell(_Sweep())
    assert due() == before
    assert scene.asker.take() == []
