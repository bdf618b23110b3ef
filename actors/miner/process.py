"""A worker process as its engine sees it, and the part of a job that it has.

Must not live here: who gets what (``workers``), and what the process does (``worker``).
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import actors
from actors.miner import worker
from actors.miner.engine import ScanJob
from actors.miner.ranges import NonceRange
from actors.miner.worker import End, Order

log = logging.getLogger(__name__)

ORDER_BYTES = 2**20
"""What a connection is to hold, as far as the system allows: more than the largest block, so that an
order for a worker that reads nothing is out of the hands of who sends it."""


@dataclass(slots=True, eq=False)
class Run:
    """A job under way."""

    job: ScanJob
    nonces: NonceRange
    solved: bool = False


@dataclass(slots=True, eq=False)
class Lease:
    """The part of a run that one worker has, and how much of it that has reported."""

    run: Run
    first: int
    count: int
    tried: int = 0

    def order(self) -> ScanJob:
        return replace(self.run.job, first=self.first, end=self.first + self.count)


class WorkerProcess:
    """A worker process and our end of its connection.

    What it is to do is guarded by the lock of its crew. Orders wait here until it has read the one
    before, and only the newest waits: its connection never fills up, however long it does not read.

    Raises:
        OSError: the system has no more processes or files for us.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ORDER_BYTES)
                self._process = _spawn(theirs.fileno())
        except OSError:
            ours.close()
            raise
        self.connection = Connection(ours.detach())
        self.lease: Lease | None = None  # what it is to scan
        self.scans: Lease | None = None  # what it scans, as far as we know
        self.dismissed = False
        self._waiting: Order | None = None
        self._on_the_way = False
        self._sent: Lease | None = None

    def order(self, order: Order) -> None:
        """Have this done instead of all before."""
        if not self.dismissed:
            self._waiting = order
            self.dismissed = isinstance(order, End)

    def next_order(self) -> Order | None:
        """What to send now."""
        order = None if self._on_the_way else self._waiting
        if order is not None:
            self._waiting, self._on_the_way = None, True
            self._sent = self.lease if isinstance(order, ScanJob) else None
        return order

    def take(self) -> None:
        """Note that it has read what was sent."""
        self._on_the_way, self.scans = False, self._sent

    def send(self, order: Order) -> None:
        """Hand over an order, without the lock; one that is gone is noticed when it is read."""
        try:
            self.connection.send(order)
        except OSError:
            log.debug("worker %d is gone", self._process.pid)

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


def _import_path() -> str:
    """Where a child finds this very package, however we were started."""
    root = str(Path(actors.__file__).parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join((root, inherited)) if inherited else root
