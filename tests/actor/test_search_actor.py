"""The search actor alone: questions asked, answered, passed on, and the answers' way back."""

import random
from hashlib import sha256
from typing import Any

import pytest

from actors.config import RateSettings
from actors.gossip.messages import (
    Decision,
    GossipItem,
    GossipReceived,
    Publish,
    PublishTo,
    Verdicts,
)
from actors.messaging.messages import Done, Inbound, MessageType, Received, SendRegular
from actors.peers.messages import LinksReset, PeerId, PeerLinked, PeerUnlinked, Resync
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.search.actor import LOOK_UP_TIMEOUT_S, SearchActor
from actors.search.items import Items
from actors.search.messages import LookedUp, LookUp, SearchEnded, StartSearch
from actors.search.routes import MAX_OWN_SEARCHES
from actors.tcp.messages import ConnId
from tests.support.player import Player
from tests.support.probe import Probe
from tests.support.vectors import workshop

RATES = RateSettings()
BOB, CAROL, DAVE = PeerId("bob:1"), PeerId("carol:1"), PeerId("dave:1")
ID = b"search id, 16 by"
ANSWER = b"a serialized block"
QUESTION = sha256(ANSWER).digest()


class Stage:
    """A search actor with three peers: Bob over 1 and 11, Carol over 2, Dave over 3."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.pump = Pump(1, self.clock)
        self.out = Probe(self.pump, "gossip and messaging")
        self.chain = Probe(self.pump, "chain")
        self.room = Probe(self.pump, "a room that asks")
        self.peers = Probe(self.pump, "peers")
        self._tickets = iter(range(1, 1_000_000))
        rng, items = random.Random(7), Items()
        self.player = Player(
            self.pump,
            "search",
            lambda me: SearchActor(
                me=me,
                providers={"block": self.chain.address},
                items=items,
                gossip=self.out.address,
                messaging=self.out.address,
                peers=self.peers.address,
                clock=self.clock,
                rng=rng,
            ),
        )
        self.link_all()

    def link_all(self) -> None:
        self.tell(
            LinksReset(),
            PeerLinked(BOB, ConnId(1), initiated=False, first=True),
            PeerLinked(BOB, ConnId(11), initiated=False, first=False),
            PeerLinked(CAROL, ConnId(2), initiated=True, first=True),
            PeerLinked(DAVE, ConnId(3), initiated=False, first=True),
        )

    def tell(self, *messages: Any) -> list[Any]:
        """What gossip and messaging are told in consequence."""
        self.out.take()
        for message in messages:
            self.player.address.tell(message)
        self.pump.run_until_idle()
        return self.out.take()

    def start(self, only: ConnId | None = None, timeout_s: float = 30.0) -> list[Any]:
        return self.tell(StartSearch(7, "block", QUESTION, self.room.address, only, timeout_s))

    def item(
        self, search_id: bytes = ID, question: bytes = QUESTION, *, kind: str = "block"
    ) -> GossipItem:
        """A question of Bob's."""
        payload = search_id + question
        return GossipItem(next(self._tickets), "search:" + kind, payload, BOB, ConnId(1))

    def look_ups(self) -> list[LookUp]:
        return [message for message in self.chain.take() if isinstance(message, LookUp)]

    def serve_look_ups(self) -> int:
        """How many look-ups there were, now answered."""
        look_ups = self.look_ups()
        self.tell(*(LookedUp(look_up.ticket, ANSWER) for look_up in look_ups))
        return len(look_ups)

    def passed_on(self, **question: Any) -> None:
        """A question of Bob's that we cannot answer."""
        self.tell(GossipReceived((self.item(**question),)))
        for look_up in self.look_ups():
            self.tell(LookedUp(look_up.ticket, None))


def response(payload: bytes, *, conn: int = 2, kind: str = "block") -> Received:
    message = Inbound(ConnId(conn), MessageType.REGULAR, 4, "search_response:" + kind, payload)
    return Received((message,))


