"""The engine in threads of this process, over scans that hold no GIL.

Threads take chunks of one job's nonces until one solves it. Must not live here: hashing (``native``),
which nonces are free (``ranges``), or what is done with a nonce.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from actors.miner.engine import (
    LOWEST_PRIORITY,
    ScanExhausted,
    ScanFound,
    ScanJob,
    ScanLost,
    ScanProgress,
    ScanResult,
)
from actors.miner.native import Kernel, failure_note, from_first_sound
from actors.miner.ranges import NonceRange
from actors.miner.scan import nonces_per_check
from actors.runtime.address import Address

log = logging.getLogger(__name__)

CHUNK_S = 0.25
"""What a chunk should take: each is one report, for the hash rate and for who looks at the count."""
MAX_GROWTH = 8
"""A chunk is at most so many times the one before: a first, cold measurement says little."""
MAX_CHUNK = 2**32
"""Nonces; no processor tries so many in ``CHUNK_S``, so a clock that stands still ends here."""
STOP_TIMEOUT_S = 2.0
"""A scan looks up every 10 ms; one that takes so long hangs. A thread cannot be killed: it is left
behind, reported, and as a daemon it does not keep the process from ending."""


@dataclass(slots=True, eq=False)
class _Run:
    """A job under way, and how many nonces its next chunk has."""

    job: ScanJob
    nonces: NonceRange
    size: int
    solved: bool = False


@dataclass(slots=True, eq=False)
class _Member:
    """A scanning thread as the engine sees it; ``cancel`` is the flag of its present chunk."""

    thread: threading.Thread | None = None
    cancel: bytearray = field(default_factory=lambda: bytearray(1))
    dismissed: bool = False

    def dismiss(self) -> None:
        self.dismissed = True
        self.cancel[0] = 1


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What a thread tries next: a part of a run, by the kernel of that moment."""

    run: _Run
    kernel: Kernel
    first: int
    count: int
    cancel: bytearray


