"""The shell of every actor: a Pykka actor whose mailbox outlives it and whose fall is reported.

Facts of Pykka that this file deals with (ARCHITECTURE: messages and flow): an exception in a tell kills
the actor and drops its queue, one in an ask does not kill it, one in ``on_start`` calls no hook. Here all
three end the incarnation in the same way, keep the queue, and tell the supervisor.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import pykka

from actors.runtime.address import Ask
from actors.runtime.mailbox import ActorDownError, Mailbox


@dataclass(frozen=True, slots=True)
class Ping(Ask[None]):
    """Answered by every actor once its ``on_start`` is through. Ask: None."""


@dataclass(frozen=True, slots=True)
class _Halt:
    """Wakes an actor that is to end with its queue kept; means nothing to the next one. Tell."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Stands for a message where an actor falls that handles none: it waited on what is its own. Value.

    Attributes:
        suspect: Whose doing it may be, as the rooms number those they deal with; None: nobody's.
    """

    suspect: int | None = None


@dataclass(frozen=True, slots=True)
class Playing:
    """Stands for a message where an actor falls because the thread that it plays on fails. Value."""


NO_LETTER = (Waiting, Playing)


@dataclass(frozen=True, slots=True)
class Fall:
    """How an incarnation ended by an exception: ours or the disk's, never a peer's. Value.

    Attributes:
        message: What it handled; what stands for it (`NO_LETTER`), or None in its ``on_start`` or ``on_stop``.
        asked: Whether somebody waited for the answer, and has been told of the fall.
    """

    error: BaseException
    message: object | None
    asked: bool = False


EndHook = Callable[["NodeActor", Fall | None], None]
"""Called once on the actor's own thread when it ends; with the fall, or None for an orderly stop."""


BeginHook = Callable[["NodeActor"], None]
"""Called once on the actor's own thread when its ``on_start`` is through."""


def _ignore_begin(_actor: NodeActor) -> None:
    """Nobody waits for it."""


def _ignore_end(_actor: NodeActor, _fall: Fall | None) -> None:
    """An actor built by hand in a test has nobody to tell."""


_NO_BOX = Mailbox("nobody", lambda: 0.0)
_NO_BOX.close()


