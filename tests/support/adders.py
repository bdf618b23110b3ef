"""A small troupe under the pump, for what the supervisor does with any actors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from actors.runtime.actor import NodeActor
from actors.runtime.address import Address, Ask
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.runtime.supervisor import (
    ActorReport,
    GetDegraded,
    ListActors,
    RestartActor,
    Supervisor,
)


@dataclass(frozen=True, slots=True)
class Add:
    number: int


@dataclass(frozen=True, slots=True)
class Total(Ask[int]):
    pass


@dataclass(frozen=True, slots=True)
class BadQuestion(Ask[int]):
    pass


@dataclass(frozen=True, slots=True)
class Later(Ask[int]):
    pass


class Adder(NodeActor):
    """Adds, falls over a negative number, and keeps a diary of its lives."""

    def __init__(self, diary: list[str]) -> None:
        super().__init__()
        self._total = 0
        self._diary = diary

    def on_start(self) -> None:
        self._diary.append("start")

    def on_stop(self) -> None:
        self._diary.append("stop")

    def on_crash(self) -> None:
        self._diary.append("crash")

    def on_receive(self, message: object) -> int | None:
        match message:
            case Add(number) if number < 0:
                raise ValueError(number)
            case Add(number):
                self._total += number
            case Total():
                return self._total
            case BadQuestion():
                raise KeyError
            case Later():
                self.defer().set_result(42)
        return None


class Troupe:
    """A supervisor with adders under the pump; chain, mempool and miner fall together with chain."""

    def __init__(self, pump: Pump | None = None) -> None:
        self.pump = pump or Pump(7, FakeClock())
        self.clock = self.pump.clock
        self.supervisor = Supervisor(self.pump, self.clock)
        self.diaries: dict[str, list[str]] = {}
        self.addresses: dict[str, Address[object]] = {}
        for name in ("chain", "mempool", "miner", "gossip"):
            self.diaries[name] = []
            self.addresses[name] = Address(self.supervisor.mailbox(name))
            group = ("chain", "mempool", "miner") if name == "chain" else None
            self.supervisor.enlist(name, self.builder(name), group=group)
        self.supervisor.start_members()
        self.pump.run_until_idle()

    def builder(self, name: str) -> Callable[[], NodeActor]:
        return lambda: Adder(self.diaries[name])

    def tell(self, name: str, *messages: object) -> None:
        for message in messages:
            self.addresses[name].tell(message)
        self.pump.run_until_idle()

    def total(self, name: str) -> int:
        return self.pump.ask(self.addresses[name], Total())

    def restart(self, name: str) -> tuple[ActorReport, ...] | None:
        return self.pump.ask(self.supervisor.address, RestartActor(name))

    def degraded(self) -> tuple[str, ...]:
        return self.pump.ask(self.supervisor.address, GetDegraded())

    def report(self, name: str) -> ActorReport:
        reports = self.pump.ask(self.supervisor.address, ListActors())
        return next(report for report in reports if report.name == name)
