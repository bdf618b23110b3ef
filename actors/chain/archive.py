"""Long jobs over the stored chain: verify, export, back up; each on a thread and a snapshot of its own.

None of them ever waits for the chain actor, or it for them: SQLite's readers and its writer do not block
each other. At most one job of a kind runs at a time, so there are as many threads as kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from actors.chain.backup import BackupError, copy_store, drafted, tip_of
from actors.chain.replay import ScratchError
from actors.chain.schema import open_for_reading
from actors.chain.store import Reader
from actors.chain.verify import Progress, Report, verify
from actors.ledger.network import Network
from actors.ledger.types import MAX_INTEGER, BlockRef
from actors.runtime.clock import Clock
from actors.runtime.job import STALL_S, Job, JobEndedError, JobStalledError

__all__ = ["Archive", "JobBusyError", "JobEndedError", "JobStalledError"]

T = TypeVar("T")

REPORT_S = 0.25
"""Between two reports of progress: as often as a person can read them."""
CHUNK_BLOCKS = 128
CHUNK_BYTES = 512 * 1024
"""As much as a download brings at once: what the chain actor takes in one piece. A larger block, up to
1 MiB, is a chunk by itself."""
JOIN_S = 10.0
"""A job looks up between two blocks, or two MiB: a longer wait is a bug."""


class JobKind(Enum):
    """What a job does, in words for people."""

    VERIFY = "verification"
    EXPORT = "export"
    BACKUP = "backup"


class JobBusyError(Exception):
    """One of the kind is under way."""

    def __init__(self, kind: JobKind, gone: Future[None]) -> None:
        """``gone`` is done once that one is over."""
        super().__init__(kind.value)
        self.kind, self.gone = kind, gone


class RangeError(Exception):
    """The chain does not have the blocks asked for."""

    def __init__(self, number: int, tip: BlockRef) -> None:
        super().__init__(f"the canonical chain has no block {number}; its tip is {tip.number}")


@dataclass(frozen=True, slots=True)
class Extent:
    """What an export will hold: canonical blocks, both ends included. Value."""

    first: int
    last: BlockRef


@dataclass(frozen=True, slots=True)
class Copied:
    """Of a backup: so many bytes out of so many are copied. Value."""

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A finished backup. ``report``: of its verification, None without one. Value."""

    path: Path
    size_bytes: int
    tip: BlockRef
    report: Report | None


Chunk = tuple[bytes, ...]
"""Serialized blocks that follow one another."""


