"""What the messaging room does for people: its counts, messages of any kind, requests, and its trace."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from actors.messaging.actor import SWEEP_S, MessagingActor
from actors.messaging.adoption import OpenLinks
from actors.messaging.asked import MAX_ASKED
from actors.messaging.codec import encode, encode_response
from actors.messaging.messages import (
    MAX_WATCHERS,
    AskPeer,
    Disconnect,
    GetMessaging,
    KindTraffic,
    MessageType,
    MessagingInfo,
    OpenGate,
    Post,
    RequestFailure,
    RespondBatch,
    Response,
    SendBatch,
    SendRequest,
    TracedMessage,
    Unwatch,
    Watch,
)
from actors.messaging.requests import MAX_IN_FLIGHT
from actors.messaging.traffic import RESPONSES
from actors.runtime.address import ActorDownError, Address
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.tcp.messages import (
    CloseReason,
    Connected,
    ConnId,
    Disconnected,
    FramesReceived,
    Handled,
    Send,
)
from tests.support.probe import Probe

ONE, TWO, GONE = ConnId(7), ConnId(8), ConnId(99)
PEER = "10.0.0.1:7000"


class Sink:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.seen: list[TracedMessage] = []
        self.is_lost = False

    def offer(self, item: TracedMessage) -> None:
        self.seen.append(item)

    def lost(self) -> None:
        self.is_lost = True

    @property
    def lines(self) -> list[tuple[bool, int, str, MessageType, int, str, bytes]]:
        return [
            (m.sent, m.conn, m.peer, m.type, m.message_id, m.kind, m.payload) for m in self.seen
        ]


class Scene:
    """The actor with its neighbours, and two connections, of which the first has its gate open."""

    def __init__(self) -> None:
        self.pump = Pump(1, FakeClock())
        self.tcp, self.peers = Probe(self.pump, "tcp"), Probe(self.pump, "peers")
        self.gossip, self.asker = Probe(self.pump, "gossip"), Probe(self.pump, "asker")
        self.mailbox = self.pump.mailbox("messaging")
        self.falls: list[Any] = []
        self.kept = OpenLinks()
        self.start()
        for conn in (ONE, TWO):
            self.tell(Connected(conn, False, "127.0.0.1:5", None))
        self.tell(OpenGate(ONE, PEER))
        self.tcp.take()

    def start(self) -> None:
        """Begin the first or the next incarnation."""
        self.actor = MessagingActor(
            tcp=self.tcp.address,
            rooms={"p2p": self.peers.address, "gossip": self.gossip.address},
            links=self.peers.address,
            me=self.address,
            clock=self.pump.clock,
            kept=self.kept,
        )
        self.actor.attach(self.mailbox, lambda _actor, fall: self.falls.append(fall))
        self.pump.run(self.actor)
        self.pump.run_until_idle()

    @property
    def address(self) -> Any:
        return Address[Any](self.mailbox)

    def tell(self, *messages: Any) -> None:
        for message in messages:
            self.address.tell(message)
        self.pump.run_until_idle()

    def soon(self, question: Any) -> Future[Any]:
        future: Future[Any] = self.address.ask_soon(question)
        self.pump.run_until_idle()
        return future

    def ask(self, question: Any) -> Any:
        return self.soon(question).result(0)

    def receive(self, *frames: bytes, conn: ConnId = ONE) -> None:
        self.tell(FramesReceived(conn, frames))

    def watch(self, *kinds: str, **filters: Any) -> Sink:
        sink = Sink()
        assert self.ask(Watch(sink, kinds, **filters))
        return sink


@pytest.fixture
def scene() -> Scene:
    return Scene()


def question(conn: ConnId = ONE, timeout_s: float = 10.0) -> AskPeer:
    return AskPeer(conn, "chain:status", b"?", timeout_s)


# -- counts -----------------------------------------------------------------------------------------


def test_messages_are_counted_by_kind_in_both_directions(scene: Scene) -> None:
    scene.receive(
        encode(MessageType.REGULAR, 1, "gossip:chat", b"123"),
        encode(MessageType.REQUEST, 2, "p2p:get_peers", b""),
    )
    scene.tell(
        RespondBatch(ONE, ((2, b"a"), (3, b"bc"))),
        SendBatch((ONE, TWO), (("gossip:chat", b"four"),)),
        SendRequest(ONE, "chain:status", b"12", 1, scene.asker.address),
    )
    scene.receive(encode_response(1, b"12345"))
    info = scene.ask(GetMessaging())
    assert isinstance(info, MessagingInfo)
    assert {each.kind: each for each in info.kinds} == {
        "gossip:chat": KindTraffic("gossip:chat", 1, 3, 2, 8),
        "p2p:get_peers": KindTraffic("p2p:get_peers", 1, 0, 0, 0),
        "chain:status": KindTraffic("chain:status", 0, 0, 1, 2),
        RESPONSES: KindTraffic(RESPONSES, 1, 5, 2, 3),
    }


# -- messages of any kind ---------------------------------------------------------------------------


def test_a_message_of_any_kind_goes_to_those_that_are_there(scene: Scene) -> None:
    scene.tell(Disconnect(TWO, CloseReason.LOCAL))
    scene.tcp.take()
    assert scene.ask(Post((ONE, TWO, GONE), "my:kind", b"pay")) == 1
    frame = encode(MessageType.REGULAR, 1, "my:kind", b"pay")
    assert scene.tcp.take() == [Send((ONE,), (frame,))]


def test_a_message_for_nobody_is_not_sent(scene: Scene) -> None:
    assert scene.ask(Post((GONE,), "my:kind", b"")) == 0
    assert scene.tcp.take() == []


# -- requests ---------------------------------------------------------------------------------------


def test_the_response_to_a_request_is_the_answer(scene: Scene) -> None:
    answer = scene.soon(question())
    assert scene.tcp.take() == [
        Send((ONE,), (encode(MessageType.REQUEST, 1, "chain:status", b"?"),))
    ]
    assert not answer.done()
    scene.receive(encode_response(1, b"dev,00,5"))
    assert answer.result(0) == b"dev,00,5"
    assert scene.tcp.take() == [Handled(ONE, 1)]


def test_an_empty_response_is_an_answer(scene: Scene) -> None:
    answer = scene.soon(question())
    scene.receive(encode_response(1, b""))
    assert answer.result(0) == b""


def test_a_request_of_people_and_one_of_a_room_get_each_its_own_response(scene: Scene) -> None:
    answer = scene.soon(question())
    scene.tell(SendRequest(ONE, "chain:status", b"", 42, scene.asker.address))
    scene.receive(encode_response(2, b"room's"), encode_response(1, b"ours"))
    assert answer.result(0) == b"ours"
    assert scene.asker.take() == [Response(42, ONE, b"room's")]


def test_no_response_in_time_is_said_once_the_time_is_over(scene: Scene) -> None:
    answer = scene.soon(question(timeout_s=3.0))
    scene.pump.run_for(2.9)
    assert not answer.done()
    scene.pump.run_for(0.1 + SWEEP_S)
    assert answer.result(0) is RequestFailure.NO_RESPONSE


def test_a_lost_connection_ends_the_wait(scene: Scene) -> None:
    answer = scene.soon(question())
    scene.tell(Disconnected(ONE, False, CloseReason.REMOTE))
    assert answer.result(0) is RequestFailure.NO_RESPONSE


@pytest.mark.parametrize("conn", [GONE, TWO])
def test_a_request_needs_an_open_connection(scene: Scene, conn: ConnId) -> None:
    scene.tell(Disconnect(TWO, CloseReason.LOCAL))
    scene.tcp.take()
    assert scene.ask(question(conn)) is RequestFailure.NO_CONNECTION
    assert scene.tcp.take() == []


def test_requests_of_people_leave_places_for_those_of_the_rooms(scene: Scene) -> None:
    answers = [scene.soon(question(conn)) for conn in (ONE, TWO) * (MAX_ASKED // 2)]
    assert scene.ask(question()) is RequestFailure.BUSY
    scene.receive(encode_response(1, b""))
    assert answers[0].done()
    assert not scene.soon(question()).done()


def test_a_connection_without_a_place_takes_no_request(scene: Scene) -> None:
    for token in range(MAX_IN_FLIGHT):
        scene.tell(SendRequest(ONE, "p2p:x", b"", token, scene.asker.address))
    assert scene.ask(question()) is RequestFailure.BUSY
    assert scene.asker.take() == []


# -- the trace --------------------------------------------------------------------------------------


def test_a_watcher_sees_all_that_passes_in_order(scene: Scene) -> None:
    sink = scene.watch(payload_limit_bytes=100)
    scene.receive(encode(MessageType.REQUEST, 9, "p2p:get_peers", b""))
    scene.tell(RespondBatch(ONE, ((9, b"list"),)))
    scene.soon(question())
    scene.receive(encode_response(1, b"status"))
    scene.ask(Post((ONE, TWO), "my:kind", b"pay"))
    assert sink.lines == [
        (False, ONE, PEER, MessageType.REQUEST, 9, "p2p:get_peers", b""),
        (True, ONE, PEER, MessageType.RESPONSE, 9, "", b"list"),
        (True, ONE, PEER, MessageType.REQUEST, 1, "chain:status", b"?"),
        (False, ONE, PEER, MessageType.RESPONSE, 1, "", b"status"),
        (True, ONE, PEER, MessageType.REGULAR, 1, "my:kind", b"pay"),
        (True, TWO, "", MessageType.REGULAR, 1, "my:kind", b"pay"),
    ]
    assert {each.at_s for each in sink.seen} == {scene.pump.clock.wall_s()}


def test_a_watcher_also_sees_what_waits_for_the_gate_or_is_for_nobody(scene: Scene) -> None:
    sink = scene.watch()
    scene.receive(encode(MessageType.REGULAR, 1, "gossip:chat", b""), conn=TWO)
    scene.receive(encode(MessageType.REGULAR, 2, "foo:bar", b""))
    assert [each.kind for each in sink.seen] == ["gossip:chat", "foo:bar"]
    assert scene.gossip.take() == []


def test_who_has_left_is_shown_no_more(scene: Scene) -> None:
    sink = scene.watch()
    scene.tell(Unwatch(sink))
    scene.receive(encode(MessageType.REGULAR, 1, "gossip:chat", b""))
    assert sink.seen == []
    assert not sink.is_lost


def test_only_so_many_may_watch(scene: Scene) -> None:
    for _ in range(MAX_WATCHERS):
        scene.watch()
    assert not scene.ask(Watch(Sink()))


# -- its end ----------------------------------------------------------------------------------------


def test_a_stop_lets_down_whoever_waits_or_watches(scene: Scene) -> None:
    answer, sink = scene.soon(question()), scene.watch()
    scene.actor.halt()
    scene.pump.run_until_idle()
    assert scene.falls == [None]
    assert isinstance(answer.exception(0), ActorDownError)
    assert sink.is_lost


def test_a_fall_loses_who_watches_and_nobody_who_waits(scene: Scene) -> None:
    answer, sink = scene.soon(question()), scene.watch()
    scene.tell("no message of this room")
    assert len(scene.falls) == 1
    assert sink.is_lost
    scene.start()
    scene.receive(encode_response(1, b"!"))
    assert answer.result(0) == b"!"


def test_after_a_fall_a_request_that_nobody_answers_still_ends(scene: Scene) -> None:
    answer = scene.soon(question(timeout_s=5.0))
    scene.tell("no message of this room")
    scene.start()
    scene.pump.run_for(6.0)
    assert answer.result(0) is RequestFailure.NO_RESPONSE
