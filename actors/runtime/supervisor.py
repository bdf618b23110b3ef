"""Starts the actors, watches them, and restarts those that fall.

A restart is one for one, or for a whole group in its order of start (ARCHITECTURE: supervision). Too
many of them mark the node DEGRADED: it goes on serving what it can, says why, and tries again later.

The supervisor is an actor itself, and may fall as any other: what it knows outlives it, the members play
on meanwhile, and its next incarnation looks at how each of them fares.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from actors.runtime.actor import Fall, NodeActor, Ping
from actors.runtime.address import ActorDownError, Address
from actors.runtime.aftermath import Aftermath, Letters, NoLetters
from actors.runtime.clock import Clock
from actors.runtime.mailbox import Mailbox
from actors.runtime.member import (
    MAX_RESTARTS,
    RESTART_WINDOW_S,
    ActorReport,
    ActorState,
    Member,
    unbuilt,
)
from actors.runtime.orders import (
    Ailing,
    Began,
    Ended,
    GetDegraded,
    ListActors,
    Look,
    RestartActor,
    Retry,
)
from actors.runtime.quarantine import Quarantine, QuarantineQuestion
from actors.runtime.runner import Runner, ThreadRunner
from actors.runtime.watch import LOOK_EVERY_S, Watch

__all__ = [
    "MAX_RESTARTS",
    "RESTART_WINDOW_S",
    "ActorReport",
    "ActorState",
    "Ailing",
    "GetDegraded",
    "ListActors",
    "RestartActor",
    "Runner",
    "Supervisor",
    "SupervisorInput",
    "ThreadRunner",
]

log = logging.getLogger(__name__)

NAME = "supervisor"
RETRY_S = 10.0
"""How long a fallen actor rests once the node is degraded."""
START_TIMEOUT_S = 30.0
"""An ``on_start`` opens a store or binds a port: seconds at the worst."""
STOP_TIMEOUT_S = 10.0
"""An actor finishes one message and commits; a longer wait is a bug worth a log line."""
MAX_ORDERS = 64
"""Restarts that are waited for: only an actor that does not come to its end lets them gather."""

StageQuestion = ListActors | GetDegraded | RestartActor | QuarantineQuestion
SupervisorInput = StageQuestion | Ailing | Began | Ended | Retry | Look


@dataclass(frozen=True, slots=True)
class _Order:
    """A restart that somebody waits for."""

    group: tuple[str, ...]
    answer: Future[Any]


class Supervisor:
    """Keeps the members playing. Its own thread's, but for what the composition root calls."""

    def __init__(self, runner: Runner, clock: Clock) -> None:
        self._runner, self._clock = runner, clock
        self._members: dict[str, Member] = {}
        self._orders: list[_Order] = []
        self._rests = itertools.count(1)
        self._first_fall: Future[str] = Future()
        self._aftermath, self._quarantine = Aftermath(NoLetters()), Quarantine()
        self._watch, self._look = Watch(), Look()
        self._stack_of: Callable[[Mailbox], str] | None = None
        self._playing = False
        self.box = runner.mailbox(NAME)
        self.address: Address[SupervisorInput] = Address(self.box)
        self._own = Member(NAME, lambda: _Voice(self), (), self.box)
        self.actor = self._next_voice()

    # -- used by the composition root, before start and while stopping ----------------------------

    def heed(self, letters: Letters, quarantine: Quarantine) -> None:
        """Say what the rooms' letters mean, and where those go that fell an actor twice."""
        self._aftermath, self._quarantine = Aftermath(letters), quarantine

    def watch(self, stack_of: Callable[[Mailbox], str]) -> None:
        """Look out for members that are stuck, once started; ``stack_of`` says where a thread is."""
        self._stack_of = stack_of

    def mailbox(self, name: str) -> Mailbox:
        """The mailbox of a member to be; addresses may be handed out before anybody reads them."""
        if name not in self._members:
            self._members[name] = Member(name, unbuilt(name), (name,), self._runner.mailbox(name))
        return self._members[name].mailbox

    def enlist(
        self,
        name: str,
        build: Callable[[], NodeActor],
        *,
        group: Sequence[str] | None = None,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """Say how a member is built, and which members restart with it, in order (itself alone).

        ``forget`` throws away what an incarnation leaves to the next: called while the member is down,
        when restarts with it were of no help.
        """
        self.mailbox(name)
        member = self._members[name]
        member.build, member.group, member.forget = build, tuple(group or (name,)), forget

    def start_members(self) -> None:
        """Build and run the members in the order given. What a builder raises comes through.

        The supervisor itself begins last: until then the members are the caller's thread's, and one
        that falls meanwhile waits in the mailbox.
        """
        for member in self._members.values():
            self._run(member)
        self._playing = True
        self._runner.run(self.actor)

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
            self._playing = False
            self.actor.halt()
            if not self.actor.ended.wait(STOP_TIMEOUT_S):
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

    # -- its own incarnations ---------------------------------------------------------------------

    def _next_voice(self) -> NodeActor:
        voice = self._own.build()
        voice.attach(self.box, self._on_own_end)
        self._own.state = ActorState.RUNNING
        return voice

    def _on_own_end(self, _voice: NodeActor, fall: Fall | None) -> None:
        """Go on with the next letter; who falls at once each time stays down, and the members play on."""
        if fall is None or not self._playing:
            return
        now_s = self._clock.now_s()
        self._own.fell(fall, now_s)
        log.critical("the supervisor fell: %s", self._own.last_error, exc_info=fall.error)
        if fall.message is None and self._own.is_degraded(now_s):
            log.critical("nothing is restarted any more: restart the node")
            self.dismiss()
            self.box.close()  # whoever asks is told so, and what is told does not gather
            return
        self.box.count_lost(fall.message is not None)
        self._own.restarts_now()
        self.actor = self._next_voice()
        self._runner.run(self.actor)

    def look_around(self) -> None:
        """How each member fares, whatever an earlier incarnation was told and did not get to."""
        for member in self._members.values():
            actor = member.actor
            if actor is None and member.due and member.rest:
                self._clock.tell_after(RETRY_S, self.address, Retry(member.due, member.rest))
            elif actor is None and member.due:
                self._run_due(member.due)
            elif actor is not None and actor.is_over:
                self._on_ended(member, actor, actor.fall)
            elif actor is not None and actor.has_begun:
                self._on_began(member, actor)
        if self._stack_of is not None:
            self._look = Look()
            self._clock.tell_after(LOOK_EVERY_S, self.address, self._look)

    # -- messages -----------------------------------------------------------------------------

    def receive(self, message: SupervisorInput, take_over: Callable[[], Future[Any]]) -> object:
        match message:
            case ListActors():
                return (*self._reports(self._members), self._own.report())
            case GetDegraded():
                return self._degraded()
            case RestartActor(name):
                return self._restart_asked(name, take_over)
            case Ailing(name, reason):
                self._members[name].ails(reason)
            case Began(name, actor):
                self._on_began(self._members[name], actor)
            case Ended(name, actor, fall):
                self._on_ended(self._members[name], actor, fall)
            case Retry(group, rest):
                if all((m.due, m.rest) == (group, rest) for m in self._all(group)):
                    self._restart(group)
            case Look():
                self._look_out(message)
            case _:
                return self._quarantine.answer(message)
        return None

    def dismiss(self) -> None:
        """Nobody restarts anything any more."""
        for order in self._orders:
            order.answer.set_exception(ActorDownError(NAME))
        self._orders.clear()

    def _restart_asked(self, name: str, take_over: Callable[[], Future[Any]]) -> object:
        member = self._members.get(name)
        if member is None:
            return None
        group = member.wider
        log.info("restart of %s, as asked for", ", ".join(group))
        for each in self._all(group):
            each.falls_s.clear()
        answer = None
        if len(self._orders) < MAX_ORDERS:
            answer = _Order(group, take_over())
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
        group = member.wider
        try:
            self._note_fall(member, fall)
        finally:  # what its letter or its error does to us is no reason to leave it down
            causes = [member, *(m for m in self._all(group) if m.group == group)]
            if any(m.is_degraded(self._clock.now_s()) for m in causes):
                self._rest(group)
            else:
                self._restart(group)

    def _rest(self, group: tuple[str, ...]) -> None:
        log.error("%s keeps failing: the node is degraded, next try in %.0f s", group[0], RETRY_S)
        rest = next(self._rests)
        for member in self._all(group):
            member.due, member.rest = group, rest
        self._clock.tell_after(RETRY_S, self.address, Retry(group, rest))
        for order in tuple(self._orders):
            if set(order.group) & set(group):
                self._answer(order)
        self._aftermath.forfeit(m.mailbox for m in self._all(group) if m.actor is None)

    def _note_fall(self, member: Member, fall: Fall) -> None:
        settled = self._aftermath.settle(member.mailbox, fall)
        member.fell(fall, self._clock.now_s(), is_charged=not settled.was_second)
        if not self._first_fall.done():
            self._first_fall.set_result(member.name)
        again = f", {len(settled.again)} messages are tried again" if settled.again else ""
        lost = f", {settled.lost} messages are lost" if settled.lost else ""
        what = f"{member.last_error}{again}{lost}"
        log.error("%s fell: %s", member.name, what, exc_info=fall.error)

    def _restart(self, group: tuple[str, ...], *, asked: bool = False) -> None:
        """Bring down what still plays of the group, last first; the rest follows as they end."""
        for member in reversed(self._all(group)):
            member.goes_down(group, asked=asked)
            if member.actor is not None:
                member.actor.halt(to_return=True)
        self._run_due(group)

    def _run_due(self, group: tuple[str, ...]) -> None:
        members = self._all(group)
        if not all(m.due == group and m.actor is None for m in members):
            return
        for member in members:
            if member.rest:  # restarts were of no help until now
                member.forget()
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
            lambda ended, fall: self.address.tell(Ended(member.name, ended, fall)),
            lambda began: self.address.tell(Began(member.name, began)),
        )
        member.begins()
        member.actor = actor
        try:
            self._runner.run(actor)
        except BaseException:
            member.actor = None  # whom the runner cannot run never comes to an end
            raise

    # -- how they fare --------------------------------------------------------------------------

    def _look_out(self, look: Look) -> None:
        if look is not self._look or self._stack_of is None:
            return  # a former incarnation's
        self._clock.tell_after(LOOK_EVERY_S, self.address, look)
        playing = [m.mailbox for m in self._members.values() if m.actor is not None]
        stuck = self._watch.look(playing, self._clock.now_s())
        for member in self._members.values():
            member.sticks(stuck.get(member.name), self._stack_of)

    def _all(self, names: Iterable[str]) -> Sequence[Member]:
        return [self._members[name] for name in names]

    def _degraded(self) -> tuple[str, ...]:
        now_s = self._clock.now_s()
        reasons = ((member.name, member.trouble(now_s)) for member in self._members.values())
        return tuple(f"{name}: {reason}" for name, reason in reasons if reason is not None)

    def _reports(self, names: Iterable[str]) -> tuple[ActorReport, ...]:
        return tuple(member.report() for member in self._all(names))


class _Voice(NodeActor):
    """An incarnation of the supervisor: the shell around what outlives it."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__()
        self._supervisor = supervisor

    def on_start(self) -> None:
        self._supervisor.look_around()

    def on_receive(self, message: SupervisorInput) -> object:
        return self._supervisor.receive(message, self.defer)

    def on_stop(self) -> None:
        self._supervisor.dismiss()
