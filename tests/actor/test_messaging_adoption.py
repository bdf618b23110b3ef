"""Messaging falls, and gates stay open; the roll mends what was missed on either side."""

from __future__ import annotations

import pytest

from actors.config import DEFAULT_RATES
from actors.letters import AGAIN
from actors.messaging.codec import encode, encode_response
from actors.messaging.fingerprint import frame_fingerprint
from actors.messaging.messages import (
    AskPeer,
    CallRoll,
    Disconnect,
    Done,
    GetMessaging,
    Inbound,
    LinksNow,
    MessageType,
    OpenGate,
    OpenLink,
    Received,
    Response,
    SendRequest,
)
from actors.runtime.address import ActorDownError
from actors.runtime.quarantine import Find, Quarantine
from actors.tcp.messages import (
    Close,
    CloseReason,
    Connected,
    ConnectionsNow,
    ConnId,
    Disconnected,
    Establish,
    Handled,
    RollCall,
)
from tests.actor.test_messaging_people import ONE, PEER, TWO, Scene

NEW = ConnId(99)
RUMOUR = encode(MessageType.REGULAR, 1, "gossip:chat", b"?" * 16)


def up(conn: ConnId) -> Connected:
    return Connected(conn, False, "127.0.0.1:5", None)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def fall(scene: Scene) -> None:
    scene.tell("no message of this room")
    assert len(scene.falls) == 1
    scene.tcp.take(), scene.peers.take(), scene.gossip.take()
    scene.start()


def test_the_next_incarnation_calls_the_roll_and_goes_on(scene: Scene) -> None:
    fall(scene)
    assert scene.tcp.take() == [RollCall()]
    scene.receive(RUMOUR)
    inbound = Inbound(ONE, MessageType.REGULAR, 1, "gossip:chat", b"?" * 16)
    assert scene.gossip.take() == [Received((inbound,))]


def test_the_first_incarnation_calls_no_roll(scene: Scene) -> None:
    assert RollCall() not in scene.tcp.messages


def test_the_roll_repeats_what_tcp_may_have_missed(scene: Scene) -> None:
    scene.tell(Disconnect(TWO, CloseReason.SILENT))
    scene.tcp.take()
    scene.tell(ConnectionsNow((up(ONE), up(TWO))))
    assert scene.tcp.take() == [Establish(ONE), Close(TWO, CloseReason.LOCAL)]
    assert scene.peers.take()[-1] == LinksNow((OpenLink(up(ONE), PEER),))


def test_the_roll_tells_of_who_came_and_who_went(scene: Scene) -> None:
    asker = scene.asker
    scene.tell(SendRequest(ONE, "chain:status", b"", 5, asker.address))
    scene.peers.take()
    scene.tell(ConnectionsNow((up(TWO), up(NEW))))
    assert scene.peers.take() == [
        Disconnected(ONE, False, CloseReason.IO_ERROR),
        up(NEW),
        LinksNow((OpenLink(up(TWO), ""), OpenLink(up(NEW), ""))),
    ]
    assert asker.take() == [Response(5, ONE, None)]


def test_the_peers_room_is_told_the_links_when_it_asks(scene: Scene) -> None:
    scene.peers.take()
    scene.tell(CallRoll())
    assert scene.peers.take() == [LinksNow((OpenLink(up(ONE), PEER), OpenLink(up(TWO), "")))]


def test_to_open_a_gate_again_or_to_hear_of_a_connection_again_changes_nothing(
    scene: Scene,
) -> None:
    scene.tell(OpenGate(ONE, PEER), up(ONE))
    scene.receive(RUMOUR)
    assert len(scene.gossip.take()) == 1


def test_links_that_are_thrown_away_come_back_by_the_roll(scene: Scene) -> None:
    scene.tell(SendRequest(ONE, "chain:status", b"", 5, scene.asker.address))
    scene.tell("no message of this room")
    scene.kept.clear()
    assert scene.kept.links == {}
    scene.start()
    assert scene.asker.take() == [Response(5, ONE, None)]
    scene.tcp.take()
    scene.receive(RUMOUR, RUMOUR)
    assert scene.tcp.take() == [Handled(ONE, 2)], "what came meanwhile is lost, its credit is not"
    scene.tell(ConnectionsNow((up(ONE),)), OpenGate(ONE, PEER))
    scene.receive(RUMOUR)
    assert len(scene.gossip.take()) == 1


def test_what_is_to_be_closed_is_closed_though_links_are_thrown_away(scene: Scene) -> None:
    scene.tell("no message of this room", Disconnect(ONE, CloseReason.PROTOCOL))
    scene.kept.clear()
    scene.start()
    assert scene.tcp.take() == [RollCall(), Close(ONE, CloseReason.PROTOCOL)]


def test_credit_that_is_held_back_for_useless_messages_is_returned_whoever_falls_over_it(
    scene: Scene,
) -> None:
    scene.tell(Done(ONE, 3, useless=DEFAULT_RATES.useless_burst + 1))
    assert scene.tcp.take() == []
    scene.tell("no message of this room")
    scene.pump.run_for(1.0)
    held_back = scene.mailbox.get().message
    assert isinstance(held_back, AGAIN)
    scene.start()
    scene.tcp.take()
    scene.tell(held_back)
    assert scene.tcp.take() == [Handled(ONE, 3)]


def test_a_response_to_a_question_that_fell_with_the_actor_fells_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(scene.actor, "_traffic", None)
        first, second = [scene.soon(AskPeer(ONE, "x", b"", 10.0)) for _ in range(2)]
    assert isinstance(first.exception(0), ActorDownError)
    scene.start()
    assert not second.done()
    scene.receive(encode_response(1, b"late"), encode_response(2, b"in time"))
    assert second.result(0) == b"in time"
    assert len(scene.falls) == 1


def test_a_frame_in_quarantine_is_dropped_and_its_credit_returns() -> None:
    scene = Scene()
    quarantine = Quarantine()
    quarantine.take(Find("gossip", "Received", "", "", (), frame_fingerprint(RUMOUR)))
    scene.actor._quarantine = quarantine
    other = encode(MessageType.REGULAR, 2, "gossip:chat", b"!" * 20)
    scene.receive(RUMOUR, other, RUMOUR)
    (received,) = scene.gossip.take()
    assert [each.message_id for each in received.messages] == [2]
    assert scene.tcp.take() == [Handled(ONE, 2)]
    assert scene.ask(GetMessaging()).received == 3
