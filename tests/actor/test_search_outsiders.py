"""The search actor and outsiders: searches that want every answer, and items that we answer with."""

from __future__ import annotations

from typing import Any

import pytest

from actors.gossip.messages import Decision, GossipReceived, Publish
from actors.messaging.messages import SendRegular
from actors.peers.messages import LinksReset, PeerLinked, PeerUnlinked
from actors.search.messages import (
    MAX_WATCHED_SEARCHES,
    CloseSearch,
    ListItems,
    OpenSearch,
    ProvideItem,
    ProvideOutcome,
    SearchRefusal,
    WithdrawItem,
)
from actors.search.routes import MAX_ANSWER_BYTES, MAX_ANSWERS
from actors.tcp.messages import ConnId
from tests.actor.test_search_actor import (
    ANSWER,
    BOB,
    CAROL,
    DAVE,
    ID,
    QUESTION,
    Stage,
    decisions,
    response,
    sent,
)
from tests.support.listener import Listener

NOTE = ("note", b"motto")


class Room(Stage):
    """The stage of the search actor, with outsiders."""

    def ask(self, question: Any) -> Any:
        return self.pump.ask(self.player.address, question)

    def open(
        self, kind: str = "note", query: bytes = b"motto", timeout_s: float = 5.0
    ) -> tuple[Listener, bytes]:
        """An outsider's search; its sink and its search id."""
        listener = Listener()
        self.out.take()
        assert self.ask(OpenSearch(listener, kind, query, timeout_s)) is None
        (asked,) = self.out.of(Publish)
        assert (asked.kind, asked.payload[16:]) == ("search:" + kind, query)
        return listener, asked.payload[:16]

    def answered(self, payload: bytes, *, conn: int = 2, kind: str = "note") -> None:
        self.tell(response(payload, conn=conn, kind=kind))


# -- searching ------------------------------------------------------------------------------------


def test_an_outsider_gets_each_distinct_answer_with_where_it_came_from() -> None:
    room = Room()
    listener, search_id = room.open()
    room.answered(search_id + b"one", conn=2)
    room.answered(search_id + b"two", conn=3)
    room.answered(search_id + b"one", conn=11)
    one, two = listener.take()
    assert (one.payload, one.peer, one.conn) == (b"one", CAROL, 2)
    assert (two.payload, two.peer, two.at_s) == (b"two", DAVE, room.clock.wall_s())
    assert listener.ends == 0


def test_a_search_is_over_in_time_and_hears_nothing_more() -> None:
    room = Room()
    listener, search_id = room.open(timeout_s=2.0)
    room.pump.run_for(1.9)
    assert listener.ends == 0
    room.pump.run_for(0.1)
    room.answered(search_id + b"late")
    assert (listener.ends, listener.take()) == (1, [])


@pytest.mark.parametrize("with_id", [True, False], ids=["with its id", "without"])
def test_a_search_for_a_block_is_over_with_the_block(with_id: bool) -> None:
    room = Room()
    listener, search_id = room.open("block", QUESTION)
    room.answered(search_id + b"a lie", kind="block")
    room.answered(b"a lie", kind="block")
    assert listener.take() == []
    room.answered((search_id if with_id else b"") + ANSWER, kind="block")
    room.answered(search_id + ANSWER, conn=3, kind="block")
    (answer,) = listener.take()
    assert (answer.payload, listener.ends) == (ANSWER, 1)
    room.pump.run_for(60.0)
    assert listener.ends == 1


def test_a_search_is_over_after_so_many_answers() -> None:
    room = Room()
    listener, search_id = room.open()
    for number in range(MAX_ANSWERS + 5):
        room.answered(search_id + b"%d" % number)
    assert (len(listener.take()), listener.ends) == (MAX_ANSWERS, 1)


