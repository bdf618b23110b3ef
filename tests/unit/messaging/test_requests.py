from __future__ import annotations

from typing import Any

from actors.messaging.messages import SendRequest
from actors.messaging.requests import MAX_IN_FLIGHT, Pending, Requests, Stray
from actors.runtime.address import Address
from actors.runtime.mailbox import Mailbox
from actors.tcp.messages import ConnId

REPLY_TO: Address[Any] = Address(Mailbox("asker", lambda: 0.0))


def _ask(requests: Requests, token: int, timeout_s: float = 10.0, now_s: float = 0.0) -> int | None:
    request = SendRequest(ConnId(1), "kind", b"", token, REPLY_TO, timeout_s)
    return requests.ask(request, now_s)


def test_ids_count_from_one() -> None:
    requests = Requests()
    assert [_ask(requests, token) for token in (7, 8, 9)] == [1, 2, 3]


def test_an_answer_finds_its_request_once() -> None:
    requests = Requests()
    _ask(requests, 7, now_s=5.0)
    assert requests.answer(1) == Pending(7, REPLY_TO, 15.0)
    assert requests.answer(1) is Stray.LATE
    assert len(requests) == 0


def test_answers_may_come_in_any_order() -> None:
    requests = Requests()
    _ask(requests, 7)
    _ask(requests, 8)
    assert requests.answer(2) == Pending(8, REPLY_TO, 10.0)
    assert requests.answer(1) == Pending(7, REPLY_TO, 10.0)


def test_an_answer_nobody_asked_for_is_known_as_such() -> None:
    requests = Requests()
    _ask(requests, 7)
    assert requests.answer(2) is Stray.UNASKED
    assert requests.answer(0) is Stray.UNASKED


def test_where_earlier_requests_are_forgotten_nothing_is_known_to_be_unasked() -> None:
    requests = Requests()
    requests.is_whole = False
    assert requests.answer(99) is Stray.LATE


def test_requests_expire_at_their_own_deadlines() -> None:
    requests = Requests()
    _ask(requests, 7, timeout_s=10.0)
    _ask(requests, 8, timeout_s=3.0)
    assert requests.expire(2.9) == []
    assert [pending.token for pending in requests.expire(3.0)] == [8]
    assert [pending.token for pending in requests.expire(60.0)] == [7]
    assert requests.answer(1) is Stray.LATE


def test_a_bounded_number_is_in_flight() -> None:
    requests = Requests()
    for token in range(MAX_IN_FLIGHT):
        assert _ask(requests, token) is not None
    assert _ask(requests, 999) is None
    requests.answer(1)
    assert _ask(requests, 999) is not None


def test_giving_up_takes_all_in_order() -> None:
    requests = Requests()
    _ask(requests, 7)
    _ask(requests, 8)
    assert [pending.token for pending in requests.give_up()] == [7, 8]
    assert requests.give_up() == []
