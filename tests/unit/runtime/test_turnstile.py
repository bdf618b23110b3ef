"""Letters are told in turn: who writes many waits for himself alone."""

from __future__ import annotations

from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.runtime.turnstile import Turnstile
from tests.support.probe import Probe


class Stage:
    """A turnstile before a probe, which is told one letter at a time."""

    def __init__(self) -> None:
        self.pump = Pump(1, FakeClock())
        self.probe = Probe(self.pump, "actor")
        self.turnstile: Turnstile[str, str] = Turnstile(self.probe.address)

    def told(self) -> list[object]:
        self.pump.run_until_idle()
        return self.probe.take()

    def told_in_order(self) -> list[object]:
        letters = list[object]()
        while told := self.told():
            letters += told
            self.turnstile.passed()
        return letters


def test_one_is_on_its_way_and_the_others_wait_until_it_has_passed() -> None:
    stage = Stage()
    assert stage.turnstile.is_free
    stage.turnstile.queue("a", ["a1", "a2"])
    assert stage.told() == ["a1"]
    assert not stage.turnstile.is_free
    stage.turnstile.passed()
    assert stage.told() == ["a2"]
    assert not stage.turnstile.is_free
    stage.turnstile.passed()
    assert stage.told() == []
    assert stage.turnstile.is_free


def test_who_comes_behind_a_flood_has_the_next_turn() -> None:
    stage = Stage()
    stage.turnstile.queue("flood", [f"f{n}" for n in range(100)])
    stage.turnstile.queue("honest", ["h"])
    assert stage.told_in_order()[:3] == ["f0", "f1", "h"]


def test_what_is_forgotten_is_not_told() -> None:
    stage = Stage()
    stage.turnstile.queue("a", ["a1", "a2", "a3"])
    stage.turnstile.queue("b", ["b1"])
    assert stage.turnstile.forget("a", but=lambda letter: letter == "a3") == ["a2"]
    assert stage.turnstile.forget("nobody", but=lambda _: False) == []
    assert stage.told_in_order() == ["a1", "a3", "b1"]


def test_what_is_abandoned_is_all_told_at_once() -> None:
    stage = Stage()
    stage.turnstile.queue("a", ["a1", "a2"])
    stage.turnstile.queue("b", ["b1"])
    stage.turnstile.abandon()
    assert stage.told() == ["a1", "a2", "b1"]
