"""An actor that hangs degrades the node, and its stack is logged once."""

from __future__ import annotations

import linecache
import logging
import threading
from typing import Never

import pytest

from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import FakeClock, ThreadClock
from actors.runtime.dump import dump, where_is
from actors.runtime.mailbox import Mailbox
from actors.runtime.pump import Pump
from actors.runtime.runner import ThreadRunner
from actors.runtime.supervisor import GetDegraded, Supervisor
from actors.runtime.watch import LOOK_EVERY_S, STUCK_S
from tests.support.adders import Add, Adder

PATIENCE_S = 30.0


class Hangs(NodeActor):
    """Until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def on_receive(self, _message: object) -> None:
        self.hang_here()

    def hang_here(self) -> None:
        self.begun.set()
        assert self.go_on.wait(PATIENCE_S)


def degraded(pump: Pump, supervisor: Supervisor) -> tuple[str, ...]:
    return pump.ask(supervisor.address, GetDegraded())


def test_who_is_stuck_is_told_once_and_so_is_that_it_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pump = Pump(1, FakeClock())
    supervisor = Supervisor(pump, pump.clock)
    asked: list[str] = []

    def stack_of(mailbox: Mailbox) -> str:
        asked.append(mailbox.name)
        return "its stack"

    box = supervisor.mailbox("chain")
    supervisor.enlist("chain", lambda: Adder([]))
    supervisor.watch(stack_of)
    supervisor.start_members()
    pump.run_for(1.0)
    box.post(Add(1))
    box.get()  # somebody took it up, and does not come back
    with caplog.at_level(logging.INFO):
        pump.run_for(STUCK_S + 3 * LOOK_EVERY_S)
        assert degraded(pump, supervisor) == ("chain: stuck in Add",)
        box.finish(pump.clock.now_s())
        pump.run_for(2 * LOOK_EVERY_S)
    assert degraded(pump, supervisor) == ()
    assert asked == ["chain"]
    told = [record.getMessage() for record in caplog.records if "chain" in record.getMessage()]
    assert told == ["chain is stuck in Add\nits stack", "chain goes on"]


def test_the_place_where_it_hangs_is_in_its_stack_and_in_the_dump() -> None:
    clock = ThreadClock()
    runner = ThreadRunner(clock)
    mailbox, actor = runner.mailbox("chain"), Hangs()
    idle = runner.mailbox("idle")
    actor.attach(mailbox, lambda _actor, _fall: None)
    runner.run(actor)
    address: Address[object] = Address(mailbox)
    address.tell(Add(1))
    address.tell(Add(2))
    assert actor.begun.wait(PATIENCE_S)
    assert "hang_here" in where_is(runner, mailbox)
    assert where_is(runner, idle) == "it has no thread"
    text = dump(runner)
    assert "actor chain: handles Add, 1 letters wait" in text
    assert "actor idle: rests, 0 letters wait" in text
    assert "thread MainThread" in text
    actor.go_on.set()
    actor.halt()
    assert actor.ended.wait(PATIENCE_S)
    clock.stop()


def test_a_dump_of_nobody_still_tells_the_threads() -> None:
    assert "thread MainThread" in dump(None)


def test_a_dump_waits_for_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object) -> Never:
        pytest.fail("the disk is asked for the lines of the sources")

    for name in ("getline", "getlines", "checkcache"):
        monkeypatch.setattr(linecache, name, hang)
    assert "in test_a_dump_waits_for_no_disk" in dump(None)
