"""Runs unstarted actors on one thread, in an order that a seed decides.

The pump is the scheduler of the simulation and of many tests: which mailbox is served next is drawn
from a seeded generator, so that a failing interleaving can be played again exactly.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar

from actors.runtime.actor import NodeActor
from actors.runtime.address import Address, Ask
from actors.runtime.clock import FakeClock
from actors.runtime.mailbox import Mailbox

R = TypeVar("R")

MAX_STEPS = 1_000_000
"""Letters handled while time stands still: past this two actors are telling each other in circles."""


class PumpStuckError(Exception):
    """The actors never fell silent."""


class PowerCut(BaseException):
    """The machine goes dark while one of its actors plays: no handler ends, and no hook of an actor runs."""

    def __init__(self, darken: Callable[[], None]) -> None:
        super().__init__()
        self.darken = darken
        """Takes all actors of the machine off the stage."""


class Pump:
    """A runner of actors without threads, for any number of nodes on one fake clock."""

    def __init__(self, seed: int, clock: FakeClock) -> None:
        self.clock = clock
        self._draw = random.Random(seed).random  # noqa: S311 - an order of play, not a secret
        self._actors: dict[Mailbox, NodeActor] = {}
        self._ready: list[Mailbox] = []

    def mailbox(self, name: str) -> Mailbox:
        """A mailbox that this pump serves; names may repeat from node to node."""
        mailbox = Mailbox(name, self.clock.now_s)
        self.serve(mailbox)
        return mailbox

    def serve(self, mailbox: Mailbox) -> None:
        """Watch a mailbox that somebody else made."""
        mailbox.wake = lambda: self._queue(mailbox)

    def run(self, actor: NodeActor) -> None:
        self._actors[actor.box] = actor
        actor.begin()
        if not actor.box.empty() and not actor.box.is_ready:
            self._queue(actor.box)

    def kill(self, mailbox: Mailbox) -> None:
        """Take an actor off the stage as a power cut does: no hook runs, its queue is lost."""
        self._actors.pop(mailbox, None)
        mailbox.close()

    def step(self) -> bool:
        """Deliver one letter, of a mailbox drawn by the seed. False when all are empty."""
        ready = self._ready
        while ready:
            index = int(self._draw() * len(ready))
            mailbox = ready[index]
            actor = self._actors.get(mailbox)
            if actor is not None and not actor.is_over and not mailbox.empty():
                try:
                    actor.step(self.clock.now_s())
                except PowerCut as cut:
                    cut.darken()
                return True
            ready[index] = ready[-1]
            ready.pop()
            mailbox.is_ready = False
        return False

    def run_until_idle(self) -> int:
        """Deliver letters until no mailbox holds one; time stands still. Returns how many.

        Raises:
            PumpStuckError: more than ``MAX_STEPS`` letters.
        """
        for steps in range(MAX_STEPS):
            if not self.step():
                return steps
        message = f"still {len(self._ready)} mailboxes with letters after {MAX_STEPS} steps"
        raise PumpStuckError(message)

    def run_for(self, seconds: float) -> None:
        """Let simulated time pass: deliver, jump to the next timer, deliver, until the time is over."""
        until_s = self.clock.now_s() + seconds
        self.run_until_idle()
        while (due_s := self.clock.next_due_s()) is not None and due_s <= until_s:
            self.clock.advance_to(due_s)
            self.run_until_idle()
        self.clock.advance_to(until_s)

    def ask(self, address: Address[Any], question: Ask[R], *, timeout_s: float = 60.0) -> R:
        """Ask from outside the house: pump, letting time pass if need be, until the answer is there.

        Raises:
            TimeoutError: not answered within ``timeout_s`` of simulated time.
        """
        future = address.ask_soon(question)
        until_s = self.clock.now_s() + timeout_s
        self.run_until_idle()
        while not future.done():
            due_s = self.clock.next_due_s()
            if due_s is None or due_s > until_s:
                message = f"no answer to {type(question).__name__} from {address.name}"
                raise TimeoutError(message)
            self.clock.advance_to(due_s)
            self.run_until_idle()
        return future.result()

    def _queue(self, mailbox: Mailbox) -> None:
        if mailbox in self._actors:
            mailbox.is_ready = True
            self._ready.append(mailbox)
