"""The engine in worker processes: nothing that holds the GIL for long runs in the node's process.

It is for machines without the native scan. The workers are plain child processes of this interpreter,
begun with the first job. Unlike ``multiprocessing``'s they do not import the node's main module again,
and need no helper process. Must not live here: what is done with a nonce.
"""

from __future__ import annotations

import errno
import logging
import threading
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait

from actors.miner.engine import (
    ScanExhausted,
    ScanFound,
    ScanJob,
    ScanLost,
    ScanProgress,
    ScanResult,
)
from actors.miner.process import Lease, Run, WorkerProcess
from actors.miner.ranges import NonceRange
from actors.miner.worker import End, Rest, Taken
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
        self._results, self._threads, self._note = results, threads, note
        self._crew: _Crew | None = None

    @property
    def name(self) -> str:
        return "hashlib"

    @property
    def note(self) -> str:
        refusal = "" if self._crew is None else self._crew.refusal
        return "; ".join(each for each in (self._note, refusal) if each)

    def start(self, job: ScanJob) -> None:
        if self._crew is None:
            self._crew = _Crew(self._results, self._threads)
        self._crew.begin(job)

    def cancel(self) -> None:
        if self._crew is not None:
            self._crew.rest()

    def set_threads(self, threads: int) -> None:
        if self._crew is not None and threads != self._threads:
            self._crew.resize(threads)
        self._threads = threads

    def stop(self) -> None:
        if self._crew is not None:
            self._crew.end()
            self._crew = None