def decisions(told: list[Any]) -> list[Decision]:
    batches = [message for message in told if isinstance(message, Verdicts)]
    return [decision for batch in batches for _, decision in batch.decisions]


def sent(told: list[Any]) -> list[SendRegular]:
    return [message for message in told if isinstance(message, SendRegular)]


# -- our own searches ---------------------------------------------------------------------------


def test_a_search_is_gossiped_with_an_id_of_its_own() -> None:
    stage = Stage()
    (first,), (second,) = stage.start(), stage.start()
    assert isinstance(first, Publish)
    assert first.kind == "search:block"
    assert first.payload[16:] == QUESTION
    assert first.payload[:16] != second.payload[:16]


def test_a_search_may_go_to_one_connection_only() -> None:
    stage = Stage()
    (asked,) = stage.start(only=ConnId(2))
    assert isinstance(asked, PublishTo)
    assert asked.conns == (2,)
    stage.tell(response(ANSWER, conn=3), response(asked.payload[:16] + ANSWER, conn=3))
    assert stage.room.take() == []
    stage.tell(response(ANSWER, conn=2))
    assert stage.room.take() == [SearchEnded(7, ANSWER, ConnId(2))]


@pytest.mark.parametrize("with_id", [True, False], ids=["with its id", "without"])
def test_an_answer_ends_the_search_once(with_id: bool) -> None:
    stage = Stage()
    (asked,) = stage.start()
    payload = (asked.payload[:16] if with_id else b"") + ANSWER
    assert stage.tell(response(payload)) == [Done(ConnId(2), 1)]
    stage.tell(response(payload, conn=3))
    stage.pump.run_for(60.0)
    assert stage.room.take() == [SearchEnded(7, ANSWER, ConnId(2))]


def test_any_connection_of_a_peer_that_was_asked_may_answer() -> None:
    stage = Stage()
    stage.start()
    stage.tell(response(ANSWER, conn=11))
    assert stage.room.take() == [SearchEnded(7, ANSWER, ConnId(11))]


def test_a_lie_does_not_end_the_search() -> None:
    stage = Stage()
    (asked,) = stage.start()
    stage.tell(response(asked.payload[:16] + b"a lie"), response(b"a lie"), response(b""))
    assert stage.room.take() == []
    stage.tell(response(asked.payload[:16] + ANSWER))
    assert stage.room.take() == [SearchEnded(7, ANSWER, ConnId(2))]


def test_a_search_without_an_answer_ends_in_time() -> None:
    stage = Stage()
    (asked,) = stage.start(timeout_s=2.0)
    stage.pump.run_for(1.9)
    assert stage.room.take() == []
    stage.pump.run_for(0.1)
    assert stage.room.take() == [SearchEnded(7, None, None)]
    stage.tell(response(asked.payload[:16] + ANSWER))
    assert stage.room.take() == []


def test_one_search_too_many_ends_at_once() -> None:
    stage = Stage()
    for _ in range(MAX_OWN_SEARCHES):
        stage.start()
    assert stage.start() == []
    assert stage.room.take() == [SearchEnded(7, None, None)]


def test_a_peer_that_came_after_the_question_has_no_say() -> None:
    stage = Stage()
    stage.start()
    stage.tell(PeerLinked(PeerId("eve:1"), ConnId(4), initiated=False, first=True))
    stage.tell(response(ANSWER, conn=4))
    assert stage.room.take() == []


# -- others' questions --------------------------------------------------------------------------


def test_a_question_that_we_can_answer_is_answered_where_it_came_from_and_not_relayed() -> None:
    stage = Stage()
    assert stage.tell(GossipReceived((item := stage.item(),))) == []
    (look_up,) = stage.look_ups()
    assert look_up.query == QUESTION
    assert stage.tell(LookedUp(look_up.ticket, ANSWER)) == [
        SendRegular((ConnId(1),), "search_response:block", ID + ANSWER),
        Verdicts(((item.ticket, Decision.FINAL),)),
    ]
    assert stage.tell(LookedUp(look_up.ticket, ANSWER)) == []


