from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

import pytest

from actors.runtime.actor import NodeActor
from actors.runtime.address import ActorDownError, Address
from actors.runtime.clock import FakeClock, ThreadClock
from actors.runtime.pump import Pump
from actors.runtime.supervisor import (
    MAX_RESTARTS,
    RESTART_WINDOW_S,
    RETRY_S,
    ActorState,
    GetDegraded,
    ListActors,
    RestartActor,
    Supervisor,
    ThreadRunner,
)
from tests.support.adders import Add, Adder, BadQuestion, Later, Total, Troupe

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def _quiet_falls() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class ScarcePump(Pump):
    """Has at times no room for another actor."""

    refusals = 0

    def run(self, actor: NodeActor) -> None:
        if self.refusals:
            self.refusals -= 1
            message = "no thread"
            raise RuntimeError(message)
        super().run(actor)


def test_a_fallen_actor_goes_on_with_the_letter_behind_the_one_that_felled_it() -> None:
    troupe = Troupe()
    troupe.tell("gossip", Add(1), Add(-1), Add(10))
    assert troupe.total("gossip") == 10
    assert troupe.diaries["gossip"] == ["start", "crash", "start"]


def test_a_fall_is_counted_and_its_error_kept() -> None:
    troupe = Troupe()
    troupe.tell("gossip", Add(-1))
    report = troupe.report("gossip")
    assert (report.state, report.restarts, report.mailbox.failed) == (ActorState.RUNNING, 1, 1)
    assert report.last_error is not None
    assert "ValueError in Add" in report.last_error


def test_a_question_that_fells_the_actor_is_answered_with_its_fall() -> None:
    troupe = Troupe()
    with pytest.raises(ActorDownError):
        troupe.pump.ask(troupe.addresses["gossip"], BadQuestion())
    assert troupe.report("gossip").restarts == 1


def test_an_answer_may_be_given_later() -> None:
    troupe = Troupe()
    assert troupe.pump.ask(troupe.addresses["gossip"], Later()) == 42


def test_a_group_restarts_together_and_stops_in_reverse_order() -> None:
    troupe = Troupe()
    troupe.tell("chain", Add(-1))
    assert troupe.diaries["chain"] == ["start", "crash", "start"]
    assert troupe.diaries["mempool"] == ["start", "stop", "start"]
    assert troupe.diaries["miner"] == ["start", "stop", "start"]
    assert troupe.diaries["gossip"] == ["start"]


def test_letters_wait_for_a_member_that_restarts_with_its_group() -> None:
    troupe = Troupe()
    troupe.addresses["chain"].tell(Add(-1))
    for _ in range(5):
        troupe.addresses["mempool"].tell(Add(1))
    troupe.pump.run_until_idle()
    handled = troupe.report("mempool").mailbox.handled
    assert handled >= 5
    assert troupe.report("mempool").mailbox.dropped == 0


def test_too_many_falls_degrade_the_node_until_the_window_is_over() -> None:
    troupe = Troupe()
    troupe.tell("gossip", *[Add(-1)] * (MAX_RESTARTS + 1))
    assert troupe.report("gossip").state is ActorState.RESTARTING
    degraded = troupe.pump.ask(troupe.supervisor.address, GetDegraded())
    assert [reason.split(":")[0] for reason in degraded] == ["gossip"]
    troupe.pump.run_for(RETRY_S)
    assert troupe.report("gossip").state is ActorState.RUNNING
    troupe.pump.run_for(RESTART_WINDOW_S)
    assert troupe.pump.ask(troupe.supervisor.address, GetDegraded()) == ()


def test_a_group_restart_takes_in_a_member_that_rests() -> None:
    troupe = Troupe()
    troupe.tell("mempool", *[Add(-1)] * (MAX_RESTARTS + 1))
    assert troupe.report("mempool").state is ActorState.RESTARTING
    troupe.tell("chain", Add(-1))
    assert troupe.report("mempool").state is ActorState.RUNNING
    starts = troupe.diaries["mempool"].count("start")
    troupe.pump.run_for(2 * RETRY_S)
    assert troupe.diaries["mempool"].count("start") == starts


def test_a_second_fall_in_a_resting_group_does_not_cut_its_rest_short() -> None:
    troupe = Troupe()
    troupe.tell("chain", *[Add(-1)] * (MAX_RESTARTS + 1))
    assert troupe.report("chain").state is ActorState.RESTARTING
    troupe.tell("mempool", Add(-1))
    assert troupe.report("chain").state is ActorState.RESTARTING
    troupe.pump.run_for(RETRY_S)
    assert troupe.report("chain").state is ActorState.RUNNING
    assert troupe.report("mempool").state is ActorState.RUNNING


def test_a_builder_that_fails_on_restart_is_tried_again_later() -> None:
    troupe = Troupe()
    failures = [OSError("disk")]

    def build() -> NodeActor:
        if failures:
            raise failures.pop()
        return Adder(troupe.diaries["gossip"])

    troupe.supervisor.enlist("gossip", build)
    troupe.tell("gossip", Add(-1), Add(3))
    assert troupe.report("gossip").state is ActorState.RESTARTING
    troupe.pump.run_for(RETRY_S)
    assert troupe.total("gossip") == 3


