"""The gossip actor when handlers are busy: what waits is handed on by turns, and no peer waits behind all that
another one said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.gossip.actor import SWEEP_S, VERDICT_TIMEOUT_S
from actors.gossip.docket import LEAST_ROOM, MOST_ROOM, PLACES, TURN_PARTS, places_for
from actors.gossip.kinds import Kinds
from actors.gossip.messages import Decision, GossipItem, GossipReceived, Verdicts
from actors.messaging.messages import Inbound
from actors.peers.messages import (
    ConnectionMisbehaved,
    LinksReset,
    PeerId,
    PeerLinked,
    PeerUnlinked,
)
from actors.tcp.messages import ConnId
from tests.actor.test_gossip_actor import (
    BLOCK,
    BOB,
    CAROL,
    ID_2,
    TX,
    Stage,
    credit,
    received,
    relays,
    rumour,
)

TURN = PLACES // TURN_PARTS
CREDIT = 256
"""What a connection may have in the house."""


def flood(conn: int, count: int = CREDIT, *, kind: str = TX) -> Any:
    """As many different rumours of one connection."""
    return received(*(rumour(b"%d-%d" % (conn, n), conn=conn, kind=kind) for n in range(count)))


class Busy(Stage):
    """A stage with any number of flooders, whose handlers judge in order when they are told to."""

    def __init__(self, flooders: int = 0, **limits: int) -> None:
        super().__init__(**limits)
        self.conns = [100 + number for number in range(flooders)]
        self.tell(
            *(
                PeerLinked(PeerId(f"flooder:{conn}"), ConnId(conn), initiated=False, first=True)
                for conn in self.conns
            )
        )
        self.waiting: list[GossipItem] = []

    def judge_some(self, count: int, decision: Decision = Decision.DROP) -> list[Any]:
        """The handlers judge the oldest that they have."""
        self.waiting += self.items()
        judged, self.waiting = self.waiting[:count], self.waiting[count:]
        return self.tell(Verdicts(tuple((item.ticket, decision) for item in judged)))

    def judged_before(self, body: bytes) -> int:
        """Judge one by one until this comes: how many came before it."""
        for count in range(100_000):
            self.waiting += self.items()
            assert self.waiting, "it never came"
            if self.waiting[0].payload == body:
                return count
            self.judge_some(1)
        raise AssertionError


@pytest.mark.parametrize("flooders", [1, 24])
def test_an_honest_rumour_waits_for_what_its_handler_has_and_one_turn_of_each_flooder(
    flooders: int,
) -> None:
    stage = Busy(flooders)
    for conn in stage.conns:
        stage.tell(flood(conn, 4 * CREDIT))  # of as many connections as a peer may have
    stage.tell(received(rumour(b"honest", conn=2)))
    assert stage.judged_before(b"honest") <= PLACES + flooders * TURN


@pytest.mark.parametrize(("limit_bytes", "most"), [(16 * 1024, 16), (1024 * 1024, 4)])
def test_an_honest_block_waits_for_few_of_others(limit_bytes: int, most: int) -> None:
    stage = Busy(24, block=limit_bytes)
    places = places_for(Kinds({BLOCK: stage.chain.address}, {BLOCK: limit_bytes}).named(BLOCK))
    assert places == most
    for conn in stage.conns:
        stage.tell(flood(conn, kind=BLOCK))
    stage.tell(received(rumour(b"honest", conn=2, kind=BLOCK)))
    assert stage.judged_before(b"honest") <= places + 24 * max(1, places // TURN_PARTS)


def test_what_a_flooder_says_too_is_judged_when_an_honest_peer_says_it() -> None:
    """He cannot hold it back by putting it at the end of his own queue."""
    stage = Busy(1)
    news = rumour(b"news", conn=100, message_id=ID_2)
    for _ in range(3):
        stage.tell(flood(100, 4 * CREDIT))
    stage.tell(received(news), received(news._replace(conn=ConnId(2))))
    assert stage.judged_before(b"news") <= PLACES + TURN
    assert stage.waiting[0].peer == CAROL


def test_where_others_have_filled_all_there_is_an_honest_rumour_has_room() -> None:
    stage = Busy(40)
    for conn in stage.conns:
        stage.tell(flood(conn, 4 * CREDIT))
    honest = [rumour(b"honest %d" % n, conn=2) for n in range(2 * LEAST_ROOM)]
    before = stage.kind().dropped
    stage.tell(received(*honest))
    assert stage.kind().dropped - before == LEAST_ROOM
    assert stage.judged_before(b"honest 0") <= PLACES + 41 * TURN


def test_an_idle_handler_is_given_everything_at_once() -> None:
    stage = Busy(1)
    stage.tell(flood(100))
    (batch,) = stage.handler.of(GossipReceived)
    assert len(batch.items) == CREDIT


def test_a_turn_is_of_one_connection() -> None:
    stage = Busy()
    stage.tell(flood(2, PLACES), flood(1, 8), flood(11, 8))
    stage.judge_some(PLACES)
    turns = stage.handler.of(GossipReceived)
    assert [{item.conn for item in turn.items} for turn in turns] == [{1}, {11}]


def test_the_credit_of_what_waits_returns_with_its_verdict() -> None:
    stage = Busy()
    stage.tell(flood(2, PLACES))
    assert credit(stage.tell(flood(1, 10))) == {}
    assert stage.info().awaiting_verdict == PLACES + 10
    assert credit(stage.judge_some(PLACES)) == {2: PLACES}
    assert credit(stage.judge_some(10)) == {1: 10}


def test_what_was_news_when_it_came_and_is_not_when_its_turn_comes_is_a_duplicate() -> None:
    stage = Busy()
    stage.tell(flood(2, PLACES))
    same = [rumour(b"same", conn=conn) for conn in (1, 2, 3)]
    stage.tell(*(received(each) for each in same))
    told = stage.judge_some(PLACES)
    assert [item.payload for item in stage.items()] == [b"same"]
    assert credit(told) == {2: PLACES + 1, 3: 1}
    assert stage.kind().duplicates == 2


@pytest.mark.parametrize(
    "news",
    [PeerUnlinked(CAROL, ConnId(2), None), LinksReset()],
    ids=["it left", "peers began anew"],
)
def test_what_waits_for_the_turn_of_a_peer_that_is_gone_is_dropped(news: Any) -> None:
    stage = Busy()
    stage.tell(flood(1, PLACES), flood(2, 7))
    assert credit(stage.tell(news)) == {2: 7}
    assert stage.info().awaiting_verdict == PLACES
    stage.judge_some(PLACES)
    assert stage.items() == []


def test_who_comes_again_and_again_has_no_more_waiting_than_his_connections_may_bring() -> None:
    stage = Busy()
    for first in range(0, 40 * CREDIT, CREDIT):
        bodies = (b"%d" % number for number in range(first, first + CREDIT))
        stage.tell(received(*(rumour(body, conn=11) for body in bodies)))
        stage.tell(
            PeerUnlinked(BOB, ConnId(11), ConnId(1)),
            PeerLinked(BOB, ConnId(11), initiated=False, first=False),
        )
    assert stage.info().awaiting_verdict == PLACES + MOST_ROOM


def test_a_peer_that_lost_one_of_its_links_keeps_its_turn() -> None:
    stage = Busy()
    stage.tell(flood(2, PLACES), flood(1, 7))
    stage.tell(PeerUnlinked(BOB, ConnId(1), ConnId(11)))
    stage.judge_some(PLACES)
    assert len(stage.items()) == 7


def test_a_handler_that_stands_still_for_a_minute_holds_up_no_connection_for_longer() -> None:
    stage = Busy()
    stage.tell(flood(1, PLACES), flood(2, 7))
    stage.pump.run_for(VERDICT_TIMEOUT_S + SWEEP_S)
    assert credit(stage.messaging.take()) == {1: PLACES, 2: 7}
    assert (stage.info().awaiting_verdict, stage.kind().dropped) == (0, PLACES + 7)


def test_what_was_never_judged_is_news_when_it_comes_again() -> None:
    stage = Stage()
    stage.tell(received(rumour(b"tx")))
    stage.pump.run_for(VERDICT_TIMEOUT_S + SWEEP_S)
    stage.items()
    stage.tell(received(rumour(b"tx", conn=2)))
    assert [item.payload for item in stage.items()] == [b"tx"]


def test_what_a_search_delays_holds_up_no_other_question() -> None:
    stage = Busy(1)
    for _ in range(4):
        stage.tell(flood(100, 4 * CREDIT, kind="search:block"))
    stage.tell(received(rumour(b"honest", conn=2, kind="search:block")))
    assert stage.items()[-1].payload == b"honest"


# -- a verdict on the sender, not on what it said -----------------------------------------------------


def test_what_a_peer_says_too_much_of_is_news_from_another() -> None:
    stage = Stage()
    first = rumour(b"tx", conn=1)
    assert relays(stage.tell(received(first)) + stage.judge(Decision.UNHEARD)) == []
    stage.tell(received(first._replace(conn=ConnId(2))))
    (relay,) = relays(stage.judge(Decision.RELAY))
    assert relay.conns == (1, 3)


@pytest.mark.parametrize("body", [b"x" * 1025, b""], ids=["too long", "too short"])
def test_what_none_of_ours_gossips_costs_one_of_ours_points_and_nobody_else(body: bytes) -> None:
    stage = Stage()
    stage.peers.take()
    bad = rumour(body, message_id=ID_2 if body else b"short")
    stage.tell(received(bad, rumour(b"good"), bad))
    reason = "gossip that is too short or too long"
    assert stage.peers.take() == [ConnectionMisbehaved(ConnId(1), 40, reason, ours_only=True)]


def test_a_kind_that_no_room_judges_costs_nobody_points() -> None:
    stage = Stage()
    stage.peers.take()
    stage.tell(received(rumour(b"x" * 5_000, kind="chat"), rumour(b"x", kind="unknown")))
    assert stage.peers.take() == []


scripts = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(1, 3), st.lists(st.integers(0, 30), max_size=12)),
        st.tuples(st.just("judge"), st.integers(1, 9), st.just([0])),
        st.tuples(st.just("leave"), st.integers(2, 3), st.just([0])),
    ),
    max_size=25,
)


def said(conn: int, bodies: Iterable[int]) -> tuple[Inbound, ...]:
    return tuple(rumour(b"%d" % body, conn=conn) for body in bodies)


@settings(max_examples=60, deadline=None)
@given(scripts, st.sampled_from((16, 64, 1_000)))
def test_all_that_is_said_is_counted_once_and_its_credit_returns_once(
    script: list[tuple[str, int, list[int]]], most: int
) -> None:
    stage = Busy()
    spoken, back = 0, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors.gossip.docket.PLACES", 4)
        patch.setattr("actors.gossip.docket.MAX_AWAITING", most)
        for step, number, bodies in script:
            told: list[Any] = []
            match step:
                case "say" if bodies:
                    spoken += len(bodies)
                    told = stage.tell(received(*said(number, bodies)))
                case "judge":
                    told = stage.judge_some(number)
                case "leave":
                    peer = {2: CAROL, 3: PeerId("dave:1")}[number]
                    told = stage.tell(PeerUnlinked(peer, ConnId(number), None))
            back += sum(credit(told).values())
            kinds = [info for info in stage.info().kinds if info.kind == TX]
            counted = sum(each.duplicates + each.dropped + each.relayed for each in kinds)
            assert counted + stage.info().awaiting_verdict == spoken
            assert back + stage.info().awaiting_verdict == spoken
        while stage.info().awaiting_verdict:
            back += sum(credit(stage.judge_some(50)).values())
    assert back == spoken
