"""What the supervisor knows of one name: how it is built, where it stands, how often it fell.

Must not live here: what is done about it (``supervisor``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from actors.runtime.actor import Fall, NodeActor
from actors.runtime.mailbox import Mailbox, MailboxReport

MAX_RESTARTS = 3
"""More than these within the window and an immediate restart only burns the processor."""
RESTART_WINDOW_S = 60.0


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


@dataclass(slots=True)
class Member:
    """One name's record; the supervisor's thread only.

    Attributes:
        actor: The incarnation that plays; None while it is down.
        due: The group that it waits to be restarted with; empty while it plays.
        asked: Whether somebody asked for the restart that is due.
        rest: Which of the supervisor's rests it is in, of all that ever were.
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

    def goes_down(self, group: tuple[str, ...], *, asked: bool) -> None:
        """It is to be restarted with a group."""
        self.due, self.state = group, ActorState.RESTARTING
        self.asked = self.asked or asked

    def fell(self, fall: Fall, now_s: float) -> None:
        kind = type(fall.message).__name__ if fall.message is not None else "on_start"
        self.last_error = f"{type(fall.error).__name__} in {kind}: {fall.error}"
        self.state = ActorState.RESTARTING
        self.falls_s.append(now_s)

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
