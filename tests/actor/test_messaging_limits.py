"""The messaging room and what is of no use to anybody: bounded, counted, and punished where it is a misdeed."""

from __future__ import annotations

import logging

import pytest

from actors.config import RateSettings
from actors.messaging.codec import encode, encode_response
from actors.messaging.messages import Done, GetMessaging, MessageType, OpenGate
from actors.peers.messages import ConnectionMisbehaved
from actors.runtime.restraint import LINES_AT_ONCE
from actors.tcp.messages import Close, Connected, ConnId, Handled
from tests.actor.test_messaging_actor import CHAT, CONN, OTHER, PEER, Scene

RATES = RateSettings()
UNKNOWN = encode(MessageType.REGULAR, 3, "nobody:knows", b"x" * 9)
UNKNOWN_REQUEST = encode(MessageType.REQUEST, 3, "nobody:knows", b"")


@pytest.fixture
def scene() -> Scene:
    """A connection whose gate is open."""
    scene = Scene()
    scene.tell(OpenGate(CONN, PEER))
    scene.tcp.take()
    return scene


def returned(scene: Scene, conn: ConnId = CONN) -> int:
    """The read credit that has come back since the last look."""
    told = scene.tcp.take()
    return sum(each.frames for each in told if isinstance(each, Handled) and each.conn == conn)


# -- responses to nothing ---------------------------------------------------------------------------


def test_a_response_to_what_was_never_asked_is_a_misdeed(scene: Scene) -> None:
    scene.receive(encode_response(1, b"surprise"))
    assert scene.peers.take() == [ConnectionMisbehaved(CONN, 10, "an unasked response")]
    assert returned(scene) == 1
    assert scene.pump.ask(scene.me, GetMessaging()).unasked_responses == 1


def test_several_of_them_in_a_batch_are_one_message_with_the_points_of_all(scene: Scene) -> None:
    scene.receive(encode_response(1, b""), CHAT, encode_response(9, b""))
    assert scene.peers.take() == [ConnectionMisbehaved(CONN, 20, "an unasked response")]


def test_a_late_response_is_no_misdeed(scene: Scene) -> None:
    scene.ask(1, timeout_s=3.0)
    scene.pump.run_for(4.0)
    scene.receive(encode_response(1, b"at last"), encode_response(1, b"once more"))
    assert scene.peers.take() == []
    assert scene.pump.ask(scene.me, GetMessaging()).late_responses == 2


# -- what nobody has a use for ----------------------------------------------------------------------


@pytest.mark.parametrize("frame", [UNKNOWN, UNKNOWN_REQUEST, encode_response(1, b"late")])
def test_some_thousand_useless_messages_are_read_at_once_and_more_only_at_their_rate(
    scene: Scene, frame: bytes
) -> None:
    scene.ask(1)
    scene.receive(encode_response(1, b"in time"))
    scene.tcp.take()
    scene.receive(*[frame] * RATES.useless_burst)
    assert returned(scene) == RATES.useless_burst
    scene.receive(*[frame] * RATES.useless_per_s)
    scene.pump.run_for(0.9)
    assert returned(scene) == 0
    scene.pump.run_for(0.2)
    assert returned(scene) == RATES.useless_per_s


def test_what_a_room_calls_useless_counts_as_well(scene: Scene) -> None:
    scene.tell(Done(CONN, RATES.useless_burst + 1, useless=RATES.useless_burst))
    assert returned(scene) == RATES.useless_burst + 1
    scene.tell(Done(CONN, 3, useless=1))
    assert returned(scene) == 0
    scene.pump.run_for(1.0)
    assert returned(scene) == 3


def test_it_costs_nobody_else_anything(scene: Scene) -> None:
    scene.tell(Connected(OTHER, False, "127.0.0.1:6", None), OpenGate(OTHER, "other"))
    scene.receive(*[UNKNOWN] * 2 * RATES.useless_burst)
    scene.tcp.take()
    scene.receive(UNKNOWN, conn=OTHER)
    assert returned(scene, OTHER) == 1


def test_what_a_room_has_a_use_for_costs_nothing(scene: Scene) -> None:
    for _ in range(10):
        scene.receive(*[CHAT] * RATES.useless_burst)
        scene.tell(Done(CONN, RATES.useless_burst))
        assert returned(scene) == RATES.useless_burst


# -- lines in the log -------------------------------------------------------------------------------


def test_a_thousand_connections_that_send_no_messages_are_closed_with_a_few_lines(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for number in range(1_000):
            conn = ConnId(100 + number)
            scene.tell(Connected(conn, False, f"127.0.0.1:{number}", None))
            scene.receive(b"\xff", conn=conn)
    assert len(scene.tcp.of(Close)) == 1_000
    assert len(caplog.messages) == LINES_AT_ONCE
    assert scene.pump.ask(scene.me, GetMessaging()).malformed == 1_000


def test_no_line_holds_what_a_peer_sent(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        scene.receive(UNKNOWN, UNKNOWN_REQUEST, b"\xffsecret")
    assert not [line for line in caplog.messages if "secret" in line or "nobody" in line]