class NodeActor(pykka.ThreadingActor):
    """Base of the rooms' actors. Override ``on_receive``, and ``on_start``, ``on_stop``, ``on_crash``.

    It plays on the thread of a crew, or under the pump: both live by :meth:`begin` and :meth:`step`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.box: Mailbox = _NO_BOX
        self._ended: EndHook = _ignore_end
        self._began: BeginHook = _ignore_begin
        self._halting = False
        self.returns = False
        """Whether it is to be followed by another incarnation: a halt otherwise is the end of its name."""
        self.has_begun = False
        """Whether its ``on_start`` is through."""
        self.fall: Fall | None = None
        """How it ended, once it has; None: in order."""
        self.is_over = False
        """Whether the incarnation has come to its end."""
        self.ended = threading.Event()
        """The same, for other threads to wait for; set when the supervisor has been told."""
        self._reply_to: Future[Any] | None = None
        self._deferred = False

    # -- the life of an incarnation -------------------------------------------------------------

    def attach(self, mailbox: Mailbox, ended: EndHook, began: BeginHook = _ignore_begin) -> None:
        """Give the incarnation its name's mailbox, before it starts."""
        self.box = mailbox
        self._ended, self._began = ended, began
        inbox: Any = mailbox  # letters for Pykka's envelopes: the same two attributes
        self.actor_inbox = self.actor_ref.actor_inbox = inbox

    def halt(self, *, to_return: bool = False) -> None:
        """End after the current message and keep the queue. Any thread.

        Args:
            to_return: The next incarnation follows at once: what it can go on with is not to be let go.
        """
        self.returns, self._halting = to_return, True
        self.box.post(_Halt())

    def on_crash(self) -> None:
        """Let go of what the operating system holds for us (sockets, files, processes)."""

    def begin(self) -> None:
        """Run ``on_start``; its failure ends the incarnation like any other."""
        try:
            self.on_start()
        except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a fall
            self._fall(Fall(error, None))
        else:
            self.has_begun = True
            self._began(self)

    def step(self, begun_s: float) -> float:
        """Handle the oldest letter, of at least one; or come to the end that was asked for.

        Takes the time at which it begins and returns that at which it has ended, which is where the next
        letter's begins: so each costs one look at the clock.
        """
        if self._halting:
            self._stop()
            return begun_s
        box = self.box
        message, _, reply_to = box.get()
        self._reply_to, self._deferred = reply_to, False
        if reply_to is not None and not reply_to.set_running_or_notify_cancel():
            return box.finish(begun_s)  # the asker left before its turn came
        try:
            answer = (
                self._handle_receive(message)
                if isinstance(message, _NOT_THE_ROOMS)
                else self.on_receive(message)
            )
        except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a fall
            ended_s = box.finish(begun_s, failed=True)
            self._fall(Fall(error, message, reply_to is not None))
            if reply_to is not None and not reply_to.done():
                reply_to.set_exception(ActorDownError(box.name))
            return ended_s
        ended_s = box.finish(begun_s)
        if reply_to is not None and not self._deferred:
            reply_to.set_result(answer)
        return ended_s

    def fall_with_crew(self, error: BaseException, begun_s: float) -> None:
        """End by what is no `Exception`, such as an exit, or because its thread fails."""
        letter = self.box.in_hand
        if letter is None:
            self._fall(Fall(error, Playing()), BaseException)
            return
        self.box.finish(begun_s, failed=True)
        reply_to = letter.reply_to
        self._fall(Fall(error, letter.message, reply_to is not None), BaseException)
        if reply_to is not None and not self._deferred and not reply_to.done():
            reply_to.set_exception(ActorDownError(self.box.name))

    def defer(self) -> Future[Any]:
        """Take over the answer to the question now being handled: ``set_result`` it later.

        For a tell the future that comes back leads nowhere, so a handler need not distinguish.
        """
        self._deferred = True
        return self._reply_to if self._reply_to is not None else Future()

    # -- Pykka's hooks for the implementor of an actor type -------------------------------------

    def _handle_receive(self, message: Any) -> Any:
        """What is for the shell, and not for the room."""
        return None if isinstance(message, Ping | _Halt) else super()._handle_receive(message)

    def _stop(self) -> None:
        try:
            self.on_stop()
        except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a fall
            self._fall(Fall(error, None))
        else:
            self._end()

    def _fall(self, fall: Fall, caught: type[BaseException] = Exception) -> None:
        """Let go and tell. What is no `Exception` is for the crew: under the pump it is the tester's."""
        self.fall = fall
        try:
            self.on_crash()
        except caught as second:  # the first error is the one worth telling
            fall.error.add_note(f"and while letting go: {second!r}")
        self._end()

    def _end(self) -> None:
        pykka.ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()
        self.is_over = True
        self._ended(self, self.fall)
        self.ended.set()


class Waker(Protocol):
    """How a thread that waits is woken."""

    asleep: bool
    """Set *before* it looks for letters a last time; a teller posts first and looks at it second."""

    def wake(self) -> None:
        """End its wait. Any thread, at any time."""


class WaitingActor(NodeActor):
    """An actor that waits on more than its mailbox: its crew waits where it does."""

    waker: Waker

    @abstractmethod
    def wait(self, is_idle: Callable[[], bool]) -> None:
        """See to what is its own, then wait until some of that, or the waker, calls; and see to that.

        Called whenever the crew has no letters, and in between when it has many. ``is_idle`` says, once
        ``waker.asleep`` is set, whether there is time to wait; if not, what is ready is seen to.
        """

    def suspect(self) -> int | None:
        """With whom it is busy, for the supervisor, when it falls meanwhile."""
        return None

    def rest(self, is_idle: Callable[[], bool]) -> None:
        """Wait; its failure ends the incarnation like any other."""
        try:
            self.wait(is_idle)
        except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a fall
            self._fall(Fall(error, Waiting(self.suspect())))


_NOT_THE_ROOMS = (Ping, _Halt, pykka.messages._ActorStop)  # noqa: SLF001 - no public name