def test_a_member_whom_the_system_has_no_thread_for_is_tried_again_later() -> None:
    pump = ScarcePump(7, FakeClock())
    troupe = Troupe(pump)
    pump.refusals = 1
    troupe.tell("gossip", Add(-1), Add(3))
    assert troupe.report("gossip").state is ActorState.RESTARTING
    assert troupe.degraded() == ("gossip: RuntimeError in on_start: no thread",)
    troupe.pump.run_for(RETRY_S)
    assert troupe.report("gossip").state is ActorState.RUNNING
    assert troupe.total("gossip") == 3


def test_a_builder_that_fails_at_first_start_tells_the_starter() -> None:
    clock = FakeClock()
    supervisor = Supervisor(Pump(1, clock), clock)

    def build() -> NodeActor:
        raise OSError(28)

    supervisor.enlist("chain", build)
    with pytest.raises(OSError, match="28"):
        supervisor.start_members()


def test_the_supervisor_reports_itself_last() -> None:
    troupe = Troupe()
    reports = troupe.pump.ask(troupe.supervisor.address, ListActors())
    assert [each.name for each in reports] == ["chain", "mempool", "miner", "gossip", "supervisor"]
    assert (reports[-1].state, reports[-1].group) == (ActorState.RUNNING, ())
    assert reports[0].group == ("chain", "mempool", "miner")


def test_an_actor_is_starting_until_its_on_start_is_through() -> None:
    troupe = Troupe()
    seen: list[ActorState] = []

    class Curious(Adder):
        def on_start(self) -> None:
            super().on_start()
            seen.append(troupe.supervisor._members["gossip"].state)

    troupe.supervisor.enlist("gossip", lambda: Curious(troupe.diaries["gossip"]))
    troupe.restart("gossip")
    assert seen == [ActorState.STARTING]
    assert troupe.report("gossip").state is ActorState.RUNNING


class TestOnThreads:
    """The same shell on real threads."""

    def test_actors_start_fall_restart_and_stop_in_the_order_given(self) -> None:
        before = set(threading.enumerate())
        clock = ThreadClock()
        supervisor = Supervisor(ThreadRunner(clock), clock)
        diaries: dict[str, list[str]] = {"a": [], "b": []}
        a: Address[object] = Address(supervisor.mailbox("a"))
        b: Address[object] = Address(supervisor.mailbox("b"))
        supervisor.enlist("a", lambda: Adder(diaries["a"]))
        supervisor.enlist("b", lambda: Adder(diaries["b"]))
        supervisor.start_members()
        supervisor.await_members()
        a.tell(Add(-1))
        a.tell(Add(5))
        assert a.ask(Total(), timeout_s=PATIENCE_S) == 5
        assert b.ask(Total(), timeout_s=PATIENCE_S) == 0
        supervisor.stop_members(("b", "a"))
        clock.stop()
        for thread in set(threading.enumerate()) - before:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        assert diaries["a"] == ["start", "crash", "start", "stop"]
        assert diaries["b"] == ["start", "stop"]
        with pytest.raises(ActorDownError):
            a.ask(Total(), timeout_s=1)

    def test_an_operator_restarts_a_working_actor_and_is_answered_when_it_is_up(self) -> None:
        clock = ThreadClock()
        supervisor = Supervisor(ThreadRunner(clock), clock)
        diary: list[str] = []
        a: Address[object] = Address(supervisor.mailbox("a"))
        supervisor.enlist("a", lambda: Adder(diary))
        supervisor.start_members()
        supervisor.await_members()
        reports = supervisor.address.ask(RestartActor("a"), timeout_s=PATIENCE_S)
        a.tell(Add(5))
        assert reports is not None
        assert [each.state for each in reports] == [ActorState.RUNNING]
        assert diary == ["start", "stop", "start"]
        assert a.ask(Total(), timeout_s=PATIENCE_S) == 5
        supervisor.stop_members(("a",))
        clock.stop()

    def test_stopping_while_an_actor_falls_again_and_again_leaves_no_thread(self) -> None:
        for _ in range(20):
            before = set(threading.enumerate())
            clock = ThreadClock()
            supervisor = Supervisor(ThreadRunner(clock), clock)
            a: Address[object] = Address(supervisor.mailbox("a"))
            supervisor.mailbox("b")
            supervisor.enlist("a", lambda: Adder([]), group=("a", "b"))
            supervisor.enlist("b", lambda: Adder([]))
            supervisor.start_members()
            for _ in range(MAX_RESTARTS):
                a.tell(Add(-1))
            supervisor.stop_members(("b", "a"))
            clock.stop()
            for thread in set(threading.enumerate()) - before:
                thread.join(PATIENCE_S)
                assert not thread.is_alive()

    def test_an_actor_that_falls_in_on_start_fails_the_start(self) -> None:
        class Stillborn(NodeActor):
            def on_start(self) -> None:
                raise RuntimeError

        clock = ThreadClock()
        supervisor = Supervisor(ThreadRunner(clock), clock)
        supervisor.enlist("a", Stillborn)
        supervisor.start_members()
        with pytest.raises((ActorDownError, TimeoutError)):
            supervisor.await_members()
        with contextlib.suppress(TimeoutError):
            supervisor.stop_members(("a",))
        clock.stop()
