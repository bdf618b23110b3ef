"""The process that scans: one of an engine's workers, at the lowest priority.

It imports nothing of the node but the scan and its values. It ends when it is told to, or when the
other end of its connection closes: the node that dies, by whatever signal, takes it along.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from multiprocessing.connection import Connection

from actors.miner.engine import (
    LOWEST_PRIORITY,
    ScanExhausted,
    ScanFound,
    ScanJob,
    ScanProgress,
)
from actors.miner.scan import nonces_per_check, scan

CHECKS_PER_CHUNK = 16
"""A chunk of some 50 to 150 ms is one report: rare enough to cost nothing."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Scan nothing until there is another assignment."""


@dataclass(frozen=True, slots=True)
class End:
    """The process is to end."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The worker has read its last order: what it tells from now on is of that one, and the next order
    finds room on the way.
    """


Order = ScanJob | Rest | End
"""A job's ``first`` and ``end`` are those of the worker's own part of it."""


def main(handle: int) -> None:
    """Follow the orders that come over a connection until it ends."""
    os.nice(LOWEST_PRIORITY)
    try:
        with Connection(handle) as connection:
            follow_orders(connection)
    except (EOFError, OSError):
        pass  # the node is gone


def follow_orders(connection: Connection) -> None:
    """Work on the newest order; each one cuts short what the one before began."""
    while not isinstance(order := connection.recv(), End):
        connection.send(Taken())
        if isinstance(order, ScanJob):
            work(order, connection)


def work(job: ScanJob, connection: Connection) -> None:
    """Scan a part of a job until it is solved, used up, or another order waits."""
    chunk = CHECKS_PER_CHUNK * nonces_per_check(job.template)
    for start in range(job.first, job.end, chunk):
        nonce, hashes = scan(
            job.template, start, min(chunk, job.end - start), cancelled=connection.poll
        )
        if nonce is not None:
            connection.send(ScanFound(job.job_id, nonce, hashes))
            return
        connection.send(ScanProgress(job.job_id, hashes))
        if connection.poll():
            return
    connection.send(ScanExhausted(job.job_id))