@pytest.mark.parametrize("with_id", [True, False], ids=["with its id", "without"])
def test_a_question_passed_on_gets_its_answer_back_with_its_id(with_id: bool) -> None:
    stage = Stage()
    item = stage.item()
    stage.tell(GossipReceived((item,)))
    (look_up,) = stage.look_ups()
    assert stage.tell(LookedUp(look_up.ticket, None)) == [Verdicts(((item.ticket, Decision.PASS),))]
    answer = response((ID if with_id else b"") + ANSWER)
    assert sent(stage.tell(answer)) == [
        SendRegular((ConnId(1),), "search_response:block", ID + ANSWER)
    ]
    assert sent(stage.tell(answer)) == []


def test_the_vector_of_an_answer_without_its_id_is_understood() -> None:
    name = "search_response:block as nodes in the field forward it (search id lost)"
    frames = {vector["name"]: bytes.fromhex(vector["frame"]) for vector in workshop()["frames"]}
    block = frames[name][9:].partition(b"\0")[2]
    stage = Stage()
    stage.passed_on(question=sha256(block).digest())
    (forwarded,) = sent(stage.tell(response(block)))
    assert forwarded.payload == ID + block


@pytest.mark.parametrize("payload", [ID + b"a lie", b"a lie"])
def test_a_lie_is_not_forwarded(payload: bytes) -> None:
    stage = Stage()
    stage.passed_on()
    assert sent(stage.tell(response(payload))) == []


def test_who_asked_cannot_answer_itself() -> None:
    stage = Stage()
    stage.passed_on()
    assert sent(stage.tell(response(ID + ANSWER, conn=1), response(ANSWER, conn=11))) == []


def test_the_way_back_is_remembered_for_half_a_minute() -> None:
    stage = Stage()
    stage.passed_on()
    stage.pump.run_for(30.0)
    assert sent(stage.tell(response(ID + ANSWER))) == []


def test_a_kind_without_a_provider_is_passed_on_and_its_answer_carried_back() -> None:
    stage = Stage()
    told = stage.tell(GossipReceived((stage.item(kind="item", question=b"q"),)))
    assert decisions(told) == [Decision.PASS]
    (forwarded,) = sent(stage.tell(response(ID + b"unchecked", kind="item")))
    assert (forwarded.conns, forwarded.kind) == ((1,), "search_response:item")


@pytest.mark.parametrize(("search_id", "question"), [(b"short", b""), (ID, b"x")])
def test_what_is_no_question_ends_here_for_good(search_id: bytes, question: bytes) -> None:
    stage = Stage()
    asked = GossipReceived((stage.item(search_id, question),))
    assert decisions(stage.tell(asked)) == [Decision.FINAL]
    assert stage.look_ups() == []


def test_a_question_whose_id_is_open_is_not_asked_again() -> None:
    stage = Stage()
    (asked,) = stage.start()
    stage.passed_on()
    both = GossipReceived((stage.item(), stage.item(search_id=asked.payload[:16])))
    assert decisions(stage.tell(both)) == [Decision.DROP] * 2


def test_the_same_question_twice_at_once_is_passed_on_once() -> None:
    stage = Stage()
    stage.tell(GossipReceived((stage.item(), stage.item())))
    first, second = stage.look_ups()
    assert decisions(stage.tell(LookedUp(first.ticket, None), LookedUp(second.ticket, None))) == [
        Decision.PASS,
        Decision.DROP,
    ]