class Archive:
    """Starts the jobs, one of a kind. Any thread."""

    def __init__(
        self, path: Path, network: Network, clock: Clock, *, stall_s: float = STALL_S
    ) -> None:
        """``path`` is the store's, which exists when the first job starts."""
        self._path, self._network, self._clock, self._stall_s = path, network, clock, stall_s
        self._lock = Lock()
        self._jobs: dict[JobKind, Job[Any]] = {}

    def verify(self) -> Job[Progress | Report]:
        """Execute the chain again; the report comes last.

        Raises:
            JobBusyError: a verification is under way.
        """

        def work(job: Job[Progress | Report]) -> None:
            job.emit(Progress(0, 0))  # the file as such is checked first, which takes its time
            job.emit(self._verify(self._path, job))

        return self._start(JobKind.VERIFY, work)

    def export(self, first: int, last: int | None) -> Job[Extent | Chunk]:
        """Read canonical blocks ``first`` to ``last`` (None: the tip; else not below ``first``), as they
        are when it begins.

        The extent comes first. Fails with RangeError where there are no such blocks.

        Raises:
            JobBusyError: an export is under way.
        """

        def work(job: Job[Extent | Chunk]) -> None:
            with closing(open_for_reading(self._path, self._network)) as connection:
                connection.execute("BEGIN")
                reader = Reader(connection)
                extent = _extent(reader, first, last)
                job.emit(extent)
                for chunk in chunks(reader.canonical_raws(first, extent.last.number)):
                    job.emit(chunk)

        return self._start(JobKind.EXPORT, work)

    def back_up(self, target: Path, *, verified: bool) -> Job[Copied | Progress | BackedUp]:
        """Copy the store to a file that must not exist yet; what was made comes last.

        Fails with BackupError; then there is no file. With ``verified``, the copy is executed again
        before it gets its name.

        Raises:
            JobBusyError: a backup is under way.
        """

        def work(job: Job[Any]) -> None:
            report: Report | None = None
            pace = _Pace(job, self._clock)
            with drafted(target) as draft:
                copy_store(
                    self._path,
                    draft,
                    self._network,
                    lambda done, total: pace.report(Copied(done, total)),
                    job.ended.is_set,
                )
                job.check()
                if verified:
                    report = self._verify_copy(draft, job)
                size_bytes, tip = draft.stat().st_size, tip_of(draft, self._network)
            job.emit(BackedUp(target, size_bytes, tip, report))

        return self._start(JobKind.BACKUP, work)

    def close(self) -> None:
        """End every job and wait for it."""
        with self._lock:
            jobs = tuple(self._jobs.values())
        for job in jobs:
            job.end()
        for job in jobs:
            job.join(JOIN_S)

    def _start(self, kind: JobKind, work: Callable[[Job[T]], None]) -> Job[T]:
        with self._lock:
            if kind in self._jobs:
                raise JobBusyError(kind, self._jobs[kind].gone)
            job = self._jobs[kind] = Job(
                kind.value, work, lambda: self._gone(kind), stall_s=self._stall_s
            )
            return job

    def _gone(self, kind: JobKind) -> None:
        with self._lock:
            del self._jobs[kind]

    def _verify_copy(self, draft: Path, job: Job[Any]) -> Report:
        """Run a verification of what is to be a backup.

        Raises:
            BackupError: The copy is not sound, or it could not be seen whether it is.
        """
        try:
            report = self._verify(draft, job)
        except ScratchError as error:
            raise BackupError(str(error)) from error
        _require_sound(report)
        return report

    def _verify(self, path: Path, job: Job[Any]) -> Report:
        """Run a verification, reporting on the way."""
        pace = _Pace(job, self._clock)
        steps = verify(path, self._network, ended=job.ended.is_set, every=1)
        with closing(steps):
            while True:
                try:
                    progress = next(steps)
                except StopIteration as end:
                    job.check()
                    report: Report = end.value
                    return report
                pace.report(progress)


class _Pace(Generic[T]):
    """Hands progress over as often as somebody can read it."""

    def __init__(self, job: Job[T], clock: Clock) -> None:
        self._job, self._clock = job, clock
        self._due_s = clock.now_s()

    def report(self, item: T) -> None:
        """Hand over, if it is time to.

        Raises:
            JobEndedError: nobody reads any more.
        """
        self._job.check()
        if self._clock.now_s() >= self._due_s:
            self._job.emit(item)
            self._due_s = self._clock.now_s() + REPORT_S


def chunks(raws: Iterable[bytes]) -> Iterator[Chunk]:
    """Blocks in chunks of bounded number and size, read as they are asked for."""
    chunk: list[bytes] = []
    size_bytes = 0
    for raw in raws:
        if chunk and (size_bytes + len(raw) > CHUNK_BYTES or len(chunk) == CHUNK_BLOCKS):
            yield tuple(chunk)
            chunk, size_bytes = [], 0
        chunk.append(raw)
        size_bytes += len(raw)
    if chunk:
        yield tuple(chunk)


def _require_sound(report: Report) -> None:
    if report.divergences:
        first = report.divergences[0]
        message = (
            f"the copy is not sound ({first.detail}): run `troupe verify` on the data directory"
        )
        raise BackupError(message)


def _extent(reader: Reader, first: int, last: int | None) -> Extent:
    tip = reader.tip()
    if last is None and first == tip.number + 1:
        return Extent(first, tip)  # all that is new since: nothing
    number = max(first, tip.number if last is None else last)
    block_hash = reader.hash_at(number) if number <= MAX_INTEGER else None
    if block_hash is None:
        raise RangeError(number, tip)
    return Extent(first, BlockRef(number, block_hash))
