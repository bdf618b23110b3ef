from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from actors.runtime.address import ActorDownError, Address, Ask, Look
from actors.runtime.clock import FakeClock
from actors.runtime.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class Question(Ask[int]):
    pass


@dataclass(frozen=True, slots=True)
class Glance(Look[int]):
    pass


def test_letters_come_out_in_the_order_they_were_posted() -> None:
    mailbox = Mailbox("a", FakeClock().now_s)
    for number in range(3):
        mailbox.post(number)
    assert [mailbox.get().message for _ in range(3)] == [0, 1, 2]


def test_posting_wakes_a_reader_that_waits_elsewhere() -> None:
    woken: list[int] = []
    mailbox = Mailbox("a", FakeClock().now_s)
    mailbox.wake = lambda: woken.append(mailbox.qsize())
    mailbox.post("x")
    assert woken == [1]


def test_the_age_is_that_of_the_letter_being_handled() -> None:
    clock = FakeClock()
    mailbox = Mailbox("a", clock.now_s)
    mailbox.post("x")
    clock.advance(2)
    begun_s = clock.now_s()
    mailbox.get()
    clock.advance(1)
    assert mailbox.report().age_s == pytest.approx(3.0)
    assert mailbox.finish(begun_s) == begun_s + 1
    assert mailbox.report().age_s == 0.0


def test_a_letter_that_nobody_reads_grows_old_from_when_it_was_posted() -> None:
    clock = FakeClock()
    mailbox = Mailbox("fallen", clock.now_s)
    mailbox.post("the one that felled it")
    mailbox.get()
    mailbox.finish(clock.now_s(), failed=True)
    clock.advance(100)
    assert mailbox.report().age_s == 0.0
    mailbox.post("waits")
    clock.advance(7)
    mailbox.post("waits behind it")
    assert mailbox.report().age_s == pytest.approx(7.0)
    mailbox.get()
    mailbox.finish(clock.now_s())
    clock.advance(1)
    assert mailbox.report().age_s == pytest.approx(1.0)


def test_handling_times_are_reported_as_upper_bounds() -> None:
    clock = FakeClock()
    mailbox = Mailbox("a", clock.now_s)
    for milliseconds in [1] * 98 + [100] * 2:
        mailbox.post("x")
        begun_s = clock.now_s()
        mailbox.get()
        clock.advance(milliseconds / 1000)
        mailbox.finish(begun_s, failed=milliseconds == 100)
    report = mailbox.report()
    assert (report.handled, report.failed) == (100, 2)
    assert 0.001 <= report.handling_p50_s <= 0.002
    assert 0.1 <= report.handling_p99_s <= 0.2


def test_a_closed_mailbox_drops_tells_and_fails_asks() -> None:
    mailbox = Mailbox("gone", FakeClock().now_s)
    address: Address[object] = Address(mailbox)
    queued = address.ask_soon(Question())
    mailbox.close()
    address.tell("too late")
    with pytest.raises(ActorDownError):
        queued.result(0)
    with pytest.raises(ActorDownError):
        address.ask(Question(), timeout_s=1)
    assert mailbox.report().dropped == 3


def test_a_question_that_is_posted_while_the_mailbox_closes_fails_at_once() -> None:
    def close_meanwhile() -> float:
        mailbox.close()
        return 0.0

    mailbox = Mailbox("going", close_meanwhile)
    address: Address[object] = Address(mailbox)
    with pytest.raises(ActorDownError):
        address.ask_soon(Question()).result(0)
    assert (mailbox.qsize(), mailbox.report().dropped) == (0, 1)


def test_an_ask_nobody_answers_times_out_and_is_withdrawn() -> None:
    mailbox = Mailbox("slow", FakeClock().now_s)
    address: Address[object] = Address(mailbox)
    with pytest.raises(TimeoutError):
        address.ask(Question(), timeout_s=0.001)
    letter = mailbox.get()
    assert isinstance(letter.reply_to, Future)
    assert letter.reply_to.cancelled()


def test_what_is_taken_out_leaves_the_others_and_every_question_in_order() -> None:
    clock = FakeClock()
    mailbox = Mailbox("gossip", clock.now_s)
    answer: Future[object] = Future()
    for number in range(6):
        mailbox.post(number, answer if number == 2 else None)
        clock.advance(1)
    assert mailbox.take_out(lambda message, age_s: message % 2 == 0 and age_s >= 2) == [0, 4]
    assert [mailbox.get().message for _ in range(mailbox.qsize())] == [1, 2, 3, 5]


