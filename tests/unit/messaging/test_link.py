from __future__ import annotations

from actors.messaging.link import MAX_WAITING, Link
from actors.messaging.messages import Inbound, MessageType
from actors.tcp.messages import Connected, ConnId

CONN = ConnId(7)
CONNECTED = Connected(CONN, False, "10.0.0.9:1", None)


def _message(kind: str, message_id: int = 1, type_: MessageType = MessageType.REGULAR) -> Inbound:
    return Inbound(CONN, type_, message_id, kind, b"")


def test_before_the_hello_only_the_peers_room_is_spoken_to() -> None:
    hello, rumour = _message("p2p:hello", type_=MessageType.REQUEST), _message("gossip:chat")
    passage = Link(CONNECTED).pass_gate([rumour, hello])
    assert passage.delivered == [hello]
    assert passage.dropped == 0


def test_what_waited_comes_out_in_order_when_the_gate_opens() -> None:
    link = Link(CONNECTED)
    rumours = [_message("gossip:chat", number) for number in range(3)]
    link.pass_gate(rumours[:1])
    link.pass_gate(rumours[1:])
    assert link.open("a") == rumours
    assert link.open("a") == []


def test_behind_an_open_gate_nothing_waits() -> None:
    link = Link(CONNECTED)
    link.open("a")
    rumours = [_message("gossip:chat")]
    assert link.pass_gate(rumours).delivered == rumours


def test_a_bounded_number_waits_and_the_newest_are_dropped() -> None:
    link = Link(CONNECTED)
    rumours = [_message("gossip:chat", number) for number in range(MAX_WAITING + 3)]
    assert link.pass_gate(rumours).dropped == 3
    assert link.open("a") == rumours[:MAX_WAITING]


def test_only_a_hello_request_is_a_hello() -> None:
    link = Link(CONNECTED)
    assert not link.pass_gate([_message("p2p:hello")]).says_hello
    assert not link.pass_gate([_message("p2p:get_peers", 1, MessageType.REQUEST)]).says_hello
    assert link.pass_gate([_message("p2p:hello", 1, MessageType.REQUEST)]).says_hello
