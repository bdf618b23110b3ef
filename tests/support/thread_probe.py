"""Actors on real threads under test: a stage that runs and stops them, a probe, a clock to push.

For what needs real sockets or processes; everything else is tested under the pump (`probe.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from actors.runtime.actor import Fall, NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import ThreadClock
from actors.runtime.mailbox import Mailbox
from actors.runtime.supervisor import ThreadRunner

T = TypeVar("T")

TIMEOUT_S = 30.0
"""How long a test waits for what must happen: only a failing test ever waits so long."""


class PushedClock(ThreadClock):
    """A clock that stands still until a test pushes it: deadlines pass without waiting for them, and none passes
    because a machine is slow.
    """

    def __init__(self) -> None:
        self._now_s = 1_000.0
        super().__init__()

    def now_s(self) -> float:
        return self._now_s

    def push(self, seconds: float) -> None:
        with self._changed:
            self._now_s += seconds
            self._changed.notify()


class Stage:
    """Runs actors on threads for one test; a fall of any is raised when the test ends."""

    def __init__(self) -> None:
        self.clock = PushedClock()
        self._runner = ThreadRunner(self.clock)
        self._actors: list[NodeActor] = []
        self._falls: list[Fall] = []
        self.resources = ExitStack()
        """Closed when the test ends, after the actors have stopped."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for actor in self._actors:
            self.stop(actor)
        self.clock.stop()
        self.resources.close()
        if kind is None and self._falls:
            raise self._falls[0].error

    def mailbox(self, name: str) -> Mailbox:
        return self._runner.mailbox(name)

    def run(self, actor: NodeActor, mailbox: Mailbox) -> None:
        """Start an actor that reads `mailbox`; last in, first stopped."""
        actor.attach(mailbox, self._ended)
        self._actors.insert(0, actor)
        self._runner.run(actor)

    def stop(self, actor: NodeActor) -> None:
        """Stop an actor in order and wait until it is over."""
        actor.halt()
        assert actor.ended.wait(TIMEOUT_S), "the actor does not end"

    def take_falls(self) -> list[Fall]:
        """The falls so far, for a test that wants them; they are not raised any more."""
        falls, self._falls = self._falls, []
        return falls

    def _ended(self, _actor: NodeActor, fall: Fall | None) -> None:
        if fall is not None:
            self._falls.append(fall)


class ThreadProbe:
    """The other end of an address, on a thread: keeps what it is told, and lets a test wait for it."""

    def __init__(
        self,
        stage: Stage,
        name: str = "probe",
        react: Callable[[Any], None] = lambda _message: None,
    ) -> None:
        self._messages: list[Any] = []
        self._changed = threading.Condition()
        mailbox = stage.mailbox(name)
        self.address: Address[Any] = Address(mailbox)
        stage.run(_ProbeActor(self._keep, react), mailbox)

    def wait_for(self, kind: type[T], where: Callable[[T], bool] = lambda _message: True) -> T:
        """The first message of this type that fits, past or to come; it is taken out."""
        deadline_s = time.monotonic() + TIMEOUT_S
        with self._changed:
            while True:
                for message in self._messages:
                    if isinstance(message, kind) and where(message):
                        self._messages.remove(message)
                        return message
                left_s = deadline_s - time.monotonic()
                assert left_s > 0, f"no such {kind.__name__} among {self._messages}"
                self._changed.wait(left_s)

    def of(self, kind: type[T]) -> list[T]:
        """What is kept of one type now."""
        with self._changed:
            return [message for message in self._messages if isinstance(message, kind)]

    def _keep(self, message: Any) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()


class _ProbeActor(NodeActor):
    def __init__(self, keep: Callable[[Any], None], react: Callable[[Any], None]) -> None:
        super().__init__()
        self._keep, self._react = keep, react

    def on_receive(self, message: Any) -> None:
        self._react(message)
        self._keep(message)