class ThreadEngine:
    """A :class:`~actors.miner.engine.ScanEngine` that scans in ``threads`` threads of this process.

    The threads begin with the first job and wait between jobs. A kernel that fails gives way to the
    next one while the job goes on; when none is left the engine tells ScanLost and is of no more use.
    A scan that lacks memory is no failure of its kernel: the job ends with ScanLost.

    Args:
        results: Where it tells.
        kernels: At least one; the first has passed its test.
        now_s: A clock that never goes back, in seconds.
        threads: How many, until told otherwise.
        failed_names: Kernels before those, which failed their test.
    """

    native = True

    def __init__(
        self,
        results: Address[ScanResult],
        kernels: Sequence[Kernel],
        now_s: Callable[[], float],
        threads: int = 1,
        failed_names: Sequence[str] = (),
    ) -> None:
        self._results, self._now_s, self._threads = results, now_s, threads
        self._all = tuple(kernels)
        self._kernels = self._all  # those that are left
        self._failed_before = tuple(failed_names)
        self._changed = threading.Condition()  # guards all below, and whatever a run holds
        self._run: _Run | None = None
        self._crew: dict[int, _Member] = {}
        self._alive: set[_Member] = set()  # the crew, and those who are on their way out

    @property
    def name(self) -> str:
        kernels = self._kernels  # read once: a scanning thread may replace it
        return kernels[0].name if kernels else "none"

    @property
    def note(self) -> str:
        failed = self._all[: len(self._all) - len(self._kernels)]
        return failure_note((*self._failed_before, *(each.name for each in failed)))

    @property
    def failed(self) -> bool:
        """Whether no kernel is left."""
        return not self._kernels

    def start(self, job: ScanJob) -> None:
        with self._changed:
            self._retire()
            if self.failed:
                self._results.tell(ScanLost(job.job_id))
                return
            self._fill_crew()
            run = _Run(job, NonceRange(job.first, job.end), nonces_per_check(job.template))
            if run.nonces.exhausted:
                self._results.tell(ScanExhausted(job.job_id))
                return
            self._run = run
            self._changed.notify_all()

    def cancel(self) -> None:
        with self._changed:
            self._retire()

    def set_threads(self, threads: int) -> None:
        with self._changed:
            former, self._threads = self._threads, threads
            for number in [each for each in self._crew if each > threads]:
                self._crew.pop(number).dismiss()
            if self._crew:  # else they begin with the first job
                try:
                    self._fill_crew()
                except OSError:
                    self._threads = former
                    raise
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._retire()
            self._dismiss_all()
            leaving = [each.thread for each in self._alive if each.thread is not None]
        deadline_s = self._now_s() + STOP_TIMEOUT_S
        for thread in leaving:
            thread.join(max(0.0, deadline_s - self._now_s()))
        hanging = sum(thread.is_alive() for thread in leaving)
        if hanging:
            log.error("scanning threads that do not end and are left behind: %d", hanging)

    # -- under the lock -------------------------------------------------------------------------

    def _retire(self) -> None:
        """Let every thread drop what it has in hand; each still reports what it tried."""
        self._run = None
        self._interrupt()

    def _interrupt(self) -> None:
        for member in self._crew.values():
            member.cancel[0] = 1

    def _dismiss_all(self) -> None:
        while self._crew:
            self._crew.popitem()[1].dismiss()
        self._changed.notify_all()

    def _fill_crew(self) -> None:
        """Begin the threads that are wanting, all or none.

        Raises:
            OSError: the system has no more threads for us.
        """
        fresh = [number for number in range(1, self._threads + 1) if number not in self._crew]
        try:
            for number in fresh:
                self._begin(number)
        except RuntimeError as error:  # what Python makes of the system's refusal
            for number in fresh:
                if number in self._crew:
                    self._crew.pop(number).dismiss()
            self._changed.notify_all()
            raise OSError(errno.EAGAIN, str(error)) from error

    def _begin(self, number: int) -> None:
        member = _Member()
        thread = threading.Thread(
            target=self._work, args=(member,), name=f"troupe-scan-{number}", daemon=True
        )
        thread.start()
        member.thread = thread
        self._crew[number] = member
        self._alive.add(member)

    # -- in the scanning threads ----------------------------------------------------------------

    def _work(self, member: _Member) -> None:
        _take_lowest_priority()
        while (chunk := self._next_chunk(member)) is not None:
            self._try(chunk)

    def _next_chunk(self, member: _Member) -> _Chunk | None:
        """Wait for something to try; None: the thread is to end."""
        with self._changed:
            while not member.dismissed:
                run = self._run
                taken = None if run is None else run.nonces.take(run.size)
                if run is not None and taken is not None:
                    member.cancel = bytearray(1)  # a fresh one: it never lies for a later chunk
                    return _Chunk(run, self._kernels[0], *taken, member.cancel)
                self._changed.wait()
            self._alive.discard(member)
            return None

    def _try(self, chunk: _Chunk) -> None:
        began_s = self._now_s()
        try:
            nonce, tried = chunk.kernel.scan(
                chunk.run.job.template, chunk.first, chunk.count, chunk.cancel
            )
        except MemoryError:
            self._give_up_run(chunk.run)
            return
        except Exception as error:  # noqa: BLE001 - the job goes on with another kernel
            self._give_up_kernel(chunk, error)
            return
        took_s = self._now_s() - began_s
        with self._changed:
            self._report(chunk, nonce, tried)
            if tried == chunk.count:
                chunk.run.size = next_size(tried, took_s)

    def _report(self, chunk: _Chunk, nonce: int | None, tried: int) -> None:
        """Tell what came of a chunk, whatever became of its job: a late nonce may still be good."""
        run, job_id = chunk.run, chunk.run.job.job_id
        run.nonces.settle(chunk.first, chunk.count, tried)
        if nonce is not None and not run.solved:
            run.solved = True
            if self._run is run:
                self._retire()
            self._results.tell(ScanFound(job_id, nonce, tried))
            return
        self._results.tell(ScanProgress(job_id, tried))
        if self._run is not run:
            return
        if run.nonces.exhausted:
            self._retire()
            self._results.tell(ScanExhausted(job_id))
        elif tried < chunk.count:
            self._changed.notify_all()  # who found nothing free may have the rest

    def _give_up_run(self, run: _Run) -> None:
        """End a job for which there is no memory now; there may be some when it is started again."""
        with self._changed:
            if self._run is run:
                log.error("there is no memory for a scan")
                self._retire()
                self._results.tell(ScanLost(run.job.job_id))

    def _give_up_kernel(self, chunk: _Chunk, error: Exception) -> None:
        """Go on with the next kernel, from where the chunk of the failed one began."""
        with self._changed:
            chunk.run.nonces.settle(chunk.first, chunk.count, 0)
            if self._kernels[:1] == (chunk.kernel,):  # else another thread was here before
                log.error(
                    "the %s kernel failed, it is not used any more: %r", chunk.kernel.name, error
                )
                self._kernels = from_first_sound(self._kernels[1:])
                self._interrupt()
                if not self.failed:
                    log.warning("scanning goes on with the %s kernel", self.name)
                else:
                    self._end_for_good()
            self._changed.notify_all()

    def _end_for_good(self) -> None:
        if self._run is not None:
            self._results.tell(ScanLost(self._run.job.job_id))
            self._run = None
        self._dismiss_all()


def next_size(tried: int, took_s: float) -> int:
    """How many nonces take ``CHUNK_S`` at this pace: bounded, and never much more than ``tried``."""
    most = min(tried * MAX_GROWTH, MAX_CHUNK)
    return most if took_s * most <= CHUNK_S * tried else max(1, int(CHUNK_S * tried / took_s))


def _take_lowest_priority() -> None:
    """Give way to every other thread. Linux counts niceness by thread; elsewhere (macOS) the call
    would slow the whole process down or fail, and the threads keep the priority of the process.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it: the scan is right without
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
