"""Starts the actors, watches them, and restarts those that fall.

A restart is one for one, or for a whole group in its order of start (ARCHITECTURE: supervision). Too
many of them mark the node DEGRADED: it goes on serving what it can, says why, and tries again later.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, assert_never

from actors.runtime.actor import Fall, NodeActor, Ping
from actors.runtime.address import ActorDownError, Address, Ask
from actors.runtime.clock import Clock
from actors.runtime.mailbox import Mailbox, MailboxReport

log = logging.getLogger(__name__)

MAX_RESTARTS = 3
"""More than these within the window and an immediate restart only burns the processor."""
RESTART_WINDOW_S = 60.0
RETRY_S = 10.0
"""How long a fallen actor rests once the node is degraded."""
START_TIMEOUT_S = 30.0
"""An ``on_start`` opens a store or binds a port: seconds at the worst."""
STOP_TIMEOUT_S = 10.0
"""An actor finishes one message and commits; a longer wait is a bug worth a log line."""


class Runner(Protocol):
    """Where actors run: on threads, or under the pump."""

    def mailbox(self, name: str) -> Mailbox:
        """A new mailbox that this runner watches."""

    def run(self, actor: NodeActor) -> None:
        """Let a built and attached actor begin."""


class ThreadRunner:
    """A thread for each actor."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def mailbox(self, name: str) -> Mailbox:
        return Mailbox(name, self._clock.now_s)

    def run(self, actor: NodeActor) -> None:
        actor.launch()


class ActorState(Enum):
    """Where an actor stands, as reported to people."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ActorReport:
    """One actor's line in the list of actors. Value."""

    name: str
    state: ActorState
    restarts: int
    last_error: str | None
    mailbox: MailboxReport


@dataclass(frozen=True, slots=True)
class ListActors(Ask[tuple[ActorReport, ...]]):
    """Every actor, in the order of start. Ask: tuple of ActorReport."""


