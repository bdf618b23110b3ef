"""The engine in worker processes: nothing that holds the GIL for long runs in the node's process.

It is for machines without the native scan. The workers are plain child processes of this interpreter,
begun with the first job. Unlike ``multiprocessing``'s they do not import the node's main module again,
and need no helper process. Must not live here: what is done with a nonce.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

import actors
from actors.miner import worker
from actors.miner.engine import (
    ScanExhausted,
    ScanFound,
    ScanJob,
    ScanLost,
    ScanProgress,
    ScanResult,
)
from actors.miner.ranges import NonceRange
from actors.miner.worker import End, Order, Rest
from actors.runtime.address import Address

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 2.0
"""A worker looks up every 10 ms; one that takes so long hangs, and is killed."""
LEASE_NONCES = 2**24
"""What a worker gets of a job at a time: some 10 s of work, so that asking for more costs nothing."""


class WorkerEngine:
    """A :class:`~actors.miner.engine.ScanEngine` that scans in processes, ``threads`` of them.

    Args:
        results: Where it tells.
        threads: How many workers, until told otherwise.
        note: Why a node scans with this engine, for people.
    """

    native = False

    def __init__(self, results: Address[ScanResult], threads: int = 1, note: str = "") -> None:
        self._results, self._threads, self.note = results, threads, note
        self._crew: _Crew | None = None

    @property
    def name(self) -> str:
        return "hashlib"

    def start(self, job: ScanJob) -> None:
        if self._crew is None:
            self._crew = _Crew(self._results)
        try:
            self._crew.resize(self._threads)
        except OSError:
            self.stop()
            raise
        self._crew.begin(job)

    def cancel(self) -> None:
        if self._crew is not None:
            self._crew.rest()

    def set_threads(self, threads: int) -> None:
        if self._crew is not None:
            self._crew.resize(threads)
        self._threads = threads

    def stop(self) -> None:
        if self._crew is not None:
            self._crew.end()
            self._crew = None


@dataclass(slots=True, eq=False)
class _Run:
    """A job under way."""

    job: ScanJob
    nonces: NonceRange
    solved: bool = False


@dataclass(slots=True, eq=False)
class _Lease:
    """The part of a run that one worker has, and how much of it that has reported."""

    run: _Run
    first: int
    count: int
    tried: int = 0


class _Worker:
    """A worker process and our end of its connection; guarded by the lock of its crew."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        self.lease: _Lease | None = None
        self.dismissed = False
        try:
            with theirs:
                self._process = _spawn(theirs.fileno())
        except OSError:
            self.connection.close()
            raise

    def send(self, order: Order) -> None:
        """Hand over an order; a worker that is gone is the reader's to report."""
        try:
            self.connection.send(order)
        except OSError:
            log.debug("worker %d is gone", self._process.pid)

    def dismiss(self) -> None:
        """Tell the worker to end, and do not wait for it."""
        self.dismissed = True
        self.send(End())

    def bury(self) -> None:
        """Let go of a worker whose connection has ended."""
        self.connection.close()
        self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        self._process.kill()