def test_a_search_is_over_after_so_many_bytes() -> None:
    room = Room()
    listener, search_id = room.open()
    for number in range(9):
        room.answered(search_id + bytes([number]) * (MAX_ANSWER_BYTES // 4 + 1))
    assert (len(listener.take()), listener.ends) == (4, 1)


def test_only_peers_that_were_asked_answer_and_only_in_the_kind() -> None:
    room = Room()
    listener, search_id = room.open()
    room.tell(PeerLinked(BOB, ConnId(9), initiated=False, first=False), LinksReset())
    room.tell(PeerLinked(CAROL, ConnId(2), initiated=True, first=True))
    room.answered(search_id + b"one", kind="other")
    room.answered(search_id + b"one", conn=9)
    assert listener.take() == []
    room.answered(search_id + b"one")
    assert len(listener.take()) == 1


def test_a_search_that_is_closed_hears_nothing_more() -> None:
    room = Room()
    (listener, search_id), (other, other_id) = room.open(), room.open()
    room.tell(CloseSearch(listener))
    room.answered(search_id + b"one")
    room.answered(other_id + b"one")
    room.pump.run_for(60.0)
    assert (listener.take(), listener.ends) == ([], 0)
    assert (len(other.take()), other.ends) == (1, 1)


def test_without_a_peer_no_search_begins() -> None:
    room = Room()
    room.tell(LinksReset())
    assert room.ask(OpenSearch(Listener(), *NOTE, 5.0)) is SearchRefusal.NO_PEERS
    assert room.out.of(Publish) == []


def test_what_is_no_question_is_not_asked() -> None:
    room = Room()
    search = OpenSearch(Listener(), "block", QUESTION[1:], 5.0)
    assert room.ask(search) is SearchRefusal.NO_QUESTION


def test_only_so_many_searches_are_open_and_one_that_ends_makes_room() -> None:
    room = Room()
    first, _ = room.open()
    for _ in range(MAX_WATCHED_SEARCHES - 1):
        room.open()
    assert room.ask(OpenSearch(Listener(), *NOTE, 5.0)) is SearchRefusal.TOO_MANY
    room.tell(CloseSearch(first))
    room.open()


def test_a_search_waits_after_a_fall_until_the_links_are_told() -> None:
    room = Room()
    room.player.fell()
    room.player.start()
    listener, gone = Listener(), Listener()
    for sink in (listener, gone):
        assert room.ask(OpenSearch(sink, *NOTE, 5.0)) is None
    room.tell(CloseSearch(gone))
    (asked,) = room.tell(LinksReset((PeerLinked(CAROL, ConnId(2), initiated=True, first=True),)))
    room.answered(asked.payload[:16] + b"one")
    assert len(listener.take()) == 1


@pytest.mark.parametrize("end", ["fell", "stop"])
def test_searchers_learn_that_the_actor_goes_down(end: str) -> None:
    room = Room()
    listener, _ = room.open()
    getattr(room.player, end)()
    assert (listener.losses, listener.ends) == (1, 0)
    room.player.start()
    room.pump.run_for(60.0)
    assert listener.ends == 0


# -- items ----------------------------------------------------------------------------------------


def test_a_question_is_answered_with_the_item_and_not_passed_on() -> None:
    room = Room()
    assert room.ask(ProvideItem(*NOTE, b"all the world")) is ProvideOutcome.PROVIDED
    told = room.tell(GossipReceived((room.item(kind="note", question=b"motto"),)))
    assert sent(told) == [SendRegular((ConnId(1),), "search_response:note", ID + b"all the world")]
    assert decisions(told) == [Decision.FINAL]
    assert [item.answers for item in room.ask(ListItems(9))] == [1]


@pytest.mark.parametrize(("kind", "question"), [("note", b"mott"), ("notes", b"motto")])
def test_any_other_question_is_passed_on(kind: str, question: bytes) -> None:
    room = Room()
    room.ask(ProvideItem(*NOTE, b"all the world"))
    told = room.tell(GossipReceived((room.item(kind=kind, question=question),)))
    assert (sent(told), decisions(told)) == ([], [Decision.PASS])


def test_an_item_that_is_withdrawn_is_no_answer() -> None:
    room = Room()
    room.ask(ProvideItem(*NOTE, b"all the world"))
    assert room.ask(WithdrawItem(*NOTE))
    assert not room.ask(WithdrawItem(*NOTE))
    told = room.tell(GossipReceived((room.item(kind="note", question=b"motto"),)))
    assert decisions(told) == [Decision.PASS]


def test_what_a_room_answers_is_no_item() -> None:
    assert Room().ask(ProvideItem("block", QUESTION, ANSWER)) is ProvideOutcome.RESERVED


def test_items_survive_a_fall() -> None:
    room = Room()
    room.ask(ProvideItem(*NOTE, b"all the world"))
    room.player.fell()
    room.player.start()
    room.link_all()
    told = room.tell(GossipReceived((room.item(kind="note", question=b"motto"),)))
    assert decisions(told) == [Decision.FINAL]


def test_open_questions_share_what_they_know_of_who_was_asked_until_the_peers_change() -> None:
    room = Room()
    room.open()
    for number in range(3):
        room.passed_on(search_id=b"%016d" % number)
    room.tell(PeerUnlinked(DAVE, ConnId(3), outbound=None))
    room.passed_on(search_id=b"after the change")
    routes = room.player.actor._routes  # type: ignore[attr-defined]
    asked = [route.asked for route in (*routes.watched(), *routes._relayed.values())]
    assert len({id(peers) for peers in asked}) == 2
    assert asked == [{BOB, CAROL, DAVE}] * 4 + [{BOB, CAROL}]
