"""An operator's restart: in order, with the group, apart from failures, and out of a rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from actors.runtime.actor import NodeActor
from actors.runtime.address import ActorDownError
from actors.runtime.supervisor import MAX_RESTARTS, RETRY_S, ActorState, RestartActor
from tests.support.adders import Add, Troupe


@pytest.fixture(autouse=True)
def _quiet_falls() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_an_operators_restart_stops_an_actor_in_order_and_loses_no_letter() -> None:
    troupe = Troupe()
    troupe.supervisor.address.tell(RestartActor("gossip"))
    for _ in range(5):
        troupe.addresses["gossip"].tell(Add(1))
    troupe.pump.run_until_idle()
    assert troupe.diaries["gossip"] == ["start", "stop", "start"]
    report = troupe.report("gossip")
    assert (report.mailbox.dropped, report.mailbox.failed, report.mailbox.depth) == (0, 0, 0)
    assert report.mailbox.handled >= 5


def test_an_operators_restart_takes_the_group_along_and_says_so() -> None:
    troupe = Troupe()
    reports = troupe.restart("chain")
    assert reports is not None
    assert [(each.name, each.state) for each in reports] == [
        (name, ActorState.RUNNING) for name in ("chain", "mempool", "miner")
    ]
    assert troupe.diaries["miner"] == ["start", "stop", "start"]
    assert troupe.diaries["gossip"] == ["start"]


def test_an_operators_restarts_are_counted_apart_and_never_degrade_the_node() -> None:
    troupe = Troupe()
    for _ in range(2 * MAX_RESTARTS):
        assert troupe.restart("gossip") is not None
    report = troupe.report("gossip")
    assert (report.restarts, report.requested_restarts) == (0, 2 * MAX_RESTARTS)
    assert report.incarnation == 2 * MAX_RESTARTS
    assert troupe.degraded() == ()
    troupe.tell("gossip", Add(-1))
    assert troupe.report("gossip").restarts == 1
    assert troupe.report("gossip").state is ActorState.RUNNING


def test_an_operator_brings_back_an_actor_that_used_up_its_restarts() -> None:
    troupe = Troupe()
    troupe.tell("gossip", *[Add(-1)] * (MAX_RESTARTS + 1), Add(7))
    assert troupe.report("gossip").state is ActorState.RESTARTING
    reports = troupe.restart("gossip")
    assert reports is not None
    assert [each.state for each in reports] == [ActorState.RUNNING]
    assert troupe.degraded() == ()
    assert troupe.total("gossip") == 7
    starts = troupe.diaries["gossip"].count("start")
    troupe.pump.run_for(2 * RETRY_S)
    assert troupe.diaries["gossip"].count("start") == starts


def test_after_an_operators_restart_an_actor_may_fall_as_often_as_a_new_one() -> None:
    troupe = Troupe()
    troupe.tell("gossip", *[Add(-1)] * (MAX_RESTARTS + 1))
    troupe.restart("gossip")
    troupe.tell("gossip", *[Add(-1)] * MAX_RESTARTS)
    assert troupe.report("gossip").state is ActorState.RUNNING
    troupe.tell("gossip", Add(-1))
    assert troupe.report("gossip").state is ActorState.RESTARTING


def test_the_rest_before_an_operators_restart_does_not_cut_a_later_one_short() -> None:
    troupe = Troupe()
    troupe.tell("gossip", *[Add(-1)] * (MAX_RESTARTS + 1))
    troupe.pump.run_for(RETRY_S - 1.0)
    troupe.restart("gossip")
    troupe.tell("gossip", *[Add(-1)] * (MAX_RESTARTS + 1))
    troupe.pump.run_for(2.0)
    assert troupe.report("gossip").state is ActorState.RESTARTING
    troupe.pump.run_for(RETRY_S)
    assert troupe.report("gossip").state is ActorState.RUNNING


def test_an_operator_learns_that_a_restart_failed_again() -> None:
    troupe = Troupe()

    def build() -> NodeActor:
        message = "no space left"
        raise OSError(message)

    troupe.supervisor.enlist("gossip", build)
    reports = troupe.restart("gossip")
    assert reports is not None
    assert reports[0].state is ActorState.RESTARTING
    assert "no space left" in (reports[0].last_error or "")


def test_an_operator_restarts_with_the_group_that_an_actor_is_down_with() -> None:
    troupe = Troupe()
    troupe.tell("chain", *[Add(-1)] * (MAX_RESTARTS + 1))
    assert troupe.report("chain").state is ActorState.RESTARTING
    reports = troupe.restart("mempool")
    assert reports is not None
    assert [each.name for each in reports] == ["chain", "mempool", "miner"]
    assert {each.state for each in reports} == {ActorState.RUNNING}


def test_nobody_restarts_a_name_that_is_none_or_the_supervisor() -> None:
    troupe = Troupe()
    assert troupe.restart("nobody") is None
    assert troupe.restart("supervisor") is None


def test_a_restart_that_is_waited_for_ends_with_the_supervisor() -> None:
    troupe = Troupe()
    waiting = troupe.supervisor.address.ask_soon(RestartActor("gossip"))
    for _ in range(4):  # the order reaches the supervisor; the actor never comes to its end
        if not troupe.supervisor.box.empty():
            troupe.supervisor.actor.step(troupe.clock.now_s())
    troupe.supervisor.actor.halt()
    troupe.supervisor.actor.step(troupe.clock.now_s())
    with pytest.raises(ActorDownError):
        waiting.result(0)
