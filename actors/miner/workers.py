"""The engine in worker processes: nothing that holds the GIL for long runs in the node's process.

The workers are plain child processes of this interpreter, begun with the first job. Unlike
``multiprocessing``'s they do not import the node's main module again, and need no helper process.
Must not live here: what is done with a nonce.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

import actors
from actors.miner import worker
from actors.miner.engine import ScanExhausted, ScanJob, ScanLost, ScanResult
from actors.miner.worker import Assignment, End, Order, Rest
from actors.runtime.address import Address

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 2.0
"""A worker looks up every 10 ms; one that takes so long hangs, and is killed."""


class WorkerEngine:
    """A :class:`~actors.miner.engine.ScanEngine` that scans in processes, ``threads`` of them."""

    def __init__(self, results: Address[ScanResult], threads: int = 1) -> None:
        self._results, self._threads = results, threads
        self._crew: _Crew | None = None

    @property
    def name(self) -> str:
        return "hashlib"

    def start(self, job: ScanJob) -> None:
        if self._crew is None:
            self._crew = _Crew(self._threads, self._results)
        self._crew.begin(job)

    def cancel(self) -> None:
        if self._crew is not None:
            self._crew.rest()

    def set_threads(self, threads: int) -> None:
        if threads != self._threads:
            self._threads = threads
            if self._crew is not None:
                self._crew.dismiss()
                self._crew = None

    def stop(self) -> None:
        if self._crew is not None:
            self._crew.dismiss()
            self._crew.await_end()
            self._crew = None


class _Worker:
    """A worker process and our end of its connection."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        self._lock = threading.Lock()  # closed by the reader while the actor may be sending
        try:
            with theirs:
                self._process = _spawn(theirs.fileno())
        except OSError:
            self.connection.close()
            raise

    def send(self, order: Order) -> None:
        """Hand over an order; a worker that is gone is the reader's to report."""
        with self._lock:
            try:
                self.connection.send(order)
            except OSError:
                log.debug("worker %d is gone", self._process.pid)

    def bury(self) -> None:
        """Let go of a worker whose connection has ended."""
        with self._lock:
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
    """The workers of one number of threads, and the one thread that reads them all."""

    def __init__(self, size: int, results: Address[ScanResult]) -> None:
        """Spawn the workers, all or none.

        Raises:
            OSError: the system has no more processes or files for us.
        """
        self._results = results
        self._dismissed = False
        self._exhausted: list[ScanExhausted] = []  # the reader's: who is through with the same job
        self._workers: list[_Worker] = []
        try:
            for _ in range(size):
                self._workers.append(_Worker())
        except OSError:
            for each in self._workers:
                each.bury()
            raise
        self._reader = threading.Thread(target=self._read, name="troupe-scan", daemon=True)
        self._reader.start()

    def begin(self, job: ScanJob) -> None:
        for share, each in enumerate(self._workers):
            each.send(Assignment(job, share, len(self._workers)))

    def rest(self) -> None:
        for each in self._workers:
            each.send(Rest())

    def dismiss(self) -> None:
        """Tell the workers to end, and do not wait for it."""
        self._dismissed = True
        for each in self._workers:
            each.send(End())

    def await_end(self) -> None:
        self._reader.join(STOP_TIMEOUT_S)
        if self._reader.is_alive():
            for each in self._workers:
                each.kill()
            self._reader.join()

    def _read(self) -> None:
        """Tell on what the workers say until the last of them is gone."""
        by_connection = {each.connection: each for each in self._workers}
        while by_connection:
            for ready in wait(list(by_connection)):
                assert isinstance(ready, Connection)
                try:
                    result: ScanResult = ready.recv()
                except (EOFError, OSError):
                    by_connection.pop(ready).bury()
                    if not self._dismissed:
                        self._results.tell(ScanLost())
                    continue
                if not isinstance(result, ScanExhausted) or self._is_last(result):
                    self._results.tell(result)

    def _is_last(self, exhausted: ScanExhausted) -> bool:
        """Whether all workers are through with the job now that one more is."""
        same = [each for each in self._exhausted if each == exhausted]
        self._exhausted = [*same, exhausted]
        return len(self._exhausted) == len(self._workers)


def _import_path() -> str:
    """Where a child finds this very package, however we were started."""
    root = str(Path(actors.__file__).parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join((root, inherited)) if inherited else root
