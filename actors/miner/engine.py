"""What the miner asks of whatever scans for it, and what that tells back.

An engine does the work elsewhere (worker processes, native threads, simulated hardware). No method waits
for it, but ``stop``: up to 2 s, for threads and processes to end. Results are told to the address that
the engine was built with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from actors.miner.scan import Template

NONCES = 2**64
"""LEDGER: canonical form; nonces are below it."""
LOWEST_PRIORITY = 19
"""Of what scans, thread or process: everything else goes before it."""


@dataclass(frozen=True, slots=True)
class ScanJob:
    """One template to solve with a nonce from ``first`` up to, but not including, ``end``. Value."""

    job_id: int
    template: Template
    first: int = 0
    end: int = NONCES


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """So many more hashes were tried, in vain; what was cancelled counts too. Tell."""

    job_id: int
    hashes: int


@dataclass(frozen=True, slots=True)
class ScanFound:
    """A nonce that solves the job's template, and how many more hashes it took; once a job. Tell."""

    job_id: int
    nonce: int
    hashes: int


@dataclass(frozen=True, slots=True)
class ScanExhausted:
    """No nonce of the job solves it; all were tried. Tell."""

    job_id: int


@dataclass(frozen=True, slots=True)
class ScanLost:
    """A part of the engine ended on its own; ``stop`` and ``start`` bring it back, and so does the start
    of another job: it is of no more interest then. Tell.

    Attributes:
        job_id: The last that was started when it happened.
    """

    job_id: int


ScanResult = ScanProgress | ScanFound | ScanExhausted | ScanLost


class ScanEngine(Protocol):
    """Scans one job at a time. Used by the miner actor alone."""

    @property
    def name(self) -> str:
        """What people see: the kernel that scans."""

    @property
    def native(self) -> bool:
        """Whether it scans at the speed of the processor."""

    @property
    def note(self) -> str:
        """A sentence for people on why it is this engine; empty: as it should be."""

    def start(self, job: ScanJob) -> None:
        """Scan this job instead of the one before. Its results bear its id; late ones may come.

        Raises:
            OSError: the system lacks what a scan needs (processes, files); nothing is scanned.
        """

    def cancel(self) -> None:
        """Scan nothing, soon, until the next start."""

    def set_threads(self, threads: int) -> None:
        """How many scan at once, from now on: those who join or leave do not disturb the job.

        Where it takes long to find out that the system refuses some, fewer scan and ``note`` says so.

        Raises:
            OSError: the system has no more processes or threads; as many scan as before.
        """

    def stop(self) -> None:
        """Cancel and let go of threads and processes; a later start takes them up again."""