def test_what_was_told_ahead_is_taken_out_as_well() -> None:
    mailbox = Mailbox("a", lambda: 0.0)
    for number in range(4):
        mailbox.post_ahead(number)
        mailbox.post(10 + number)
    assert mailbox.take_out(lambda message, _age_s: message % 2 == 0) == [0, 2, 10, 12]
    assert [mailbox.get().message for _ in range(mailbox.qsize())] == [1, 11, 3, 13]


def test_a_question_whose_asker_has_left_is_taken_out_and_is_no_loss() -> None:
    mailbox = Mailbox("a", lambda: 0.0)
    gone, waits, looks = Future[int](), Future[int](), Future[int]()
    mailbox.post(1, gone)
    mailbox.post(2, waits)
    mailbox.post_ahead(3, looks)
    gone.cancel()
    looks.cancel()
    assert mailbox.take_out(lambda _message, _age_s: True) == []
    assert mailbox.qsize() == 1
    assert mailbox.get().reply_to is waits


def test_who_looks_waits_for_one_letter_at_most_and_so_does_each_letter_for_one_look() -> None:
    mailbox = Mailbox("chain", FakeClock().now_s)
    address: Address[object] = Address(mailbox)
    for message in ("1", "2", "3"):
        address.tell(message)
    for _ in range(2):
        address.look_soon(Glance())
    address.tell("4")
    read = [mailbox.get().message for _ in range(mailbox.qsize())]
    assert read == [Glance(), "1", Glance(), "2", "3", "4"]
    assert mailbox.empty()


def test_what_is_told_ahead_comes_before_a_later_look() -> None:
    mailbox = Mailbox("mempool", FakeClock().now_s)
    address: Address[object] = Address(mailbox)
    address.tell("a transaction")
    address.tell_ahead("the new tip")
    address.look_soon(Glance())
    read = [mailbox.get().message for _ in range(mailbox.qsize())]
    assert read == ["the new tip", "a transaction", Glance()]


def test_a_look_wakes_the_reader_and_shows_in_the_report() -> None:
    woken: list[int] = []
    clock = FakeClock()
    mailbox = Mailbox("chain", clock.now_s)
    mailbox.wake = lambda: woken.append(mailbox.qsize())
    Address[object](mailbox).look_soon(Glance())
    clock.advance(3)
    assert (woken, mailbox.empty()) == ([1], False)
    assert (mailbox.report().depth, mailbox.report().age_s) == (1, 3.0)


def test_a_letter_that_is_passed_by_looks_is_still_the_oldest() -> None:
    clock = FakeClock()
    mailbox = Mailbox("chain", clock.now_s)
    mailbox.post("waits")
    clock.advance(5)
    Address[object](mailbox).look_soon(Glance())
    mailbox.get()
    assert mailbox.report().age_s == 5.0


@pytest.mark.parametrize("closed_first", [True, False])
def test_a_closed_mailbox_fails_looks(closed_first: bool) -> None:
    mailbox = Mailbox("gone", FakeClock().now_s)
    if closed_first:
        mailbox.close()
    look = Address[object](mailbox).look_soon(Glance())
    mailbox.close()
    with pytest.raises(ActorDownError):
        look.result(0)
    assert mailbox.qsize() == 0


def test_news_that_felled_the_actor_are_put_back_before_later_news() -> None:
    mailbox = Mailbox("mempool", FakeClock().now_s)
    address: Address[object] = Address(mailbox)
    address.tell("a transaction")
    address.tell_ahead("tip 1")
    felling = mailbox.get().message
    address.tell_ahead("tip 2")
    mailbox.put_back([felling])
    assert [mailbox.get().message for _ in range(3)] == ["tip 1", "a transaction", "tip 2"]


def test_parts_of_a_letter_that_felled_the_actor_are_put_back_before_later_letters() -> None:
    mailbox = Mailbox("mempool", FakeClock().now_s)
    address: Address[object] = Address(mailbox)
    address.tell("a pair")
    address.tell("later")
    mailbox.get()
    address.tell_ahead("tip")
    mailbox.put_back(["one half", "the other"])
    read = [mailbox.get().message for _ in range(mailbox.qsize())]
    assert read == ["one half", "tip", "the other", "later"]
