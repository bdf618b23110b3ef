"""The search actor under floods of questions and of answers."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from actors.config import RateSettings
from actors.gossip.messages import Decision, GossipItem, GossipReceived
from actors.messaging.messages import Done
from actors.peers.messages import LinksReset, PeerId, PeerLinked, PeerUnlinked
from actors.search.lookups import PLACES, TURN
from actors.search.messages import LookedUp
from actors.search.routes import MAX_SETTLED
from actors.tcp.messages import ConnId
from tests.actor.test_search_actor import (
    ANSWER,
    BOB,
    CAROL,
    ID,
    QUESTION,
    Stage,
    decisions,
    response,
    sent,
)

RATES = RateSettings()


def questions(conn: int, count: int = PLACES, *, question: bytes = QUESTION) -> GossipReceived:
    """Questions of the peer of a connection, each with an id of its own."""
    ids = random.Random(conn)
    peer = {1: BOB, 2: CAROL}.get(conn, PeerId(f"flooder:{conn}"))
    return GossipReceived(
        tuple(
            GossipItem(
                1_000_000 * conn + number,
                "search:block",
                ids.randbytes(16) + question,
                peer,
                ConnId(conn),
            )
            for number in range(count)
        )
    )


def with_flooders(count: int) -> tuple[Stage, range]:
    stage, conns = Stage(), range(100, 100 + count)
    for conn in conns:
        peer = PeerId(f"flooder:{conn}")
        stage.tell(PeerLinked(peer, ConnId(conn), initiated=False, first=True))
    return stage, conns


# -- questions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("flooders", [1, 24])
def test_an_honest_question_waits_for_what_is_looked_up_and_one_turn_of_each_flooder(
    flooders: int,
) -> None:
    stage, conns = with_flooders(flooders)
    stage.tell(*(questions(conn) for conn in conns))
    honest = sha256(b"honest").digest()
    stage.tell(questions(2, 1, question=honest))
    before, look_ups = 0, stage.look_ups()
    while honest not in {look_up.query for look_up in look_ups}:
        before += len(look_ups)
        stage.tell(*(LookedUp(look_up.ticket, ANSWER) for look_up in look_ups))
        look_ups = stage.look_ups()
    assert before <= PLACES + flooders * TURN


def test_no_more_questions_are_with_the_store_than_it_has_places_for() -> None:
    stage, conns = with_flooders(3)
    stage.tell(*(questions(conn) for conn in conns))
    assert stage.serve_look_ups() == PLACES
    assert stage.serve_look_ups() == PLACES


@pytest.mark.parametrize("news", [PeerUnlinked(CAROL, ConnId(2), None), LinksReset()])
def test_what_waits_for_the_turn_of_a_peer_that_is_gone_is_dropped(news: object) -> None:
    stage, _ = with_flooders(1)
    stage.tell(questions(100), questions(2, 7))
    assert decisions(stage.tell(news)) == [Decision.UNHEARD] * 7


def test_what_waits_for_an_answer_on_a_connection_that_is_gone_is_dropped_and_no_more() -> None:
    stage, _ = with_flooders(1)
    stage.tell(PeerLinked(CAROL, ConnId(12), initiated=False, first=False))
    second = questions(2, 9)
    other = tuple(item._replace(conn=ConnId(12), ticket=-n) for n, item in enumerate(second.items))
    stage.tell(questions(100), questions(2, 7), GossipReceived(other))
    assert decisions(stage.tell(PeerUnlinked(CAROL, ConnId(2), ConnId(12)))) == (
        [Decision.UNHEARD] * 7
    )


def test_a_fall_drops_what_waits_as_well() -> None:
    stage, _ = with_flooders(1)
    stage.tell(questions(100), questions(2, 7))
    stage.out.take()
    stage.player.fell()
    assert decisions(stage.out.take()) == [Decision.UNHEARD] * (PLACES + 7)


def test_who_takes_the_id_of_another_peers_question_keeps_no_answer_from_it() -> None:
    stage = Stage()
    stage.passed_on(question=sha256(b"nobody has it").digest())
    honest = stage.item()._replace(peer=CAROL, conn=ConnId(2))
    stage.tell(GossipReceived((honest,)))
    (look_up,) = stage.look_ups()
    (answer,) = sent(stage.tell(LookedUp(look_up.ticket, ANSWER)))
    assert (answer.conns, answer.payload) == ((ConnId(2),), ID + ANSWER)


def test_a_question_beyond_its_askers_rate_is_passed_on_for_another() -> None:
    stage = Stage()

    def passed(conn: int, count: int) -> list[Decision]:
        stage.tell(questions(conn, count))
        look_ups = stage.look_ups()
        return decisions(stage.tell(*(LookedUp(each.ticket, None) for each in look_ups)))

    burst = RATES.search_relay_burst
    assert passed(1, burst + 1) == [Decision.PASS] * burst + [Decision.UNHEARD]
    assert passed(2, 1) == [Decision.PASS]


def test_a_peer_may_have_only_so_many_questions_passed_on() -> None:
    stage = Stage()

    def passed(first: int) -> int:
        ids = range(first, first + RATES.search_relay_burst + 9)
        items = tuple(stage.item(number.to_bytes(16, "big"), kind="item") for number in ids)
        return decisions(stage.tell(GossipReceived(items))).count(Decision.PASS)

    assert passed(1) == RATES.search_relay_burst
    stage.pump.run_for(1.0)
    assert passed(1_000) == RATES.search_relays_per_s


# -- answers ----------------------------------------------------------------------------------------


def test_answers_to_nothing_are_useless_and_those_to_a_question_are_not() -> None:
    stage = Stage()
    (asked,) = stage.start()
    told = stage.tell(
        response(b"nobody asked for this"),
        response(asked.payload[:16] + ANSWER),
        response(ANSWER),
    )
    assert [done.useless for done in told if isinstance(done, Done)] == [1, 0, 1]


def test_one_answer_without_an_id_goes_back_so_often_and_no_more() -> None:
    stage, conns = with_flooders(2)
    for conn in conns:
        stage.tell(questions(conn, RATES.search_relay_burst))
        stage.tell(*(LookedUp(each.ticket, None) for each in stage.look_ups()))
    asked = 2 * RATES.search_relay_burst
    assert len(sent(stage.tell(response(ANSWER, conn=2)))) == MAX_SETTLED < asked
    assert len(sent(stage.tell(response(ANSWER, conn=2)))) == asked - MAX_SETTLED
    assert sent(stage.tell(response(ANSWER, conn=2))) == []
