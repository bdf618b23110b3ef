"""What the supervisor knows of one name: how it is built, where it stands, how often it fell.

Must not live here: what is done about it (``supervisor``).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from actors.runtime.actor import Fall, NodeActor
from actors.runtime.mailbox import Mailbox, MailboxReport

log = logging.getLogger(__name__)

MAX_RESTARTS = 3
"""More than these within the window and an immediate restart only burns the processor."""
RESTART_WINDOW_S = 60.0
MAX_ERROR_CHARS = 500
"""Of what an error says: a key that is missing may be a megabyte from a peer, and people are told of it."""


class ActorState(Enum):
    """Where an actor stands, as reported to people."""

    STARTING = "starting"
    """Its ``on_start`` is not through yet."""
    RUNNING = "running"
    RESTARTING = "restarting"
    """It is down: on its way to a restart, or resting before the next one."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ActorReport:
    """One actor's line in the list of actors. Value.

    Attributes:
        restarts: Those that failures made necessary.
        requested_restarts: Those that somebody asked for.
        group: The names that restart with it, itself included, in order of start.
    """

    name: str
    state: ActorState
    restarts: int
    requested_restarts: int
    last_error: str | None
    group: tuple[str, ...]
    mailbox: MailboxReport

    @property
    def incarnation(self) -> int:
        """How often its memory was lost: another number, another life."""
        return self.restarts + self.requested_restarts


def unbuilt(name: str) -> Callable[[], NodeActor]:
    """For a name that has a mailbox, and is not enlisted yet."""

    def build() -> NodeActor:
        message = f"nobody said how to build {name}"
        raise AssertionError(message)

    return build


@dataclass(slots=True)
class Member:
    """One name's record; the supervisor's thread only.

    Attributes:
        actor: The incarnation that plays; None while it is down.
        due: The group that it waits to be restarted with; empty while it plays.
        asked: Whether somebody asked for the restart that is due.
        rest: Which of the supervisor's rests it is in, of all that ever were; 0 while it plays.
        forget: Throws away what its incarnations leave to each other.
        ailment: What it says that it cannot do, while it plays.
        stuck: Where it is stuck, if so.
    """

    name: str
    build: Callable[[], NodeActor]
    group: tuple[str, ...]
    mailbox: Mailbox
    actor: NodeActor | None = None
    state: ActorState = ActorState.STOPPED
    restarts: int = 0
    requested_restarts: int = 0
    last_error: str | None = None
    falls_s: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_RESTARTS + 1))
    due: tuple[str, ...] = ()
    asked: bool = False
    rest: int = 0
    ailment: str | None = None
    forget: Callable[[], None] = lambda: None
    stuck: str | None = None

    def goes_down(self, group: tuple[str, ...], *, asked: bool) -> None:
        """It is to be restarted with a group."""
        self.due, self.state = group, ActorState.RESTARTING
        self.asked = self.asked or asked

    def begins(self) -> None:
        """Another incarnation is about to play."""
        self.state, self.due, self.rest = ActorState.STARTING, (), 0
        self.ailment = self.stuck = None

    def fell(self, fall: Fall, now_s: float, *, is_charged: bool = True) -> None:
        """Note a fall; one that is not charged is no news of how it fares."""
        hook = "on_stop" if self.state is ActorState.RESTARTING and self.due else "on_start"
        kind = type(fall.message).__name__ if fall.message is not None else hook
        said = str(fall.error)[:MAX_ERROR_CHARS]
        self.last_error = f"{type(fall.error).__name__} in {kind}: {said}"
        self.state = ActorState.RESTARTING
        if is_charged:
            self.falls_s.append(now_s)

    def ails(self, reason: str | None) -> None:
        """It says that it cannot do all of its work, or can again."""
        if reason != self.ailment:
            if reason is None:
                log.info("%s is well again", self.name)
            else:
                log.error("%s cannot do all of its work: %s", self.name, reason)
        self.ailment = reason

    def sticks(self, where: str | None, stack_of: Callable[[Mailbox], str]) -> None:
        """It is stuck, or is no more; told once."""
        if where is not None and self.stuck is None:
            log.error("%s is %s\n%s", self.name, where, stack_of(self.mailbox))
        elif where is None and self.stuck is not None:
            log.warning("%s goes on", self.name)
        self.stuck = where

    @property
    def wider(self) -> tuple[str, ...]:
        """Whom it restarts with: its group, or the larger one that it is down with already."""
        return max(self.group, self.due, key=len)

    def trouble(self, now_s: float) -> str | None:
        """Why the node is degraded by it, if so."""
        if self.is_degraded(now_s) or self.is_down_by_failure:
            return self.last_error or "restarts with its group"
        return self.stuck or self.ailment

    def restarts_now(self) -> None:
        """Count the restart that begins."""
        if self.asked:
            self.requested_restarts += 1
        else:
            self.restarts += 1
        self.asked = False

    def is_degraded(self, now_s: float) -> bool:
        """Whether it used up its restarts."""
        recent = [at_s for at_s in self.falls_s if at_s > now_s - RESTART_WINDOW_S]
        return len(recent) > MAX_RESTARTS

    @property
    def is_down_by_failure(self) -> bool:
        """Its own or one of its group's; a restart that somebody asked for is none."""
        return self.state is ActorState.RESTARTING and not self.asked

    def report(self) -> ActorReport:
        return ActorReport(
            self.name,
            self.state,
            self.restarts,
            self.requested_restarts,
            self.last_error,
            self.group,
            self.mailbox.report(),
        )
