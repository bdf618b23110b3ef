"""Starts the actors, watches them, and restarts those that fall.

A restart is one for one, or for a whole group in its order of start (ARCHITECTURE: supervision). Too
many of them mark the node DEGRADED: it goes on serving what it can, says why, and tries again later.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

from actors.runtime.actor import Fall, NodeActor, Ping
from actors.runtime.address import ActorDownError, Address, Ask
from actors.runtime.clock import Clock
from actors.runtime.crew import Crew
from actors.runtime.mailbox import Mailbox
from actors.runtime.member import (
    MAX_RESTARTS,
    RESTART_WINDOW_S,
    ActorReport,
    ActorState,
    Member,
)

__all__ = [
    "MAX_RESTARTS",
    "RESTART_WINDOW_S",
    "ActorReport",
    "ActorState",
    "GetDegraded",
    "ListActors",
    "RestartActor",
    "Runner",
    "Supervisor",
    "SupervisorInput",
    "ThreadRunner",
]

log = logging.getLogger(__name__)

RETRY_S = 10.0
"""How long a fallen actor rests once the node is degraded."""
START_TIMEOUT_S = 30.0
"""An ``on_start`` opens a store or binds a port: seconds at the worst."""
STOP_TIMEOUT_S = 10.0
"""An actor finishes one message and commits; a longer wait is a bug worth a log line."""
MAX_ORDERS = 64
"""Restarts that are waited for: only an actor that does not come to its end lets them gather."""


class Runner(Protocol):
    """Where actors run: on threads, or under the pump."""

    def mailbox(self, name: str) -> Mailbox:
        """A new mailbox that this runner watches."""

    def run(self, actor: NodeActor) -> None:
        """Let a built and attached actor begin."""


class ThreadRunner:
    """A thread for each actor, but one for those who form a crew (``crews``: their names, by the crew's)."""

    def __init__(self, clock: Clock, crews: Mapping[str, Iterable[str]] | None = None) -> None:
        self._clock = clock
        self._shared: dict[str, Crew] = {}
        for crew, names in (crews or {}).items():
            self._shared |= dict.fromkeys(names, Crew(crew, clock.now_s))
        self._crews: dict[Mailbox, Crew] = {}

    def mailbox(self, name: str) -> Mailbox:
        mailbox = Mailbox(name, self._clock.now_s)
        crew = self._crews[mailbox] = self._shared.get(name) or Crew(name, self._clock.now_s)
        crew.serve(mailbox)
        return mailbox

    def run(self, actor: NodeActor) -> None:
        self._crews[actor.box].enter(actor)


@dataclass(frozen=True, slots=True)
class ListActors(Ask[tuple[ActorReport, ...]]):
    """Every actor, in the order of start; the supervisor itself is the last. Ask: tuple of ActorReport."""


@dataclass(frozen=True, slots=True)
class GetDegraded(Ask[tuple[str, ...]]):
    """Why the node is degraded, a sentence an actor; empty when it is not. Ask: tuple of str."""


@dataclass(frozen=True, slots=True)
class RestartActor(Ask["tuple[ActorReport, ...] | None"]):
    """Bring a member down in order and build it anew, with its group; also one that used up its restarts,
    whose falls are then forgiven. Not charged against them. Answered when all of the group are up, or
    rest because one failed again; None: no member has that name. Ask: tuple of ActorReport, None.
    """

    name: str


@dataclass(frozen=True, slots=True)
class _Began:
    """An incarnation's ``on_start`` is through. Tell."""

    name: str
    actor: NodeActor


@dataclass(frozen=True, slots=True)
class _Ended:
    """An incarnation is over, by a fall or in order. Tell."""

    name: str
    actor: NodeActor
    fall: Fall | None


@dataclass(frozen=True, slots=True)
class _Retry:
    """A degraded group has rested, if it is still the same rest. Tell."""

    group: tuple[str, ...]
    rest: int


SupervisorInput = ListActors | GetDegraded | RestartActor | _Began | _Ended | _Retry


@dataclass(frozen=True, slots=True)
class _Order:
    """A restart that somebody waits for."""

    group: tuple[str, ...]
    answer: Future[Any]


class Supervisor(NodeActor):
    """Keeps the members playing; itself the one actor that nothing restarts."""

    def __init__(self, runner: Runner, clock: Clock) -> None:
        super().__init__()
        self._runner, self._clock = runner, clock
        self._members: dict[str, Member] = {}
        self._address: Address[SupervisorInput] = Address(runner.mailbox("supervisor"))
        self.attach(self._address._mailbox, _supervisor_ended)  # noqa: SLF001 - it makes its own address
        self._orders: list[_Order] = []
        self._rests = itertools.count(1)
        self._first_fall: Future[str] = Future()
        self._playing = False

    # -- used by the composition root, before start and while stopping ----------------------------

    @property
    def address(self) -> Address[SupervisorInput]:
        return self._address

    def mailbox(self, name: str) -> Mailbox:
        """The mailbox of a member to be; addresses may be handed out before anybody reads them."""
        if name not in self._members:
            self._members[name] = Member(name, _unbuilt(name), (name,), self._runner.mailbox(name))
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
                return (*self._reports(self._members), self._own_report())
            case GetDegraded():
                return self._degraded()
            case RestartActor(name):
                return self._restart_asked(name)
            case _Began(name, actor):
                self._on_began(self._members[name], actor)
            case _Ended(name, actor, fall):
                self._on_ended(self._members[name], actor, fall)
            case _Retry(group, rest):
                if all((m.due, m.rest) == (group, rest) for m in self._all(group)):
                    self._restart(group)
            case _:
                assert_never(message)
        return None

    def on_stop(self) -> None:
        for order in self._orders:
            order.answer.set_exception(ActorDownError(self.box.name))

    def _restart_asked(self, name: str) -> object:
        member = self._members.get(name)
        if member is None:
            return None
        group = _wider(member)
        log.info("restart of %s, as asked for", ", ".join(group))
        for each in self._all(group):
            each.falls_s.clear()
        answer = None
        if len(self._orders) < MAX_ORDERS:
            answer = _Order(group, self.defer())
            self._orders.append(answer)
        self._restart(group, asked=True)
        return None if answer else self._reports(group)

    def _on_began(self, member: Member, actor: NodeActor) -> None:
        if member.actor is not actor or member.state is not ActorState.STARTING:
            return  # news of an incarnation that is replaced, or about to be
        member.state = ActorState.RUNNING
        for order in tuple(self._orders):
            if all(m.state is ActorState.RUNNING for m in self._all(order.group)):
                self._answer(order)

    def _answer(self, order: _Order) -> None:
        self._orders.remove(order)
        order.answer.set_result(self._reports(order.group))

    def _on_ended(self, member: Member, actor: NodeActor, fall: Fall | None) -> None:
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
        group, now_s = _wider(member), self._clock.now_s()
        causes = [m for m in self._all(group) if m.group == group]
        if any(m.is_degraded(now_s) for m in (member, *causes)):
            self._rest(group)
        else:
            self._restart(group)

    def _rest(self, group: tuple[str, ...]) -> None:
        log.error("%s keeps failing: the node is degraded, next try in %.0f s", group[0], RETRY_S)
        rest = next(self._rests)
        for member in self._all(group):
            member.due, member.rest = group, rest
        self._clock.tell_after(RETRY_S, self._address, _Retry(group, rest))
        for order in tuple(self._orders):
            if set(order.group) & set(group):
                self._answer(order)

    def _note_fall(self, member: Member, fall: Fall) -> None:
        member.fell(fall, self._clock.now_s())
        if not self._first_fall.done():
            self._first_fall.set_result(member.name)
        log.error("%s fell: %s", member.name, member.last_error, exc_info=fall.error)

    def _restart(self, group: tuple[str, ...], *, asked: bool = False) -> None:
        """Bring down what still plays of the group, last first; the rest follows as they end."""
        for member in reversed(self._all(group)):
            member.goes_down(group, asked=asked)
            if member.actor is not None:
                member.actor.halt()
        self._run_due(group)

    def _run_due(self, group: tuple[str, ...]) -> None:
        members = self._all(group)
        if not all(m.due == group and m.actor is None for m in members):
            return
        for member in members:
            member.restarts_now()
            try:
                self._run(member)
            except Exception as error:  # noqa: BLE001 - a builder that fails is a fall as well
                self._note_fall(member, Fall(error, None))
                self._rest(group)
                return

    def _run(self, member: Member) -> None:
        actor = member.build()
        actor.attach(
            member.mailbox,
            lambda ended, fall: self._address.tell(_Ended(member.name, ended, fall)),
            lambda began: self._address.tell(_Began(member.name, began)),
        )
        member.state, member.due = ActorState.STARTING, ()
        self._runner.run(actor)
        member.actor = actor  # only now: whom the runner cannot run never comes to an end

    def _all(self, names: Iterable[str]) -> Sequence[Member]:
        return [self._members[name] for name in names]

    def _degraded(self) -> tuple[str, ...]:
        now_s = self._clock.now_s()
        return tuple(
            f"{member.name}: {member.last_error or 'restarts with its group'}"
            for member in self._members.values()
            if member.is_degraded(now_s) or member.is_down_by_failure
        )

    def _reports(self, names: Iterable[str]) -> tuple[ActorReport, ...]:
        return tuple(member.report() for member in self._all(names))

    def _own_report(self) -> ActorReport:
        """What answers is running, and nothing restarts it."""
        name, mailbox = self.box.name, self.box.report()
        return ActorReport(name, ActorState.RUNNING, 0, 0, None, (), mailbox)


def _wider(member: Member) -> tuple[str, ...]:
    """Whom it restarts with: its group, or the larger one that it is down with already."""
    return max(member.group, member.due, key=len)


def _supervisor_ended(_actor: NodeActor, fall: Fall | None) -> None:
    if fall is not None:
        log.critical("the supervisor fell", exc_info=fall.error)


def _unbuilt(name: str) -> Callable[[], NodeActor]:
    def build() -> NodeActor:
        message = f"nobody said how to build {name}"
        raise AssertionError(message)

    return build
