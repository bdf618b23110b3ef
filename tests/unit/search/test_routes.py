"""Which open question an answer answers."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from actors.peers.messages import PeerId
from actors.runtime.address import Address
from actors.runtime.mailbox import Mailbox
from actors.search.messages import StartSearch
from actors.search.routes import (
    MAX_OWN_SEARCHES,
    MAX_ROUTES,
    MAX_SETTLED,
    OwnRoute,
    RelayedRoute,
    Routes,
    is_answer,
    is_question,
)
from actors.tcp.messages import ConnId

ASKED, STRANGER, ASKER = PeerId("asked:1"), PeerId("stranger:1"), PeerId("asker:1")
ANSWER = b"the block"
QUESTION = sha256(ANSWER).digest()


def search_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def theirs(
    number: int, conn: int = 1, *, kind: str = "block", until_s: float = 30.0
) -> RelayedRoute:
    asked = frozenset({ASKED, ASKER})
    return RelayedRoute(search_id(number), kind, QUESTION, asked, ASKER, ConnId(conn), until_s)


def ours(number: int, token: int = 1) -> OwnRoute:
    room: Address[Any] = Address(Mailbox("room", lambda: 0.0))
    search = StartSearch(token, "block", QUESTION, room)
    return OwnRoute(search_id(number), "block", QUESTION, frozenset({ASKED}), search)


def routes_of(*routes: OwnRoute | RelayedRoute) -> Routes:
    table = Routes()
    for route in routes:
        if isinstance(route, OwnRoute):
            assert table.open_own(route)
        else:
            table.remember(route)
    return table


def settled_by(
    table: Routes, payload: bytes, *, kind: str = "block", peer: PeerId = ASKED
) -> list[bytes]:
    answer, settled = table.take_answer(kind, payload, peer)
    assert not settled or answer == ANSWER
    return [route.id for route in settled]


@pytest.mark.parametrize("route", [ours(1), theirs(1)])
def test_an_answer_settles_its_question_once(route: OwnRoute | RelayedRoute) -> None:
    table = routes_of(route)
    assert settled_by(table, search_id(1) + ANSWER) == [search_id(1)]
    assert settled_by(table, search_id(1) + ANSWER) == []
    assert settled_by(table, ANSWER) == []


@pytest.mark.parametrize("payload", [search_id(1) + ANSWER, ANSWER])
def test_only_a_peer_that_was_asked_can_answer(payload: bytes) -> None:
    assert settled_by(routes_of(theirs(1)), payload, peer=STRANGER) == []


@pytest.mark.parametrize("payload", [search_id(1) + ANSWER, ANSWER])
def test_an_answer_of_another_kind_answers_nothing(payload: bytes) -> None:
    assert settled_by(routes_of(theirs(1)), payload, kind="other") == []
    assert settled_by(routes_of(theirs(1, kind="other")), ANSWER) == []


def test_a_false_answer_leaves_the_question_open() -> None:
    table = routes_of(ours(1))
    assert settled_by(table, search_id(1) + b"a lie") == []
    assert settled_by(table, search_id(1) + ANSWER) == [search_id(1)]


def test_an_answer_without_its_id_settles_all_that_it_answers() -> None:
    table = routes_of(ours(1), theirs(2), theirs(3, conn=2))
    assert settled_by(table, ANSWER) == [search_id(1), search_id(2), search_id(3)]
    assert settled_by(table, ANSWER) == []


def test_no_number_of_questions_of_others_keeps_an_answer_without_its_id_from_ours() -> None:
    table = routes_of(*(theirs(n) for n in range(1, 2 * MAX_SETTLED)), ours(0))
    assert settled_by(table, ANSWER)[0] == search_id(0)


def test_questions_that_went_to_others_keep_an_answer_without_its_id_from_none() -> None:
    elsewhere = [replace(theirs(n), asked=frozenset({STRANGER})) for n in range(1, MAX_SETTLED + 1)]
    table = routes_of(*elsewhere, theirs(0))
    assert settled_by(table, ANSWER) == [search_id(0)]


def test_a_question_whose_id_is_the_beginning_of_a_block_does_not_swallow_that_block() -> None:
    block = b"7:1:" + bytes(60)
    question = sha256(block).digest()
    trap = replace(theirs(0), id=block[:16], question=sha256(b"nothing").digest())
    table = routes_of(trap, replace(ours(1), question=question))
    answer, settled = table.take_answer("block", block, ASKED)
    assert (answer, [route.id for route in settled]) == (block, [search_id(1)])


@pytest.mark.parametrize("payload", [b"", b"short", search_id(9) + ANSWER])
def test_an_answer_to_nothing_settles_nothing(payload: bytes) -> None:
    assert settled_by(routes_of(ours(1)), payload) == []


def test_other_kinds_are_answered_by_id_unchecked() -> None:
    table = routes_of(theirs(1, kind="item"))
    assert settled_by(table, search_id(1) + ANSWER, kind="item") == [search_id(1)]


def test_an_answered_question_is_still_known() -> None:
    table = routes_of(theirs(1))
    settled_by(table, ANSWER)
    assert search_id(1) in table


def test_others_questions_expire_and_ours_do_not() -> None:
    table = routes_of(theirs(1, until_s=30.0), theirs(2, until_s=31.0), ours(3))
    table.expire(30.0)
    assert [search_id(n) in table for n in (1, 2, 3)] == [False, True, True]


def test_others_questions_are_bounded_oldest_out_first_and_ours_stay() -> None:
    table = routes_of(ours(0), *(theirs(n) for n in range(1, MAX_ROUTES + 2)))
    assert [search_id(n) in table for n in (0, 1, 2)] == [True, False, True]


def test_our_own_questions_are_bounded() -> None:
    table = routes_of(*(ours(n) for n in range(MAX_OWN_SEARCHES)))
    assert not table.open_own(ours(MAX_OWN_SEARCHES))


def test_a_question_of_ours_ends_once() -> None:
    table = routes_of(ours(1, token=7))
    assert [search.token for search in table.own()] == [7]
    search = table.close_own(search_id(1))
    assert search is not None
    assert search.token == 7
    assert table.close_own(search_id(1)) is None


def test_a_block_is_asked_for_by_hash_and_answered_by_what_hashes_to_it() -> None:
    assert is_question("block", QUESTION)
    assert not is_question("block", QUESTION[1:])
    assert is_question("item", b"")
    assert is_answer("block", QUESTION, ANSWER)
    assert not is_answer("block", QUESTION, b"a lie")


@pytest.mark.parametrize("payload", [search_id(1) + ANSWER, ANSWER], ids=["with its id", "without"])
def test_who_asks_is_among_the_peers_and_yet_has_no_answer_to_give(payload: bytes) -> None:
    table = routes_of(theirs(1))
    assert settled_by(table, payload, peer=ASKER) == []
    assert settled_by(table, payload, peer=ASKED) == [search_id(1)]


# -- floods -----------------------------------------------------------------------------------------


def flooded(number: int, asker: PeerId) -> RelayedRoute:
    return replace(theirs(number), asker=asker)


def test_of_too_many_the_oldest_goes_of_whoever_asked_most() -> None:
    table, flooder = Routes(), PeerId("flooder:1")
    table.remember(theirs(0))
    for number in range(1, 3 * MAX_ROUTES):
        table.remember(flooded(number, flooder))
    assert search_id(0) in table
    assert search_id(2 * MAX_ROUTES) not in table
    assert search_id(2 * MAX_ROUTES + 1) in table


def test_an_answer_without_an_id_finds_its_questions_among_all_without_looking_at_them() -> None:
    table = Routes()
    for number in range(MAX_ROUTES - 1):
        other = sha256(b"%d" % number).digest()
        table.remember(replace(theirs(number), question=other))
    table.remember(theirs(9_999))
    assert list(table._for_block[QUESTION, True]) == [search_id(9_999)]
    assert settled_by(table, ANSWER) == [search_id(9_999)]
    assert (QUESTION, True) not in table._for_block


def test_what_is_closed_or_expired_leaves_nothing_behind() -> None:
    table = routes_of(ours(1), theirs(2, until_s=5.0), theirs(3, until_s=9.0))
    assert table.close_own(search_id(1)) is not None
    assert table.close_own(search_id(1)) is None
    table.expire(5.0)
    assert settled_by(table, ANSWER) == [search_id(3)]
    table.expire(9.0)
    assert not table._for_block
    assert not table._of_asker
    assert settled_by(table, ANSWER) == []
