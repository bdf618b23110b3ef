"""A crew by itself or in a house with a supervisor, and actors to play on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from actors.runtime.actor import NodeActor, WaitingActor
from actors.runtime.address import Address, Ask
from actors.runtime.clock import ThreadClock
from actors.runtime.crew import Crew
from actors.runtime.mailbox import Mailbox
from actors.runtime.supervisor import Supervisor, ThreadRunner
from tests.support.adders import Add, Adder, Total

PATIENCE_S = 30.0
CREW = ("a", "b", "watcher")


@dataclass(frozen=True, slots=True)
class Told(Ask[tuple[Any, ...]]):
    """What an actor was told until now."""


class Listener(NodeActor):
    """Keeps what it is told, and which thread it was on."""

    def __init__(self, react: Callable[[Any], None] = lambda _message: None) -> None:
        super().__init__()
        self._react = react
        self._told: list[Any] = []
        self.threads = set[int]()

    def on_receive(self, message: object) -> object:
        self.threads.add(threading.get_ident())
        if isinstance(message, Told):
            return tuple(self._told)
        self._react(message)
        self._told.append(message)
        return None


class Bell:
    """A waker, and what it rings for."""

    def __init__(self) -> None:
        self.asleep = False
        self.rung = threading.Event()

    def wake(self) -> None:
        self.asleep = False
        self.rung.set()


class Watcher(WaitingActor):
    """Waits on a bell; falls there when it is told to, and in its handler over a negative number."""

    def __init__(self, diary: list[str]) -> None:
        super().__init__()
        self.waker = self._bell = Bell()
        self._diary = diary
        self._bug = False
        self.waits = 0

    def on_start(self) -> None:
        self._diary.append("start")

    def on_crash(self) -> None:
        self._diary.append("crash")

    def on_receive(self, message: object) -> object:
        match message:
            case "bug":
                self._bug = True
            case Add(number) if number < 0:
                raise ValueError(number)
            case Total():
                return self.waits
        return None

    def wait(self, is_idle: Callable[[], bool]) -> None:
        self.waits += 1
        if self._bug:
            raise ZeroDivisionError
        self._bell.asleep = True
        if is_idle():
            assert self._bell.rung.wait(PATIENCE_S), "nobody woke the crew"
        self._bell.asleep = False
        self._bell.rung.clear()


class House:
    """A supervisor with a crew of two adders and a watcher, and an adder on a thread of its own."""

    def __init__(self) -> None:
        self._clock = ThreadClock()
        self.supervisor = Supervisor(ThreadRunner(self._clock, {"crew": CREW}), self._clock)
        self.diaries: dict[str, list[str]] = {name: [] for name in (*CREW, "alone")}
        self.at: dict[str, Address[Any]] = {
            name: Address(self.supervisor.mailbox(name)) for name in self.diaries
        }
        for name in ("a", "b", "alone"):
            self.supervisor.enlist(name, lambda name=name: Adder(self.diaries[name]))  # type: ignore[misc]
        self.supervisor.enlist("watcher", lambda: Watcher(self.diaries["watcher"]))

    def __enter__(self) -> Self:
        self.supervisor.start_members()
        self.supervisor.await_members()
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop_members(tuple(self.diaries))
        self._clock.stop()
        for thread in self._crew_threads():  # or the next house counts this one's as its own
            thread.join(PATIENCE_S)

    def total(self, name: str) -> int:
        total: int = self.at[name].ask(Total(), timeout_s=PATIENCE_S)
        return total

    def threads(self) -> int:
        return len(self._crew_threads())

    def _crew_threads(self) -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "troupe-crew"]


class Scene:
    """A crew by itself, and actors for it."""

    def __init__(self) -> None:
        self._clock = ThreadClock()
        self.crew = Crew("scene", self._clock.now_s)
        self._playing: list[NodeActor] = []

    def mailbox(self, name: str) -> Mailbox:
        mailbox = Mailbox(name, self._clock.now_s)
        self.crew.serve(mailbox)
        return mailbox

    def enter(self, actor: NodeActor, mailbox: Mailbox) -> Address[Any]:
        actor.attach(mailbox, lambda _actor, _fall: None)
        self._playing.insert(0, actor)
        self.crew.enter(actor)
        return Address(mailbox)

    def listener(self, name: str, react: Callable[[Any], None] = lambda _: None) -> Address[Any]:
        return self.enter(Listener(react), self.mailbox(name))

    def stop(self) -> None:
        for actor in self._playing:
            actor.halt()
            assert actor.ended.wait(PATIENCE_S)
        self._clock.stop()


def told(address: Address[Any]) -> tuple[Any, ...]:
    answer: tuple[Any, ...] = address.ask(Told(), timeout_s=PATIENCE_S)
    return answer


def assert_is_set(event: threading.Event) -> None:
    assert event.wait(PATIENCE_S)
