"""Requests and responses: floods of questions, answers to nothing, late ones (WIRE: messages; limits)."""

from __future__ import annotations

import pytest

from actors.messaging.messages import AskPeer, RequestFailure
from actors.peers.messages import PeerKind
from tests.support.chains import EASY, mine_chain
from tests.support.hostile import SILENT_S, Arena
from tests.support.hostile_peer import (
    GET_BLOCKS,
    GET_PEERS,
    GET_POOL,
    STATUS,
    WAIT_S,
    flood,
    status_of,
)
from tests.support.wire_client import REGULAR, REQUEST, RESPONSE, message

IN_FLIGHT = 256
"""WIRE: limits."""
UNASKED = 10
"""Points."""


# -- responses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"\1", status_of(EASY), bytes(100_000)])
def test_a_response_that_was_never_asked_for_costs_10_points(arena: Arena, payload: bytes) -> None:
    peer = arena.peer()
    peer.send_message(RESPONSE, 4_000_000_000, "", payload)
    arena.settle(peer)
    assert arena.score_of(peer) == UNASKED
    assert arena.messaging().unasked_responses == 1


def test_a_flood_of_responses_that_were_never_asked_for_ends_in_a_ban(arena: Arena) -> None:
    peer = arena.peer()
    flood(peer, (message(RESPONSE, 3_000_000_000 + each, "") for each in range(200)))
    assert peer.is_parted_with()
    assert arena.is_banned(peer)


def test_a_response_counts_only_on_the_connection_of_its_request(arena: Arena) -> None:
    """Whoever guesses the id of a question to another cannot answer in its place."""
    asked, liar = arena.peer(), arena.peer()
    info = arena.connection_of(asked)
    assert info is not None
    questions = [AskPeer(info.conn, f"x:{number}", b"", 60.0) for number in range(10)]
    *_, answer = [arena.addresses.messaging.ask_soon(each) for each in questions]
    question = asked.recv_until(REQUEST, kind="x:9")  # so many the liar is not asked
    liar.send_message(RESPONSE, question.id, "", b"a lie")
    arena.settle(liar)
    assert arena.score_of(liar) == UNASKED
    asked.send_message(RESPONSE, question.id, "", b"the truth")
    assert answer.result(WAIT_S) == b"the truth"


def test_a_late_response_is_ignored_and_costs_nothing(arena: Arena) -> None:
    peer = arena.peer()
    question = peer.recv_until(REQUEST, kind=STATUS)
    arena.skip(SILENT_S)
    arena.await_that(lambda: arena.kind_of(peer) is PeerKind.LEGACY)
    peer.send_message(RESPONSE, question.id, "", status_of(EASY))
    arena.settle(peer)
    assert arena.score_of(peer) == 0
    assert arena.messaging().late_responses == 1


def test_a_second_response_to_one_request_changes_nothing(arena: Arena) -> None:
    peer = arena.peer()
    question = peer.recv_until(REQUEST, kind=STATUS)
    for status in (status_of(EASY), b"", status_of(EASY, 10**9)):
        peer.send_message(RESPONSE, question.id, "", status)
    arena.settle(peer)
    info = arena.info_of(peer)
    assert info is not None
    assert (info.kind, info.height) == (PeerKind.TROUPE, 0)


def test_a_response_before_the_hello_is_nobodys_answer_and_ends_the_connection(
    arena: Arena,
) -> None:
    stranger = arena.dial()
    stranger.send_message(RESPONSE, 1, "", b"\1")
    assert stranger.is_parted_with()
    assert arena.bans() == ()


def test_a_peer_that_answers_nobody_holds_64_questions_of_people_and_no_more(arena: Arena) -> None:
    """The rooms' own questions have their places beside these."""
    peer, messaging = arena.peer(), arena.addresses.messaging
    info = arena.connection_of(peer)
    assert info is not None
    question = AskPeer(info.conn, "x", b"", 60.0)
    waiting = [messaging.ask_soon(question) for _ in range(64)]
    assert arena.ask(messaging, question) is RequestFailure.BUSY
    peer.close()
    assert {each.result(WAIT_S) for each in waiting} == {RequestFailure.NO_RESPONSE}


# -- floods of questions ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [GET_PEERS, STATUS])
def test_a_thousand_small_questions_at_once_are_all_answered_in_order(
    arena: Arena, kind: str
) -> None:
    peer, count = arena.peer(), 4 * IN_FLIGHT
    flood(peer, (message(REQUEST, each, kind, status_of(EASY)) for each in range(1, count)))
    for number in range(1, count):
        assert peer.recv_until(RESPONSE).id == number


def test_costly_questions_at_once_are_answered_and_hold_up_nobody_else(arena: Arena) -> None:
    arena.grow(150)
    peer = arena.peer()
    locator = EASY.genesis.hash.hex().encode()
    flood(peer, (message(REQUEST, each, GET_BLOCKS, locator) for each in range(1, IN_FLIGHT + 1)))
    assert len(peer.recv_until(RESPONSE).payload.split(b"\n")) == 128
    assert arena.honest.ask(GET_BLOCKS, locator).count(b"\n") == 127


@pytest.mark.parametrize(
    "locator",
    [
        b"",
        b"x",
        b"0" * 63,
        b"0" * 64 + b",",
        b",".join([b"0" * 64] * 33),
        b"F" * 64,
        bytes(64),
        b"0" * 100_000,
    ],
    ids=["empty", "letter", "short", "comma", "33 hashes", "upper case", "zeros", "long"],
)
def test_a_locator_that_is_none_gets_no_answer_and_keeps_the_connection(
    arena: Arena, locator: bytes
) -> None:
    peer = arena.peer()
    peer.send_message(REQUEST, 7, GET_BLOCKS, locator)
    arena.settle(peer)
    assert [each for each in peer.hears() if each.type == RESPONSE] == []


def test_a_locator_of_hashes_that_nobody_knows_gets_an_empty_answer(arena: Arena) -> None:
    peer = arena.peer()
    unknown = b",".join(
        block.hash.hex().encode() for block in mine_chain(EASY, EASY.genesis.ref, 32)
    )
    assert peer.ask(GET_BLOCKS, unknown) == b""


def test_requests_sent_as_regular_messages_get_no_answer(arena: Arena) -> None:
    peer = arena.peer()
    assert {peer.recv_message().kind for _ in range(2)} == {STATUS, GET_POOL}  # what we ask each
    for kind in (GET_PEERS, STATUS, GET_BLOCKS, GET_POOL, "p2p:hello"):
        peer.send_message(REGULAR, 5, kind, b"127.0.0.1:5")
    arena.settle(peer)
    assert peer.hears() == []


def test_a_peer_that_asks_without_end_does_not_delay_another(arena: Arena) -> None:
    """While one is owed answers that it does not read, another's are there at once."""
    arena.grow(150)
    peer = arena.peer()
    locator = EASY.genesis.hash.hex().encode()
    for _ in range(5):
        flood(peer, (message(REQUEST, each, GET_BLOCKS, locator) for each in range(IN_FLIGHT)))
    for _ in range(10):
        assert arena.honest.ask(GET_BLOCKS, locator)
        assert arena.honest.ask(STATUS, status_of(EASY))
