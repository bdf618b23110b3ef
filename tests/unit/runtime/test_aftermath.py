"""The letter that felled an actor: tried once more in parts, then given up; and falls of the stage itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from actors.runtime.actor import Fall, NodeActor, Playing, Waiting
from actors.runtime.address import ActorDownError
from actors.runtime.aftermath import Aftermath, Settled
from actors.runtime.clock import FakeClock
from actors.runtime.mailbox import Mailbox
from actors.runtime.member import Member
from actors.runtime.pump import Pump
from actors.runtime.quarantine import Quarantine
from actors.runtime.supervisor import (
    MAX_RESTARTS,
    RETRY_S,
    ActorState,
    Ailing,
    ListActors,
)
from tests.support.adders import Add, Adder, BadQuestion, Troupe


@pytest.fixture(autouse=True)
def _quiet_falls() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@dataclass(frozen=True)
class Sum:
    """Several at once."""

    numbers: tuple[int, ...]


class SumLetters:
    """Knows that a Sum has parts, and that an Add may be told again."""

    def __init__(self) -> None:
        self.given_up: list[tuple[str, object, bool]] = []

    def parts(self, message: object) -> Sequence[object]:
        match message:
            case Sum(numbers):
                return [Add(number) for number in numbers]
            case Add():
                return [message]
        return ()

    def blame(self, name: str, _fall: Fall, suspect: int) -> None:
        self.given_up.append((name, suspect, False))

    def forfeit(self, _mailbox: Mailbox) -> int:
        return 0

    def give_up(self, name: str, fall: Fall, *, was_second: bool) -> int:
        self.given_up.append((name, fall.message, was_second))
        return 1


class Summer(Adder):
    """Adds whole sums as well, and falls over those with a negative number, when it is half through."""

    def on_receive(self, message: object) -> int | None:
        if isinstance(message, Sum):
            for number in message.numbers:
                super().on_receive(Add(number))
            return None
        return super().on_receive(message)


class Fragile(Troupe):
    def __init__(self) -> None:
        super().__init__()
        self.letters = SumLetters()
        self.supervisor.heed(self.letters, Quarantine())
        self.supervisor.enlist("gossip", lambda: Summer(self.diaries["gossip"]))
        self.restart("gossip")
        self.diaries["gossip"].clear()


# -- the letter ------------------------------------------------------------------------------------


def test_of_a_batch_only_the_guilty_part_is_lost() -> None:
    troupe = Fragile()
    troupe.tell("gossip", Sum((1, 2, -1, 10)), Add(100))
    assert troupe.total("gossip") == 110  # of the incarnation after both falls
    report = troupe.report("gossip")
    assert (report.restarts, report.mailbox.lost, report.mailbox.failed) == (2, 1, 2)
    assert troupe.letters.given_up == [("gossip", Add(-1), True)]


def test_parts_are_handled_before_what_came_behind_them() -> None:
    order: list[object] = []

    class Noting(Summer):
        def on_receive(self, message: object) -> int | None:
            order.append(message)
            return super().on_receive(message)

    troupe = Fragile()
    troupe.supervisor.enlist("gossip", lambda: Noting([]))
    troupe.restart("gossip")
    troupe.tell("gossip", Sum((-1, 2)), Add(3))
    assert order == [Sum((-1, 2)), Add(-1), Add(2), Add(3)]


def test_a_fall_by_chance_loses_nothing() -> None:
    troupe = Fragile()
    chance = [OSError("the disk was full")]

    class Unlucky(Summer):
        def on_receive(self, message: object) -> int | None:
            if chance:
                raise chance.pop()
            return super().on_receive(message)

    troupe.supervisor.enlist("gossip", lambda: Unlucky([]))
    troupe.restart("gossip")
    troupe.tell("gossip", Add(5))
    assert troupe.total("gossip") == 5
    assert troupe.report("gossip").mailbox.lost == 0
    assert troupe.letters.given_up == []


def test_the_second_fall_by_a_letter_is_not_charged() -> None:
    troupe = Fragile()
    troupe.tell("gossip", *[Add(-number) for number in range(1, MAX_RESTARTS + 1)])
    assert troupe.report("gossip").state is ActorState.RUNNING
    assert troupe.report("gossip").restarts == 2 * MAX_RESTARTS
    troupe.tell("gossip", Add(-9))
    assert troupe.report("gossip").state is ActorState.RESTARTING


def test_a_question_is_answered_with_the_fall_and_not_tried_again() -> None:
    troupe = Fragile()
    with pytest.raises(ActorDownError):
        troupe.pump.ask(troupe.addresses["gossip"], BadQuestion())
    assert troupe.report("gossip").restarts == 1
    assert troupe.report("gossip").mailbox.lost == 1


@pytest.mark.parametrize("message", [None, Waiting(), Playing()])
def test_without_a_letter_nothing_is_lost(message: object) -> None:
    aftermath, box = Aftermath(SumLetters()), Mailbox("gossip", lambda: 0.0)
    assert aftermath.settle(box, Fall(ValueError(), message)) == Settled()


def test_who_was_in_hand_when_an_actor_fell_without_a_letter_is_blamed() -> None:
    letters, box = SumLetters(), Mailbox("tcp", lambda: 0.0)
    assert Aftermath(letters).settle(box, Fall(ValueError(), Waiting(suspect=7))) == Settled()
    assert letters.given_up == [("tcp", 7, False)]


def test_an_equal_letter_is_another_one() -> None:
    aftermath, box = Aftermath(SumLetters()), Mailbox("gossip", lambda: 0.0)
    first, equal = Add(-1), Add(-1)
    assert aftermath.settle(box, Fall(ValueError(), first)).again == (first,)
    assert aftermath.settle(box, Fall(ValueError(), equal)).again == (equal,)
    assert aftermath.settle(box, Fall(ValueError(), equal)).was_second


def test_of_an_error_that_holds_what_a_peer_sent_only_its_beginning_is_told() -> None:
    class Seeking(Adder):
        def on_receive(self, message: object) -> int | None:
            if isinstance(message, Add):
                raise KeyError(bytes(2**20))
            return super().on_receive(message)

    troupe = Troupe()
    troupe.supervisor.enlist("gossip", lambda: Seeking([]))
    troupe.restart("gossip")
    troupe.tell("gossip", Add(1))
    told = troupe.report("gossip").last_error or ""
    assert told.startswith("KeyError in Add: b'")
    assert len(told) < 1_000


# -- hooks ----------------------------------------------------------------------------------------


def test_an_on_stop_that_fails_still_lets_go() -> None:
    class Clumsy(Adder):
        def on_stop(self) -> None:
            super().on_stop()
            raise OSError

    troupe = Troupe()
    troupe.supervisor.enlist("gossip", lambda: Clumsy(troupe.diaries["gossip"]))
    troupe.restart("gossip")
    troupe.diaries["gossip"].clear()
    troupe.restart("gossip")
    assert troupe.diaries["gossip"] == ["stop", "crash", "start"]
    assert troupe.report("gossip").last_error == "OSError in on_stop: "


def test_an_actor_knows_whether_it_returns() -> None:
    seen: list[bool] = []

    class Knowing(Adder):
        def on_stop(self) -> None:
            seen.append(self.returns)

    troupe = Troupe()
    troupe.supervisor.enlist("gossip", lambda: Knowing([]))
    troupe.restart("gossip")
    troupe.restart("gossip")
    assert seen == [True]


def test_what_incarnations_leave_each_other_is_thrown_away_when_they_keep_failing() -> None:
    troupe = Troupe()
    thrown: list[str] = []
    troupe.supervisor.enlist("gossip", troupe.builder("gossip"), forget=lambda: thrown.append("!"))
    troupe.tell("gossip", *[Add(-1)] * MAX_RESTARTS)
    assert thrown == []
    troupe.tell("gossip", Add(-1))
    troupe.pump.run_for(RETRY_S)
    assert thrown == ["!"]
    assert troupe.report("gossip").state is ActorState.RUNNING


# -- ailments -------------------------------------------------------------------------------------


def test_who_cannot_do_all_of_its_work_degrades_the_node_until_it_can() -> None:
    troupe = Troupe()
    troupe.supervisor.address.tell(Ailing("chain", "the disk is full"))
    assert troupe.degraded() == ("chain: the disk is full",)
    assert troupe.report("chain").state is ActorState.RUNNING
    troupe.supervisor.address.tell(Ailing("chain", None))
    assert troupe.degraded() == ()


def test_an_ailment_ends_with_its_incarnation() -> None:
    troupe = Troupe()
    troupe.supervisor.address.tell(Ailing("gossip", "it is tired"))
    troupe.restart("gossip")
    assert troupe.degraded() == ()


# -- falls of the supervisor ------------------------------------------------------------------------


def test_a_fallen_supervisor_goes_on_and_says_so() -> None:
    troupe = Troupe()
    troupe.supervisor.address.tell("no message of the stage")  # type: ignore[arg-type]
    troupe.tell("gossip", Add(-1), Add(4))
    assert troupe.total("gossip") == 4
    own = troupe.pump.ask(troupe.supervisor.address, ListActors())[-1]
    assert (own.restarts, own.mailbox.lost) == (1, 1)
    assert own.last_error is not None


def test_an_actor_whose_fall_the_supervisor_fell_over_is_restarted() -> None:
    troupe = Troupe()
    real = troupe.supervisor._on_ended
    bugs = [ZeroDivisionError()]

    def once(member: Member, actor: NodeActor, fall: Fall | None) -> None:
        if bugs:
            actor.ended.clear()  # its thread has told of its end, and has not come to that line yet
            raise bugs.pop()
        real(member, actor, fall)

    troupe.supervisor._on_ended = once  # type: ignore[method-assign]
    troupe.tell("chain", Add(-1), Add(4))
    assert not bugs
    assert troupe.total("chain") == 4
    assert troupe.report("mempool").state is ActorState.RUNNING


def test_an_actor_whose_letter_fells_the_supervisor_too_is_restarted() -> None:
    class BadLetters(SumLetters):
        def parts(self, _message: object) -> Sequence[object]:
            raise ZeroDivisionError

    troupe = Troupe()
    troupe.supervisor.heed(BadLetters(), Quarantine())
    troupe.tell("chain", Add(-1), Add(4))
    assert troupe.total("chain") == 4
    assert troupe.report("mempool").state is ActorState.RUNNING
    assert troupe.report("supervisor").restarts == 1


def test_an_actor_that_rests_is_tried_again_although_the_supervisor_forgot_its_timer() -> None:
    troupe = Troupe()
    troupe.tell("gossip", *[Add(-1)] * (MAX_RESTARTS + 1))
    troupe.supervisor.address.tell("no message of the stage")  # type: ignore[arg-type]
    troupe.pump.run_for(RETRY_S)
    assert troupe.report("gossip").state is ActorState.RUNNING


def beyond_help(troupe: Troupe) -> None:
    """Let the supervisor fall, and each of its next incarnations at its start."""

    def broken() -> None:
        raise ZeroDivisionError

    troupe.supervisor.look_around = broken  # type: ignore[method-assign]
    troupe.supervisor.address.tell("no message of the stage")  # type: ignore[arg-type]
    troupe.pump.run_until_idle()


def test_a_supervisor_that_fails_at_once_each_time_ends_and_the_members_play_on() -> None:
    troupe = Troupe(Pump(3, FakeClock()))
    beyond_help(troupe)
    assert troupe.total("gossip") == 0
    assert troupe.supervisor.actor.is_over


def test_a_supervisor_that_has_ended_keeps_nobody_waiting_and_no_letter() -> None:
    troupe = Troupe()
    beyond_help(troupe)
    with pytest.raises(ActorDownError):
        troupe.degraded()
    troupe.tell("gossip", Add(-1))
    assert troupe.supervisor.box.empty()
