"""The threads that actors play on: a crew is a thread and those who share it, one letter at a time.

Between actors of one crew a message costs no change of threads. Nothing else differs: each has its mailbox,
is restarted alone or with its group, and is never called by another. Must not live here: who shares a
thread (`assembly`).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial

import pykka

from actors.runtime.actor import NodeActor, WaitingActor, Waker
from actors.runtime.mailbox import Mailbox

log = logging.getLogger(__name__)

LETTERS_IN_A_ROW = 16
"""Of one actor, while others have letters as well: a letter may be a batch of a millisecond's work."""
LETTERS_PER_TURN = 128
"""Of all, before what one of them waits on (sockets) has its turn again: so many letters are what some
twenty connections that sent at once lead to."""


class CrewFailedError(Exception):
    """Its thread met a bug in the crew itself."""


class Crew:
    """A thread while there are actors for it, and their mailboxes, those first that were told first."""

    def __init__(self, name: str, now_s: Callable[[], float]) -> None:
        self.name, self._now_s = name, now_s
        self._ready: deque[Mailbox] = deque()  # twice in it does no harm
        self._entering: deque[NodeActor] = deque()
        self._playing: dict[Mailbox, NodeActor] = {}
        self._nap = _Nap()
        self._waiting: WaitingActor | None = None
        self._waker: Waker = self._nap
        self._lock = threading.Lock()
        self._has_thread = False
        self.thread: threading.Thread | None = None
        """The one that it has, or had last."""

    def serve(self, mailbox: Mailbox) -> None:
        """Read a mailbox from now on, whenever an actor plays that it belongs to."""
        mailbox.wake = partial(self._announce, mailbox)

    def enter(self, actor: NodeActor) -> None:
        """Let an attached actor begin; its mailbox is served here. Any thread.

        Raises:
            RuntimeError: the system has no thread for it.
        """
        with self._lock:
            if not self._has_thread:
                name = f"troupe-{self.name}"
                thread = threading.Thread(target=self._play, name=name, daemon=True)
                thread.start()
                self._has_thread, self.thread = True, thread
            self._entering.append(actor)
        if (waker := self._waker).asleep:
            waker.wake()

    # -- any thread -----------------------------------------------------------------------------------

    def _announce(self, mailbox: Mailbox) -> None:
        """There are letters in it."""
        mailbox.is_ready = True
        self._ready.append(mailbox)
        if (waker := self._waker).asleep:
            waker.wake()

    # -- the crew's thread ----------------------------------------------------------------------------

    def _play(self) -> None:
        goes_on = True
        while goes_on:
            try:
                while goes_on := self._admit():
                    self._turn()
                    self._wait()
            except BaseException as error:  # noqa: BLE001 - or all would stand still, and nobody know
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Let every member fall, so that it is told to the supervisor and they begin anew."""
        log.critical("the %s thread fails, and its actors with it", self.name, exc_info=error)
        failure = CrewFailedError(repr(error))
        for actor in tuple(self._playing.values()):
            if not actor.ended.is_set():
                actor.fall_with_crew(failure, self._now_s())
            self._settle(actor)

    def _blame(self, actor: NodeActor, error: BaseException) -> float:
        """Let a member fall by what its shell does not deal with; the others play on. The time now."""
        log.critical("%s met what no actor may: %r", actor.box.name, error)
        if not actor.ended.is_set():
            actor.fall_with_crew(error, self._now_s())
        return self._now_s()

    def _admit(self) -> bool:
        """Let those begin who have entered. False: nobody is left, and the thread ends."""
        while self._entering:
            actor = self._entering.popleft()
            self._playing[actor.box] = actor
            pykka.ActorRegistry.register(actor.actor_ref)
            try:
                actor.begin()
            except BaseException as error:  # noqa: BLE001 - an exit, say: a fall of this one
                self._blame(actor, error)
            if isinstance(actor, WaitingActor):
                self._waiting, self._waker = actor, actor.waker
            self._settle(actor)
        if self._playing:
            return True
        with self._lock:  # who enters meanwhile finds a thread, or begins one
            self._has_thread = bool(self._entering)
            return self._has_thread

    def _turn(self) -> None:
        """Letters, a bounded number."""
        ready, left, now_s = self._ready, LETTERS_PER_TURN, self._now_s()
        while left > 0 and ready:
            mailbox = ready.popleft()
            mailbox.is_ready = False  # before looking
            actor = self._playing.get(mailbox)
            if actor is None:
                continue  # it goes on when its next incarnation enters
            for _ in range(min(LETTERS_IN_A_ROW, mailbox.qsize() or mailbox.closed)):
                try:
                    now_s = actor.step(now_s)
                except BaseException as error:  # noqa: BLE001 - an exit, say: a fall of this one
                    now_s = self._blame(actor, error)
                left -= 1
                if actor.is_over:
                    break
            self._settle(actor)

    def _settle(self, actor: NodeActor) -> None:
        """After an actor played: it has come to its end, has letters left (or is to end, since nobody
        will post any), or has none.
        """
        if actor.is_over:
            del self._playing[actor.box]
            if actor is self._waiting:
                self._waiting, self._waker = None, self._nap
        elif (actor.box.qsize() or actor.box.closed) and not actor.box.is_ready:
            self._announce(actor.box)

    def _wait(self) -> None:
        """Until somebody is told something; or, while letters are left, only see what else there is."""
        waiting = self._waiting
        if waiting is not None:
            try:
                waiting.rest(self._is_idle)
            except BaseException as error:  # noqa: BLE001 - an exit, say: a fall of this one
                self._blame(waiting, error)
            self._settle(waiting)
        elif self._playing:
            self._nap.wait(self._is_idle)

    def _is_idle(self) -> bool:
        return not self._ready and not self._entering


class _Nap:
    """Waits for nothing but to be woken."""

    def __init__(self) -> None:
        self.asleep = False
        self._bell = threading.Lock()
        self._bell.acquire()

    def wait(self, is_idle: Callable[[], bool]) -> None:
        self.asleep = True
        if is_idle():
            self._bell.acquire()
        self.asleep = False

    def wake(self) -> None:
        self.asleep = False
        with contextlib.suppress(RuntimeError):  # another teller was faster, and it does not sleep
            self._bell.release()