class _Crew:
    """The workers, and the one thread that begins them, sends them their orders and reads them all.

    Whoever else comes only notes what is wanted: nobody waits for a worker.
    """

    def __init__(self, results: Address[ScanResult], size: int) -> None:
        """Begin with nobody; with the first job there are to be so many.

        Raises:
            OSError: the system has no more files or threads for us.
        """
        self._results = results
        self._lock = threading.Lock()  # guards all below, the workers, and whatever a run holds
        self.refusal = ""  # why there are fewer than wanted, for people
        self._size, self._vacant = size, 0  # wanted, and how many of those are yet to begin
        self._before = 0  # how many there were when those were none
        self._workers: list[WorkerProcess] = []  # in office
        self._known: dict[Connection, WorkerProcess] = {}  # those, and who is on the way out
        self._run: Run | None = None
        self._job_id = 0
        self._ending = self._awake = False
        self._wake, self._woken = Pipe()
        self._keeper = threading.Thread(target=self._keep, name="troupe-scan", daemon=True)
        try:
            self._keeper.start()
        except RuntimeError as error:  # what Python makes of the system's refusal
            self._wake.close()
            self._woken.close()
            raise OSError(errno.EAGAIN, str(error)) from error

    def resize(self, size: int) -> None:
        """Have so many workers: new ones join the running job, surplus ones leave it."""
        with self._lock:
            self._resize(size)
            self.refusal = ""
            self._wake_up()

    def begin(self, job: ScanJob) -> None:
        """Scan this job instead of the one before, with all workers that are wanted."""
        with self._lock:
            self._retire()
            self._resize(self._size)  # for those who were lost
            self._run, self._job_id = Run(job, NonceRange(job.first, job.end)), job.job_id
            self._employ()
            self._look_for_end()
            self._wake_up()

    def rest(self) -> None:
        with self._lock:
            self._retire()
            self._wake_up()

    def end(self) -> None:
        """Let all workers end, and wait for it; who does not is killed."""
        with self._lock:
            self._ending = True
            self._resize(0)
            self._wake_up()
        self._keeper.join(STOP_TIMEOUT_S)
        if self._keeper.is_alive():
            with self._lock:
                for each in self._known.values():
                    each.kill()
            self._keeper.join()
        self._wake.close()
        self._woken.close()

    # -- under the lock -------------------------------------------------------------------------

    def _wake_up(self) -> None:
        """Have the keeper look again at what is to be done; once is enough until it does."""
        if not self._awake:
            self._awake = True
            self._wake.send(None)

    def _resize(self, size: int) -> None:
        if not self._vacant:
            self._before = len(self._workers)
        self._size, self._vacant = size, max(0, size - len(self._workers))
        for each in self._workers[size:]:
            each.order(End())
        del self._workers[size:]

    def _retire(self) -> None:
        self._run = None
        for each in self._workers:
            if each.lease is not None:
                each.lease = None
                each.order(Rest())

    def _employ(self) -> None:
        """Give those who have nothing to do a part of the job, as long as there is any."""
        run = self._run
        for each in self._workers:
            if run is None or each.lease is not None:
                continue
            taken = run.nonces.take(LEASE_NONCES)
            if taken is None:
                return
            each.lease = Lease(run, *taken)
            each.order(each.lease.order())

    def _give_back(self, each: WorkerProcess, tried: int) -> None:
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

    # -- in the keeper --------------------------------------------------------------------------

    def _keep(self) -> None:
        """Do what is wanted and tell on what the workers say, until the last of them is gone."""
        while True:
            self._hire()
            self._deliver()
            with self._lock:
                if self._ending and not self._known:
                    return
                open_ones: list[Connection] = [*self._known, self._woken]
                wait_s = 0 if self._vacant else None
            for ready in wait(open_ones, wait_s):
                assert isinstance(ready, Connection)
                self._listen(ready)

    def _hire(self) -> None:
        """Begin one of the workers that are wanting: between two of them others are heard."""
        with self._lock:
            if not self._vacant:
                return
        try:
            fresh = WorkerProcess()
        except OSError as error:
            with self._lock:
                self._do_without(error)
            return
        with self._lock:
            self._known[fresh.connection] = fresh
            if self._vacant:
                self._vacant -= 1
                self._workers.append(fresh)
                self._employ()
            else:
                fresh.order(End())  # it is not wanted any more

    def _do_without(self, error: OSError) -> None:
        """Go on with as many workers as before, or with half of what the system allows if that is more:
        the rest of the node needs files too.
        """
        if not self._vacant:
            return
        here = len(self._workers)
        log.error("the system refuses a worker process, wanted: %d: %s", self._size, error)
        self._resize(min(here, max(self._before, (here + 1) // 2)))
        self.refusal = f"the system refuses more processes than {len(self._workers)} ({error})"
        if not self._workers:
            self._results.tell(ScanLost(self._job_id))

    def _deliver(self) -> None:
        with self._lock:
            orders = [(each, each.next_order()) for each in self._known.values()]
        for each, order in orders:
            if order is not None:
                each.send(order)

    def _listen(self, ready: Connection) -> None:
        try:
            message: ScanResult | Taken | None = ready.recv()
        except (EOFError, OSError):
            self._bury(ready)
            return
        with self._lock:
            if message is None:
                self._awake = False
            else:
                self._hear(self._known[ready], message)

    def _bury(self, connection: Connection) -> None:
        self._known[connection].bury()
        with self._lock:
            gone = self._known.pop(connection)
            if gone.dismissed:
                self._give_back(gone, gone.lease.tried if gone.lease is not None else 0)
            else:
                self._workers.remove(gone)
                self._results.tell(ScanLost(self._job_id))

    def _hear(self, each: WorkerProcess, message: ScanResult | Taken) -> None:
        if isinstance(message, Taken):
            each.take()
            return
        lease = each.scans
        assert lease is not None, "a worker tells only of what it was given"
        match message:
            case ScanExhausted():
                if lease is each.lease:
                    self._give_back(each, lease.count)
                return
            case ScanFound(job_id, _, hashes) if lease.run.solved:
                message = ScanProgress(job_id, hashes)  # another was first: once is enough
            case ScanFound():
                lease.run.solved = True
                if self._run is lease.run:
                    self._retire()
            case ScanProgress(_, hashes):
                lease.tried += hashes
            case _:
                pass  # nothing else is told by workers
        self._results.tell(message)
