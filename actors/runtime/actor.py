"""The shell of every actor: a Pykka actor whose mailbox outlives it and whose fall is reported.

Facts of Pykka that this file deals with (ARCHITECTURE: messages and flow): an exception in a tell kills
the actor and drops its queue, one in an ask does not kill it, one in ``on_start`` calls no hook. Here all
three end the incarnation in the same way, keep the queue, and tell the supervisor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, ClassVar

import pykka

from actors.runtime.address import Ask
from actors.runtime.mailbox import ActorDownError, Letter, Mailbox


@dataclass(frozen=True, slots=True)
class Ping(Ask[None]):
    """Answered by every actor once its ``on_start`` is through. Ask: None."""


@dataclass(frozen=True, slots=True)
class _Halt:
    """Wakes an actor that is to end with its queue kept; means nothing to the next one. Tell."""


@dataclass(frozen=True, slots=True)
class Fall:
    """How an incarnation ended by an exception: ours or the disk's, never a peer's. Value."""

    error: Exception
    message: object | None


EndHook = Callable[["NodeActor", Fall | None], None]
"""Called once on the actor's own thread when it ends; with the fall, or None for an orderly stop."""


BeginHook = Callable[["NodeActor"], None]
"""Called once on the actor's own thread when its ``on_start`` is through."""


def _ignore_begin(_actor: NodeActor) -> None:
    """Nobody waits for it."""


def _ignore_end(_actor: NodeActor, _fall: Fall | None) -> None:
    """An actor built by hand in a test has nobody to tell."""


class NodeActor(pykka.ThreadingActor):
    """Base of the rooms' actors. Override ``on_receive``, and ``on_start``, ``on_stop``, ``on_crash``."""

    use_daemon_thread: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._mailbox: Mailbox | None = None
        self._ended: EndHook = _ignore_end
        self._began: BeginHook = _ignore_begin
        self._halting = threading.Event()
        self.ended = threading.Event()
        self._reply_to: Future[Any] | None = None
        self._deferred = False

    # -- the life of an incarnation -------------------------------------------------------------

    def attach(self, mailbox: Mailbox, ended: EndHook, began: BeginHook = _ignore_begin) -> None:
        """Give the incarnation its name's mailbox, before it starts."""
        self._mailbox = mailbox
        self._ended, self._began = ended, began
        inbox: Any = mailbox  # letters for Pykka's envelopes: the same two attributes
        self.actor_inbox = self.actor_ref.actor_inbox = inbox

    def launch(self) -> None:
        """Start an actor that is already built, on a thread of its own."""
        pykka.ActorRegistry.register(self.actor_ref)
        self._start_actor_loop()

    def halt(self) -> None:
        """End after the current message and keep the queue for the next incarnation. Any thread."""
        self._halting.set()
        self.box.post(_Halt())

    def on_crash(self) -> None:
        """Let go of what the operating system holds for us (sockets, files, processes)."""

    @property
    def box(self) -> Mailbox:
        assert self._mailbox is not None, "attach() comes before start"
        return self._mailbox

    def next_letter(self) -> Letter:
        """Wait for the next letter. An actor that waits on more than its mailbox overrides this."""
        return self.box.get()

    def begin(self) -> None:
        """Run ``on_start``; its failure ends the incarnation like any other."""
        try:
            self.on_start()
        except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a fall
            self._fall(error, None)
        else:
            self._began(self)

    def step(self) -> None:
        """Handle one letter. The thread's loop and the pump both live by this."""
        if self._halting.is_set():
            self._stop()
            return
        letter = self.next_letter()
        self._reply_to = letter.reply_to
        self._deferred = False
        if letter.reply_to is not None and not letter.reply_to.set_running_or_notify_cancel():
            return  # the asker left before its turn came
        begun_s = self.box.begin(letter)
        try:
            answer = self._handle_receive(letter.message)
        except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a fall
            self.box.finish(begun_s, failed=True)
            self._fall(error, letter.message)
            if letter.reply_to is not None and not letter.reply_to.done():
                letter.reply_to.set_exception(ActorDownError(self.box.name))
        else:
            self.box.finish(begun_s, failed=False)
            if letter.reply_to is not None and not self._deferred:
                letter.reply_to.set_result(answer)

    def defer(self) -> Future[Any]:
        """Take over the answer to the question now being handled: ``set_result`` it later.

        For a tell the future that comes back leads nowhere, so a handler need not distinguish.
        """
        self._deferred = True
        return self._reply_to if self._reply_to is not None else Future()

    # -- Pykka's hooks for the implementor of an actor type -------------------------------------

    def _start_actor_loop(self) -> None:
        thread = threading.Thread(
            target=self._actor_loop, name=f"troupe-{self.box.name}", daemon=self.use_daemon_thread
        )
        thread.start()

    def _actor_loop_setup(self) -> None:
        self.begin()

    def _actor_loop_running(self) -> None:
        while not self.actor_stopped.is_set():
            self.step()

    def _actor_loop_teardown(self) -> None:
        """What is still queued stays in the mailbox: its owner decides."""

    def _handle_receive(self, message: Any) -> Any:
        if isinstance(message, Ping | _Halt):
            return None
        return super()._handle_receive(message)

    def _stop(self) -> None:
        pykka.ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()
        fall = None
        try:
            self.on_stop()
        except Exception as error:  # noqa: BLE001 - the boundary where a bug becomes a fall
            fall = Fall(error, None)
        self._ended(self, fall)
        self.ended.set()

    def _fall(self, error: Exception, message: object | None) -> None:
        pykka.ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()
        try:
            self.on_crash()
        except Exception as second:  # noqa: BLE001 - the first error is the one worth telling
            error.add_note(f"and while letting go: {second!r}")
        self._ended(self, Fall(error, message))
        self.ended.set()
