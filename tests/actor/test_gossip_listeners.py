"""The gossip actor and outsiders: who hears what, what is passed on for it, and what they may publish."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest

from actors.config import RateSettings
from actors.gossip.counts import MAX_HEARD_KINDS
from actors.gossip.messages import (
    MAX_LISTENERS,
    Decision,
    Listen,
    Publish,
    Published,
    PublishGossip,
    PublishRefusal,
    PublishTo,
    Unlisten,
)
from actors.messaging.messages import Inbound, MessageType, SendRegular
from actors.peers.messages import LinksReset, PeerLinked, PeerUnlinked
from actors.runtime.address import ActorDownError
from actors.tcp.messages import ConnId
from tests.actor.test_gossip_actor import (
    BLOCK,
    BOB,
    CAROL,
    ID_1,
    ID_2,
    TX,
    Stage,
    credit,
    received,
    relays,
    rumour,
)
from tests.support.listener import Listener

RATES = RateSettings()
CHAT = "chat"
LINE = b"ada\0hello"


def said(body: bytes = LINE, *, number: int = 1, conn: int = 1, kind: str = CHAT) -> Inbound:
    return rumour(body, conn=conn, kind=kind, message_id=number.to_bytes(16, "big"))


class Room(Stage):
    """The stage of the gossip actor, with outsiders."""

    def listener(self, *kinds: str) -> Listener:
        listener = Listener()
        assert self.ask(Listen(listener, frozenset(kinds)))
        return listener

    def ask(self, question: Any) -> Any:
        return self.pump.ask(self.player.address, question)


# -- hearing --------------------------------------------------------------------------------------


def test_a_listener_hears_news_of_its_kinds_once_with_where_it_came_from() -> None:
    room = Room()
    listener = room.listener(CHAT, "search")
    room.tell(received(said(), said()), received(said(conn=2)))
    room.tell(received(rumour(b"tx"), rumour(b"q" * 20, kind="search:block")))
    heard, search = listener.take()
    assert (heard.kind, heard.payload, heard.peer) == (CHAT, LINE, BOB)
    assert (heard.message_id, heard.at_s) == ((1).to_bytes(16, "big"), room.clock.wall_s())
    assert search.kind == "search:block"


def test_a_listener_without_kinds_hears_all_and_has_nothing_passed_on() -> None:
    room = Room()
    listener = room.listener()
    told = room.tell(received(rumour(b"tx"), said(), said(kind="never-heard-of")))
    assert [heard.kind for heard in listener.take()] == [TX, CHAT, "never-heard-of"]
    assert relays(told) == []
    assert room.kind(CHAT).dropped == 1


def test_what_a_room_judges_is_heard_before_it_is_judged() -> None:
    room = Room()
    listener = room.listener(TX)
    assert relays(room.tell(received(rumour(b"bad")))) == []
    assert [heard.payload for heard in listener.take()] == [b"bad"]
    assert relays(room.judge(Decision.FINAL)) == []


def test_two_listeners_hear_the_same_and_one_that_left_nothing() -> None:
    room = Room()
    first, second = room.listener(CHAT), room.listener(CHAT)
    room.tell(received(said(number=1)), Unlisten(first), received(said(number=2)))
    assert (len(first.take()), len(second.take())) == (1, 2)


def test_what_we_publish_is_heard_here_too() -> None:
    room = Room()
    listener = room.listener(CHAT, TX)
    room.tell(Publish(TX, b"tx"), PublishTo((ConnId(2),), TX, b"to one alone"))
    (heard,) = listener.take()
    assert (heard.kind, heard.payload, heard.peer) == (TX, b"tx", None)


def test_only_so_many_may_listen() -> None:
    room = Room()
    listeners = [room.listener() for _ in range(MAX_LISTENERS)]
    assert not room.ask(Listen(Listener(), frozenset()))
    assert room.ask(Listen(listeners[0], frozenset({CHAT})))
    room.tell(Unlisten(listeners[1]))
    assert room.ask(Listen(Listener(), frozenset()))
    assert room.info().listeners == MAX_LISTENERS


# -- passing on -----------------------------------------------------------------------------------


def test_a_kind_without_a_room_is_passed_on_unchanged_while_somebody_subscribes() -> None:
    room = Room()
    assert relays(room.tell(received(said(number=1)))) == []
    listener = room.listener(CHAT)
    told = room.tell(received(said(number=2, conn=11)))
    (relay,) = relays(told)
    assert (relay.conns, relay.messages) == (
        (2, 3),
        (("gossip:chat", (2).to_bytes(16, "big") + LINE),),
    )
    assert credit(told) == {11: 1}
    room.tell(Unlisten(listener))
    assert relays(room.tell(received(said(number=3)))) == []
    assert (room.kind(CHAT).relayed, room.kind(CHAT).dropped) == (1, 2)


def test_a_subscriber_to_the_first_part_of_kinds_has_them_passed_on() -> None:
    room = Room()
    room.listener("game")
    (relay,) = relays(room.tell(received(said(b"move", kind="game:chess"))))
    assert relay.messages[0][0] == "gossip:game:chess"
    assert relays(room.tell(received(said(b"move", kind="games")))) == []


def test_the_same_line_under_another_id_is_said_again() -> None:
    room = Room()
    listener = room.listener(CHAT)
    assert len(relays(room.tell(received(said(number=1)), received(said(number=2))))) == 2
    assert len(listener.take()) == 2


@pytest.mark.parametrize(
    "message",
    [
        said(b"no zero"),
        said(b"\0nobody"),
        said(b"ada\0\xff"),
        said(b"ada\0" + b"x" * 4_093),
        said()._replace(type=MessageType.REQUEST),
        said()._replace(payload=ID_1[:15]),
        said()._replace(kind="chat"),
    ],
    ids=["no zero", "no name", "no UTF-8", "too long", "request", "no id", "no gossip"],
)
def test_what_is_no_chat_is_neither_heard_nor_passed_on(message: Inbound) -> None:
    room = Room()
    listener = room.listener(CHAT)
    told = room.tell(received(message))
    assert (relays(told), credit(told)) == ([], {1: 1})
    assert listener.take() == []
    assert room.kind(CHAT).dropped == 1


def test_a_peer_has_only_so_much_passed_on_and_is_heard_all_the_same() -> None:
    room = Room()
    listener = room.listener(CHAT)

    def passed(first: int, conn: int = 1) -> int:
        lines = [said(number=number, conn=conn) for number in range(first, first + 20)]
        return sum(len(relay.messages) for relay in relays(room.tell(received(*lines))))

    assert passed(100) == RATES.talk_relay_burst
    assert passed(200, conn=11) == 0  # the same peer
    assert passed(300, conn=2) == RATES.talk_relay_burst  # another one
    room.pump.run_for(1.0)
    assert passed(400) == RATES.talk_relays_per_s
    assert len(listener.take()) == 80


def test_a_line_beyond_its_senders_rate_is_passed_on_when_another_peer_says_it() -> None:
    """Who repeats the lines of others faster than it may cannot keep them from everybody."""
    room = Room()
    listener = room.listener(CHAT)
    room.tell(received(*(said(number=number) for number in range(RATES.talk_relay_burst))))
    copied = said(b"bob\0listen", number=99)
    assert relays(room.tell(received(copied))) == []
    (relay,) = relays(room.tell(received(copied._replace(conn=ConnId(2)))))
    assert relay.messages == ((copied.kind, copied.payload),)
    assert [heard.payload for heard in listener.take()].count(b"bob\0listen") == 1
    assert relays(room.tell(received(copied._replace(conn=ConnId(3))))) == []


@pytest.mark.parametrize("kind", [CHAT, "never-heard-of"])
@pytest.mark.parametrize("flooded", [CHAT, "never-heard-of"])
def test_a_line_that_its_sender_may_not_even_be_heard_with_is_heard_of_another(
    kind: str, flooded: str
) -> None:
    """Whatever it used up its allowance with; and whether anybody has the line passed on or not."""
    room = Room()
    everything, chat = room.listener(), room.listener(CHAT)
    flood = [said(number=number, kind=flooded) for number in range(RATES.talk_heard_burst)]
    copied = said(number=9_999, kind=kind)
    room.tell(received(*flood, copied))
    assert copied.payload[:16] not in {heard.message_id for heard in everything.take()}
    chat.take()
    room.tell(received(copied._replace(conn=ConnId(2))))
    assert [heard.message_id for heard in everything.take()] == [copied.payload[:16]]
    assert len(chat.take()) == (kind == CHAT)


def test_a_line_beyond_the_rate_that_comes_again_and_again_is_heard_once() -> None:
    room = Room()
    listener = room.listener(CHAT)
    room.tell(received(*(said(number=number) for number in range(RATES.talk_relay_burst))))
    for _ in range(3):
        assert relays(room.tell(received(said(b"bob\0again", number=99)))) == []
    assert [heard.payload for heard in listener.take()].count(b"bob\0again") == 1


def test_a_peer_is_heard_only_so_much_in_kinds_that_no_room_judges() -> None:
    room = Room()
    listener = room.listener()

    def heard(first: int) -> int:
        lines = [said(number=n) for n in range(first, first + RATES.talk_heard_burst + 50)]
        room.tell(received(*lines))
        return len(listener.take())

    assert heard(1) == RATES.talk_heard_burst
    room.pump.run_for(1.0)
    assert heard(10_000) == RATES.talk_heard_per_s
    for batch in range(2):  # of what a room judges it is heard without limit
        room.tell(received(*(rumour(b"%d-%d" % (batch, n)) for n in range(400))))
        room.judge(Decision.DROP)
    assert len(listener.take()) == 800


def test_a_peer_that_comes_back_has_its_allowance_anew() -> None:
    room = Room()
    room.listener(CHAT)

    def passed(first: int) -> int:
        lines = [said(number=number, conn=2) for number in range(first, first + 20)]
        return sum(len(relay.messages) for relay in relays(room.tell(received(*lines))))

    carol = PeerLinked(CAROL, ConnId(2), initiated=True, first=True)
    assert passed(100) == RATES.talk_relay_burst
    room.tell(LinksReset((carol,)))
    assert passed(200) == 0
    room.tell(PeerUnlinked(CAROL, ConnId(2), None), carol)
    assert passed(300) == RATES.talk_relay_burst


def test_kinds_that_a_peer_invents_take_no_count_from_one_that_a_room_judges() -> None:
    room = Room()
    invented = MAX_HEARD_KINDS + 1
    room.tell(received(*(said(kind=f"kind-{n}") for n in range(invented))))
    room.tell(received(rumour(b"tx")), received(rumour(b"q" * 20, kind="search:made-up")))
    assert room.kind(TX).received == 1
    assert room.kind("").received == 2  # one of the kinds, and the search


# -- publishing -----------------------------------------------------------------------------------


def test_an_outsider_may_publish_what_no_room_judges() -> None:
    room = Room()
    listener = room.listener(CHAT)
    published = room.ask(PublishGossip(CHAT, LINE))
    (sent,) = room.messaging.of(SendRegular)
    assert (sent.conns, sent.kind) == ((1, 2, 3), "gossip:chat")
    assert sent.payload == published.message_id + LINE
    assert published == Published(sent.payload[:16], 3)
    (heard,) = listener.take()
    assert (heard.message_id, heard.peer) == (published.message_id, None)


def test_an_outsider_may_publish_the_same_again_and_its_echo_is_a_duplicate() -> None:
    room = Room()
    listener = room.listener(CHAT)
    first, second = room.ask(PublishGossip(CHAT, LINE)), room.ask(PublishGossip(CHAT, LINE))
    assert first.message_id != second.message_id
    room.tell(received(rumour(LINE, kind=CHAT, message_id=first.message_id)))
    room.tell(received(rumour(LINE, kind=CHAT, message_id=ID_2)))  # somebody says the same
    assert [heard.peer for heard in listener.take()] == [None, None, BOB]
    assert (room.kind(CHAT).published, room.kind(CHAT).duplicates) == (2, 1)


@pytest.mark.parametrize(
    ("kind", "payload", "refusal"),
    [
        (TX, b"tx", PublishRefusal.HANDLED),
        (BLOCK, b"block", PublishRefusal.HANDLED),
        ("search:block", b"", PublishRefusal.HANDLED),
        (CHAT, b"ada\0" + b"x" * 4_093, PublishRefusal.TOO_LONG),
        (CHAT, b"hello", PublishRefusal.MALFORMED),
    ],
)
def test_an_outsider_may_not_publish_just_anything(
    kind: str, payload: bytes, refusal: PublishRefusal
) -> None:
    room = Room()
    assert room.ask(PublishGossip(kind, payload)) is refusal
    assert room.messaging.of(SendRegular) == []


def test_without_a_peer_only_listeners_here_hear_it() -> None:
    room = Room()
    room.tell(LinksReset())
    listener = room.listener(CHAT)
    assert room.ask(PublishGossip(CHAT, LINE)).peers == 0
    assert len(listener.take()) == 1


# -- falls and restarts ---------------------------------------------------------------------------


def test_what_an_outsider_publishes_waits_for_the_links_and_is_answered_then() -> None:
    room = Room()
    room.player.fell()
    room.player.start()
    answer = room.player.address.ask_soon(PublishGossip(CHAT, LINE))
    room.pump.run_until_idle()
    assert not answer.done()
    room.tell(LinksReset((PeerLinked(BOB, ConnId(1), initiated=True, first=True),)))
    assert answer.result(0) == Published(ANY, 1)


def test_a_fall_refuses_what_outsiders_had_waiting() -> None:
    room = Room()
    room.player.fell()
    room.player.start()
    answer = room.player.address.ask_soon(PublishGossip(CHAT, LINE))
    room.player.fell()
    with pytest.raises(ActorDownError):
        answer.result(0)
    room.player.start()
    assert room.tell(LinksReset()) == []


@pytest.mark.parametrize("end", ["fell", "stop"])
def test_listeners_learn_that_the_actor_goes_down_and_are_forgotten(end: str) -> None:
    room = Room()
    listener = room.listener(CHAT)
    room.tell(received(rumour(b"tx", conn=2)))
    getattr(room.player, end)()
    assert listener.losses == 1
    assert credit(room.messaging.take()) == {2: 1}
    room.player.start()
    room.link_all()
    assert relays(room.tell(received(said()))) == []
    assert (listener.take(), room.info().listeners) == ([], 0)


def test_no_outsider_makes_more_wait_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.gossip.actor.MAX_HELD", 2)
    room = Room()
    room.player.fell()
    room.player.start()
    answers = [room.player.address.ask_soon(PublishGossip(CHAT, LINE)) for _ in range(3)]
    room.pump.run_until_idle()
    with pytest.raises(ActorDownError):
        answers[0].result(0)
    room.tell(LinksReset())
    assert [answer.result(0) for answer in answers[1:]] == [Published(ANY, 0)] * 2