def test_a_peer_that_asks_too_fast_waits_and_is_answered_in_full() -> None:
    stage = Stage()
    for batch in range(3):
        ids = range(batch * RATES.look_up_burst, (batch + 1) * RATES.look_up_burst)
        items = tuple(stage.item(number.to_bytes(16, "big")) for number in ids)
        stage.tell(GossipReceived(items))
    for _ in range(3):
        assert stage.serve_look_ups() == RATES.look_up_burst
        stage.pump.run_for(RATES.look_up_burst / RATES.look_ups_per_s)
    assert stage.serve_look_ups() == 0


def test_the_questions_of_a_peer_that_left_are_dropped_and_are_news_from_others() -> None:
    stage = Stage()
    stage.tell(PeerUnlinked(BOB, ConnId(1), ConnId(11)))
    stage.tell(GossipReceived((stage.item(),)))
    (look_up,) = stage.look_ups()
    stage.tell(PeerUnlinked(BOB, ConnId(11), None))
    told = stage.tell(LookedUp(look_up.ticket, None), GossipReceived((stage.item(),)))
    assert decisions(told) == [Decision.UNHEARD] * 2


def test_a_provider_that_never_answers_holds_a_question_for_some_seconds() -> None:
    stage = Stage()
    stage.tell(GossipReceived((stage.item(),)))
    (look_up,) = stage.look_ups()
    stage.pump.run_for(LOOK_UP_TIMEOUT_S - 0.1)
    assert stage.out.take() == []
    stage.pump.run_for(LOOK_UP_TIMEOUT_S)
    assert decisions(stage.out.take()) == [Decision.UNHEARD]
    assert stage.tell(LookedUp(look_up.ticket, ANSWER)) == []


# -- responses ----------------------------------------------------------------------------------


def test_a_batch_of_responses_gives_its_credit_back_at_once() -> None:
    stage = Stage()
    (first,) = response(b"nothing").messages
    request = first._replace(type=MessageType.REQUEST, payload=ANSWER)
    stage.start()
    assert stage.tell(Received((first, request, first))) == [Done(ConnId(2), 3, useless=3)]
    assert stage.room.take() == []


@pytest.mark.parametrize("event", [LinksReset(), PeerUnlinked(CAROL, ConnId(2), None)])
def test_who_is_no_peer_any_more_has_no_say(event: LinksReset | PeerUnlinked) -> None:
    stage = Stage()
    stage.start()
    assert stage.tell(event, response(ANSWER)) == [Done(ConnId(2), 1)]
    assert stage.room.take() == []


# -- falls --------------------------------------------------------------------------------------


def test_at_start_it_asks_for_the_links() -> None:
    stage = Stage()
    (resync,) = stage.peers.take()
    assert isinstance(resync, Resync)
    stage.player.fell()
    stage.player.start()
    assert stage.peers.take() == [resync]


def test_a_fall_ends_our_searches_and_drops_the_questions_of_others() -> None:
    stage = Stage()
    stage.start()
    stage.tell(GossipReceived((item := stage.item(),)))
    stage.player.fell()
    assert stage.room.take() == [SearchEnded(7, None, None)]
    assert stage.out.take() == [Verdicts(((item.ticket, Decision.UNHEARD),))]


def test_look_ups_that_were_lost_in_a_fall_mean_nothing() -> None:
    stage = Stage()
    stage.tell(GossipReceived((stage.item(),)))
    (late,) = stage.look_ups()
    stage.player.fell()
    stage.player.start()
    stage.link_all()
    stage.tell(GossipReceived((stage.item(),)))
    assert stage.tell(LookedUp(late.ticket, ANSWER)) == []


def test_an_earlier_incarnations_timers_mean_nothing() -> None:
    stage = Stage()
    stage.start()
    stage.player.fell()
    stage.room.take()
    stage.player.start()
    before = stage.player.actor.box.report().handled
    stage.pump.run_for(10 * LOOK_UP_TIMEOUT_S)
    stale = 2  # a time-out and a sweep
    assert stage.player.actor.box.report().handled - before == 10 + stale
    assert stage.room.take() == []