def _spawn(descriptor: int) -> subprocess.Popen[bytes]:
    """A worker process that gets its orders on ``descriptor``."""
    code = f"from {worker.__name__} import main; main({descriptor})"
    return subprocess.Popen(  # noqa: S603 - our own code
        (sys.executable, "-P", "-c", code),
        pass_fds=(descriptor,),
        env={**os.environ, "PYTHONPATH": _import_path()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C is for the node, which then ends us
    )


class _Crew:
    """The workers, and the one thread that reads them all."""

    def __init__(self, results: Address[ScanResult]) -> None:
        """Begin with nobody.

        Raises:
            OSError: the system has no more files for us.
        """
        self._results = results
        self._lock = threading.Lock()  # guards all below, the workers, and whatever a run holds
        self._workers: list[_Worker] = []  # in office
        self._known: dict[Connection, _Worker] = {}  # those, and who is on the way out
        self._run: _Run | None = None
        self._solved_id: int | None = None
        self._ending = False
        self._wake, self._woken = Pipe()  # the reader looks again for whom to read
        self._reader = threading.Thread(target=self._read, name="troupe-scan", daemon=True)
        self._reader.start()

    def resize(self, size: int) -> None:
        """Have so many workers at once: new ones join the running job, surplus ones leave it.

        Raises:
            OSError: the system has no more processes or files; there are as many as before.
        """
        with self._lock:
            fresh: list[_Worker] = []
            try:
                for _ in range(size - len(self._workers)):
                    fresh.append(_Worker())  # noqa: PERF401 - those before a failure are buried
            except OSError:
                for each in fresh:
                    each.bury()
                raise
            for each in self._workers[size:]:
                each.dismiss()
            self._workers = [*self._workers[:size], *fresh]
            self._known.update((each.connection, each) for each in fresh)
            self._wake.send(None)
            self._employ()

    def begin(self, job: ScanJob) -> None:
        """Scan this job instead of the one before."""
        with self._lock:
            self._retire()
            self._run = _Run(job, NonceRange(job.first, job.end))
            self._employ()
            self._look_for_end()

    def rest(self) -> None:
        with self._lock:
            self._retire()

    def end(self) -> None:
        """Let all workers end, and wait for it; who does not is killed."""
        with self._lock:
            self._ending = True
            for each in self._workers:
                each.dismiss()
            self._wake.send(None)
        self._reader.join(STOP_TIMEOUT_S)
        if self._reader.is_alive():
            for each in tuple(self._known.values()):
                each.kill()
            self._reader.join()
        self._wake.close()
        self._woken.close()

    # -- under the lock -------------------------------------------------------------------------

    def _retire(self) -> None:
        self._run = None
        for each in self._workers:
            if each.lease is not None:
                each.lease = None
                each.send(Rest())

    def _employ(self) -> None:
        """Give those who have nothing to do a part of the job, as long as there is any."""
        run = self._run
        for each in self._workers:
            if run is None or each.lease is not None:
                continue
            taken = run.nonces.take(LEASE_NONCES)
            if taken is None:
                return
            first, count = taken
            each.lease = _Lease(run, first, count)
            each.send(replace(run.job, first=first, end=first + count))

    def _give_back(self, each: _Worker, tried: int) -> None:
        """Take a lease from a worker, and what it has not tried to somebody else."""
        lease, each.lease = each.lease, None
        if lease is not None:
            lease.run.nonces.settle(lease.first, lease.count, tried)
            self._employ()
            self._look_for_end()

    def _look_for_end(self) -> None:
        run = self._run
        if run is not None and run.nonces.exhausted:
            self._run = None
            self._results.tell(ScanExhausted(run.job.job_id))

    # -- in the reader --------------------------------------------------------------------------

    def _read(self) -> None:
        """Tell on what the workers say, until the crew ends and the last of them is gone."""
        while True:
            with self._lock:
                open_ones: list[Connection] = [*self._known, self._woken]
                if self._ending and not self._known:
                    return
            for ready in wait(open_ones):
                assert isinstance(ready, Connection)
                try:
                    result: ScanResult | None = ready.recv()
                except (EOFError, OSError):
                    self._bury(ready)
                    continue
                if result is not None:
                    with self._lock:
                        self._take(self._known[ready], result)

    def _bury(self, connection: Connection) -> None:
        with self._lock:
            gone = self._known.pop(connection)
            gone.bury()
            if gone.dismissed:
                self._give_back(gone, 0 if gone.lease is None else gone.lease.tried)
            else:
                self._results.tell(ScanLost())

    def _take(self, each: _Worker, result: ScanResult) -> None:
        lease = each.lease
        same = lease is not None and lease.run.job.job_id == getattr(result, "job_id", None)
        match result:
            case ScanExhausted():
                if same and lease is not None:
                    self._give_back(each, lease.count)
                return
            case ScanFound(job_id, _, hashes) if job_id == self._solved_id:
                result = ScanProgress(job_id, hashes)  # another was first: once is enough
            case ScanFound(job_id, _, _):
                self._solved_id = job_id
                if self._run is not None and self._run.job.job_id == job_id:
                    self._retire()
            case ScanProgress(_, hashes) if same and lease is not None:
                lease.tried += hashes
            case _:
                pass  # of a job before
        self._results.tell(result)


def _import_path() -> str:
    """Where a child finds this very package, however we were started."""
    root = str(Path(actors.__file__).parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join((root, inherited)) if inherited else root
