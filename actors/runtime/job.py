"""A long piece of work on a thread of its own, handed over item by item to one reader.

The work waits until its reader asks for more, so what is under way is one item, however slow the reader.
Must not live here: what the work is.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")

STALL_S = 60.0
"""How long work waits for its reader. It may hold a snapshot of the store meanwhile, and what is written
there since cannot be cleared away."""


class JobEndedError(Exception):
    """Raised into the work when its reader has left: let go of everything."""


class JobStalledError(Exception):
    """The reader did not ask for more in time, and the work was given up."""


class Job(Generic[T]):
    """Work under way. :meth:`next_soon` and :meth:`end` are for any thread, the rest for the work's own."""

    def __init__(
        self,
        name: str,
        work: Callable[[Job[T]], None],
        on_gone: Callable[[], None],
        *,
        stall_s: float = STALL_S,
    ) -> None:
        """Begin at once.

        Args:
            name: Of the thread.
            work: Called with this job: hands over with :meth:`emit` and looks at :attr:`ended`.
            on_gone: Called on the work's thread when it is over, before its reader learns of that.
            stall_s: How long a reader may take.
        """
        self._work, self._on_gone, self._stall_s = work, on_gone, stall_s
        self._asked: queue.SimpleQueue[Future[T | None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._over = False
        self._error: Exception | None = None
        self.ended = threading.Event()
        """Whether the reader has left."""
        self.gone: Future[None] = Future()
        """Done once the work is over, after ``on_gone``. For any thread."""
        self._thread = threading.Thread(target=self._run, name=f"troupe-{name}", daemon=True)
        self._thread.start()

    # -- the reader ---------------------------------------------------------------------------------

    def next_soon(self) -> Future[T | None]:
        """The next item; None after the last. Fails with what the work raised, or JobStalledError."""
        future: Future[T | None] = Future()
        with self._lock:
            if not self._over:
                self._asked.put(future)
                return future
        self._answer_over(future)
        return future

    def end(self) -> None:
        """Let the work stop as soon as it looks up; returns at once. Harmless when it is over."""
        self.ended.set()
        self._asked.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait until its thread is gone; whether it is."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # -- the work -----------------------------------------------------------------------------------

    def emit(self, item: T) -> None:
        """Hand over an item, once it is asked for.

        Raises:
            JobEndedError: the reader has left.
            JobStalledError: the reader did not ask.
        """
        while True:
            self.check()
            try:
                future = self._asked.get(timeout=self._stall_s)
            except queue.Empty as error:
                raise JobStalledError from error
            if future is not None and future.set_running_or_notify_cancel():
                future.set_result(item)
                return

    def check(self) -> None:
        """Go on.

        Raises:
            JobEndedError: the reader has left.
        """
        if self.ended.is_set():
            raise JobEndedError

    def _run(self) -> None:
        try:
            self._work(self)
        except Exception as error:  # noqa: BLE001 - it is the reader's, who raises it
            self._error = error
        self._on_gone()
        if self.gone.set_running_or_notify_cancel():
            self.gone.set_result(None)
        with self._lock:
            self._over = True
        while not self._asked.empty():
            future = self._asked.get()
            if future is not None:
                self._answer_over(future)

    def _answer_over(self, future: Future[T | None]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        if self._error is None:
            future.set_result(None)
        else:
            future.set_exception(self._error)