@dataclass(frozen=True, slots=True)
class GetDegraded(Ask[tuple[str, ...]]):
    """Why the node is degraded, a sentence an actor; empty when it is not. Ask: tuple of str."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """An incarnation is over, by a fall or in order. Tell."""

    name: str
    actor: NodeActor
    fall: Fall | None


@dataclass(frozen=True, slots=True)
class _Retry:
    """A degraded group may try again. Tell."""

    group: tuple[str, ...]


SupervisorInput = ListActors | GetDegraded | _Ended | _Retry


@dataclass(slots=True)
class _Member:
    """What the supervisor knows of one name."""

    name: str
    build: Callable[[], NodeActor]
    group: tuple[str, ...]
    mailbox: Mailbox
    actor: NodeActor | None = None
    state: ActorState = ActorState.STOPPED
    restarts: int = 0
    last_error: str | None = None
    falls_s: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_RESTARTS + 1))
    due: tuple[str, ...] = ()
    """The group that it waits to be restarted with; empty while it plays."""


class Supervisor(NodeActor):
    """Keeps the members playing; itself the one actor that nothing restarts."""

    def __init__(self, runner: Runner, clock: Clock) -> None:
        super().__init__()
        self._runner, self._clock = runner, clock
        self._members: dict[str, _Member] = {}
        self._address: Address[SupervisorInput] = Address(runner.mailbox("supervisor"))
        self.attach(self._address._mailbox, _supervisor_ended)  # noqa: SLF001 - it makes its own address
        self._first_fall: Future[str] = Future()
        self._playing = False

    # -- used by the composition root, before start and while stopping ----------------------------

    @property
    def address(self) -> Address[SupervisorInput]:
        return self._address

    def mailbox(self, name: str) -> Mailbox:
        """The mailbox of a member to be; addresses may be handed out before anybody reads them."""
        if name not in self._members:
            self._members[name] = _Member(name, _unbuilt(name), (name,), self._runner.mailbox(name))
        return self._members[name].mailbox

    def enlist(
        self, name: str, build: Callable[[], NodeActor], *, group: Sequence[str] | None = None
    ) -> None:
        """Say how a member is built, and which members restart with it, in order (itself alone)."""
        self.mailbox(name)
        member = self._members[name]
        member.build, member.group = build, tuple(group or (name,))

    def start_members(self) -> None:
        """Build and run the members in the order given. What a builder raises comes through.

        The supervisor itself begins last: until then the members are the caller's thread's, and one
        that falls meanwhile waits in the mailbox.
        """
        for member in self._members.values():
            self._run(member)
        self._playing = True
        self._runner.run(self)

    def await_members(self) -> None:
        """Wait until every member's ``on_start`` is through. Not under the pump.

        Raises:
            ActorDownError: one fell at once.
            TimeoutError: one did not come up in time.
        """
        for member in self._members.values():
            up = Address[Ping](member.mailbox).ask_soon(Ping())
            awaited: tuple[Future[Any], ...] = (up, self._first_fall)
            wait(awaited, START_TIMEOUT_S, FIRST_COMPLETED)
            if self._first_fall.done():
                raise ActorDownError(self._first_fall.result())
            up.result(0)

    def stop_members(self, order: Sequence[str]) -> None:
        """Stop the members one after the other; each finishes its message. Not under the pump.

        The supervisor itself ends first: from then on nothing is restarted, and the members are the
        caller's thread's.
        """
        if self._playing:
            self.halt()
            if not self.ended.wait(STOP_TIMEOUT_S):
                log.error("the supervisor did not stop within %.0f s", STOP_TIMEOUT_S)
        self.box.close()
        for name in order:
            member = self._members[name]
            actor = member.actor
            if actor is not None:
                actor.halt()
                if not actor.ended.wait(STOP_TIMEOUT_S):
                    log.error("the %s actor did not stop within %.0f s", name, STOP_TIMEOUT_S)
            member.mailbox.close()
            member.state = ActorState.STOPPED

    # -- messages -----------------------------------------------------------------------------

    def on_receive(self, message: SupervisorInput) -> object:
        match message:
            case ListActors():
                return tuple(self._report(member) for member in self._members.values())
            case GetDegraded():
                return self._degraded()
            case _Ended(name, actor, fall):
                self._on_ended(self._members[name], actor, fall)
            case _Retry(group):
                if all(self._members[name].due == group for name in group):
                    self._restart(group)
            case _:
                assert_never(message)
        return None

    def _on_ended(self, member: _Member, actor: NodeActor, fall: Fall | None) -> None:
        if member.actor is not actor:
            return  # news of an incarnation that is already replaced
        member.actor = None
        if fall is None:
            if member.due:
                self._run_due(member.due)
            else:
                member.state = ActorState.STOPPED
            return
        self._note_fall(member, fall)
        group = member.due if len(member.due) > len(member.group) else member.group
        causes = [m for m in map(self._members.__getitem__, group) if m.group == group]
        if self._is_degraded(member) or any(map(self._is_degraded, causes)):
            self._rest(group)
        else:
            self._restart(group)

    def _rest(self, group: tuple[str, ...]) -> None:
        log.error("%s keeps failing: the node is degraded, next try in %.0f s", group[0], RETRY_S)
        for name in group:
            self._members[name].due = group
        self._clock.tell_after(RETRY_S, self._address, _Retry(group))

    def _note_fall(self, member: _Member, fall: Fall) -> None:
        kind = type(fall.message).__name__ if fall.message is not None else "on_start"
        member.last_error = f"{type(fall.error).__name__} in {kind}: {fall.error}"
        member.state = ActorState.RESTARTING
        member.falls_s.append(self._clock.now_s())
        if not self._first_fall.done():
            self._first_fall.set_result(member.name)
        log.error("%s fell: %s", member.name, member.last_error, exc_info=fall.error)

    def _restart(self, group: tuple[str, ...]) -> None:
        """Bring down what still plays of the group, last first; the rest follows as they end."""
        for name in reversed(group):
            member = self._members[name]
            member.due = group
            member.state = ActorState.RESTARTING
            if member.actor is not None:
                member.actor.halt()
        self._run_due(group)

    def _run_due(self, group: tuple[str, ...]) -> None:
        members = [self._members[name] for name in group]
        if not all(m.due == group and m.actor is None for m in members):
            return
        for member in members:
            member.restarts += 1
            try:
                self._run(member)
            except Exception as error:  # noqa: BLE001 - a builder that fails is a fall as well
                self._note_fall(member, Fall(error, None))
                self._rest(group)
                return

    def _run(self, member: _Member) -> None:
        actor = member.build()
        actor.attach(member.mailbox, lambda ended, fall: self._tell_ended(member.name, ended, fall))
        member.actor, member.state, member.due = actor, ActorState.RUNNING, ()
        self._runner.run(actor)

    def _tell_ended(self, name: str, actor: NodeActor, fall: Fall | None) -> None:
        self._address.tell(_Ended(name, actor, fall))

    def _is_degraded(self, member: _Member) -> bool:
        falls = member.falls_s
        recent = [at_s for at_s in falls if at_s > self._clock.now_s() - RESTART_WINDOW_S]
        return len(recent) > MAX_RESTARTS

    def _degraded(self) -> tuple[str, ...]:
        return tuple(
            f"{member.name}: {member.last_error}"
            for member in self._members.values()
            if self._is_degraded(member) or member.state is ActorState.RESTARTING
        )

    def _report(self, member: _Member) -> ActorReport:
        return ActorReport(
            member.name, member.state, member.restarts, member.last_error, member.mailbox.report()
        )


def _supervisor_ended(_actor: NodeActor, fall: Fall | None) -> None:
    if fall is not None:
        log.critical("the supervisor fell", exc_info=fall.error)


def _unbuilt(name: str) -> Callable[[], NodeActor]:
    def build() -> NodeActor:
        message = f"nobody said how to build {name}"
        raise AssertionError(message)

    return build
