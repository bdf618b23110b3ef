from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from actors.runtime import pump as pump_module
from actors.runtime.actor import NodeActor
from actors.runtime.address import ActorDownError, Address, Ask
from actors.runtime.clock import FakeClock
from actors.runtime.mailbox import Mailbox
from actors.runtime.pump import PowerCut, Pump, PumpStuckError
from tests.support.probe import Probe, stage


@dataclass(frozen=True, slots=True)
class Later(Ask[str]):
    seconds: float


class Waiter(NodeActor):
    """Answers when a timer has told it to."""

    def __init__(self, me: Address[Any], clock: FakeClock) -> None:
        super().__init__()
        self._me, self._clock = me, clock
        self._answer: Any = None

    def on_receive(self, message: object) -> None:
        match message:
            case Later(seconds):
                self._answer = self.defer()
                self._clock.tell_after(seconds, self._me, "now")
            case "now":
                self._answer.set_result("answered")
            case "again":
                self._me.tell("again")


def note(played: list[str], name: str, _message: object) -> None:
    played.append(name)


def order_of_play(seed: int) -> list[str]:
    """Which of several mailboxes was served when, each holding letters from the start."""
    pump = Pump(seed, FakeClock())
    played: list[str] = []
    probes = [Probe(pump, name, partial(note, played, name)) for name in "abcd"]
    for probe in probes:
        for _ in range(5):
            probe.address.tell("x")
    pump.run_until_idle()
    assert len(played) == 20
    return played


def test_the_seed_alone_decides_the_order_of_play() -> None:
    assert order_of_play(1) == order_of_play(1)
    assert len({tuple(order_of_play(seed)) for seed in range(5)}) == 5


def test_each_mailbox_is_served_in_its_own_order() -> None:
    pump = Pump(3, FakeClock())
    one, other = Probe(pump), Probe(pump)
    for number in range(10):
        one.address.tell(number)
        other.address.tell(number)
    assert pump.run_until_idle() == 20
    assert one.messages == other.messages == list(range(10))


def test_letters_posted_before_the_actor_runs_are_delivered() -> None:
    pump = Pump(1, FakeClock())
    mailbox = pump.mailbox("late")
    Address[object](mailbox).tell("early")
    kept: list[object] = []
    actor = Probe(pump, "other", kept.append)
    assert pump.run_until_idle() == 0
    late = Waiter(Address(mailbox), pump.clock)
    late.attach(mailbox, lambda _actor, _fall: None)
    pump.run(late)
    assert pump.run_until_idle() == 1
    assert (actor.messages, mailbox.empty()) == ([], True)


def test_time_passes_from_timer_to_timer() -> None:
    clock = FakeClock(now_s=0.0)
    pump = Pump(1, clock)
    probe = Probe(pump, answer=lambda _message: seen.append(clock.now_s()))
    seen: list[float] = []
    for delay_s in (5.0, 2.0, 20.0):
        clock.tell_after(delay_s, probe.address, "x")
    pump.run_for(10.0)
    assert seen == [2.0, 5.0]
    assert clock.now_s() == 10.0


def test_an_ask_lets_time_pass_until_the_answer_is_there() -> None:
    clock = FakeClock(now_s=0.0)
    pump = Pump(1, clock)
    waiter = stage(pump, "waiter", lambda me: Waiter(me, clock))
    assert pump.ask(waiter, Later(7.0)) == "answered"
    assert clock.now_s() == 7.0
    with pytest.raises(TimeoutError):
        pump.ask(waiter, Later(7.0), timeout_s=6.0)


def test_actors_that_tell_each_other_in_circles_are_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pump_module, "MAX_STEPS", 1_000)
    pump = Pump(1, FakeClock())
    stage(pump, "restless", lambda me: Waiter(me, pump.clock)).tell("again")
    with pytest.raises(PumpStuckError):
        pump.run_until_idle()


def test_a_killed_actor_hears_nothing_and_its_askers_are_told() -> None:
    pump = Pump(1, FakeClock())
    probe = Probe(pump)
    waiting = probe.address.ask_soon(Later(1.0))
    pump.kill(probe.address._mailbox)
    assert pump.run_until_idle() == 0
    assert probe.messages == []
    with pytest.raises(ActorDownError):
        waiting.result(0)


def test_a_power_cut_takes_the_node_off_the_stage_in_the_middle_of_a_letter() -> None:
    """No hook of the actor runs, what it had queued is lost, and everybody else plays on."""
    pump = Pump(1, FakeClock())
    ended: list[object] = []

    def cut(_message: object) -> None:
        raise PowerCut(lambda: pump.kill(mailbox))

    victim, other = Probe(pump, "victim", cut), Probe(pump, "other")
    mailbox = victim.address._mailbox
    for actor in pump._actors.values():
        actor._ended = lambda ended_actor, _fall: ended.append(ended_actor)
    for _ in range(3):
        victim.address.tell("x")
        other.address.tell("x")
    pump.run_until_idle()
    assert ended == []
    assert mailbox.closed
    assert len(other.messages) == 3
    with pytest.raises(ActorDownError):
        pump.ask(victim.address, Later(0.0))


def test_a_mailbox_that_somebody_else_made_is_served() -> None:
    pump = Pump(1, FakeClock())
    mailbox = Mailbox("made", pump.clock.now_s)
    pump.serve(mailbox)
    waiter = Waiter(Address(mailbox), pump.clock)
    waiter.attach(mailbox, lambda _actor, _fall: None)
    pump.run(waiter)
    assert pump.ask(Address(mailbox), Later(3.0)) == "answered"
