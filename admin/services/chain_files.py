"""The long jobs of ChainService: verify, export, import, back up.

What reads the store does so on threads of its own (``actors.chain.archive``); imported blocks go to the
chain actor, one batch at a time.
"""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from troupe.admin.v1 import chain_service_pb2 as pb
from troupe.admin.v1 import chain_service_pb2_grpc, errors_pb2

from actors.chain.archive import BackedUp, Copied, Extent, JobBusyError, RangeError
from actors.chain.backup import BackupError, BackupExistsError
from actors.chain.messages import GetChain
from actors.chain.schema import StoreError, unreadable
from actors.chain.verify import Progress, Report
from actors.runtime.clock import Clock
from actors.runtime.job import Job, JobEndedError, JobStalledError
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, require, stopping
from admin.house import House
from admin.services.block_import import BlockImport
from admin.verdicts import store_refusal

T = TypeVar("T")

BACKUPS_DIRECTORY = "backups"
DIRECTORY_MODE = 0o700
MAX_PATH_CHARS = 1_024
IMPORT = "import"
SEAT_S = 0.5
"""A job whose caller left frees its seat within milliseconds, when its thread looks up, and by another way
than that on which the caller's next call comes. Who finds it taken for longer is refused."""


class ChainFiles(chain_service_pb2_grpc.ChainServiceServicer):
    """The part of ChainService that moves whole chains."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker
        self._seat = asyncio.Lock()
        self._import: tuple[BlockImport, _Meter] | None = None

    async def VerifyChain(
        self, _request: pb.VerifyChainRequest, _context: Any
    ) -> AsyncIterator[pb.VerifyChainResponse]:
        meter = _Meter(self._house.clock)
        async with _reading(self._house.archive.verify) as job:
            while (step := await _next(job)) is not None:
                if isinstance(step, Report):
                    done = meter.blocks(Progress(step.blocks, step.blocks))
                    yield pb.VerifyChainResponse(progress=done, report=convert_report(step))
                else:
                    yield pb.VerifyChainResponse(progress=meter.blocks(step))

    async def ExportBlocks(
        self, request: pb.ExportBlocksRequest, _context: Any
    ) -> AsyncIterator[pb.ExportBlocksResponse]:
        first = request.first_number if request.HasField("first_number") else 1
        last = request.last_number if request.HasField("last_number") else None
        order = "must not be below first_number"
        require(last is None or last >= first, "last_number", order)
        async with _reading(lambda: self._house.archive.export(first, last)) as job:
            sent = first - 1
            while (part := await _next(job, last_number=str(sent))) is not None:
                if isinstance(part, Extent):
                    yield pb.ExportBlocksResponse(header=self._header(part))
                else:
                    sent += len(part)
                    yield pb.ExportBlocksResponse(chunk=pb.BlockChunk(raw_blocks=part))

    async def ImportBlocks(
        self, requests: AsyncIterator[pb.ImportBlocksRequest], _context: Any
    ) -> pb.ImportBlocksResponse:
        taken = BlockImport(self._house.network, self._house.chain, self._asker)
        async with self._importing(taken):
            await taken.run(requests)
        tip = (await self._asker.ask(self._house.chain, GetChain())).tip
        return pb.ImportBlocksResponse(
            imported_count=taken.imported,
            known_count=taken.known,
            rejected=taken.rejected,
            tip=convert.block_ref(tip),
        )

    async def CreateBackup(
        self, request: pb.CreateBackupRequest, _context: Any
    ) -> AsyncIterator[pb.CreateBackupResponse]:
        target = self._target(request.path)
        copying, verifying = _Meter(self._house.clock), _Meter(self._house.clock)
        try:
            async with _reading(
                lambda: self._house.archive.back_up(target, verified=request.verify)
            ) as job:
                while (step := await _next(job)) is not None:
                    match step:
                        case Copied():
                            yield pb.CreateBackupResponse(progress=copying.bytes(step))
                        case Progress():
                            yield pb.CreateBackupResponse(progress=verifying.blocks(step))
                        case BackedUp(size_bytes=size):
                            done = _Meter(self._house.clock).bytes(Copied(size, size))
                            yield pb.CreateBackupResponse(progress=done, backup=_backup(step))
        except BackupExistsError as error:
            reason = errors_pb2.ERROR_REASON_BACKUP_EXISTS
            raise Refusal(reason, str(error), path=str(target)) from error
        except BackupError as error:
            raise _backup_refused(str(error), target) from error

    # -- parts -------------------------------------------------------------------------------------

    def import_progress(self) -> pb.JobProgress | None:
        """How far the import is that is under way."""
        if self._import is None:
            return None
        taken, meter = self._import
        return meter.blocks(Progress(taken.imported + taken.known, taken.total))

    @asynccontextmanager
    async def _importing(self, taken: BlockImport) -> AsyncIterator[None]:
        """The one import at a time.

        Raises:
            Refusal: CHAIN_JOB_BUSY.
        """
        try:
            async with asyncio.timeout(SEAT_S):
                await self._seat.acquire()
        except TimeoutError as error:
            raise _busy(IMPORT) from error
        self._import = taken, _Meter(self._house.clock)
        try:
            yield
        finally:
            self._import = None
            self._seat.release()

    def _header(self, extent: Extent) -> pb.ExportHeader:
        network = self._house.network
        return pb.ExportHeader(
            network=convert.network(network),
            genesis_hash=network.genesis.hash.hex(),
            first_number=extent.first,
            last=convert.block_ref(extent.last),
        )

    def _target(self, text: str) -> Path:
        """Where a backup goes (see CreateBackupRequest).

        Raises:
            Refusal: FIELD_INVALID, or BACKUP_REFUSED for a place where it may not.
        """
        printable = text.isprintable() and len(text) <= MAX_PATH_CHARS
        require(printable, "path", f"must be at most {MAX_PATH_CHARS} printable characters")
        data_dir = self._house.data_dir.resolve()
        if not text:
            now = datetime.fromtimestamp(self._house.clock.wall_s(), UTC)
            text = f"chain-{now:%Y%m%dT%H%M%SZ}.db"
        path = Path(text)
        if path.is_absolute():
            return _outside(path, data_dir)
        is_name = text == path.name and not text.startswith(".")
        require(is_name, "path", "must be an absolute path or a bare file name")
        directory = data_dir / BACKUPS_DIRECTORY
        try:
            directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        except OSError as error:
            message = f"cannot make the directory {directory}: {error.strerror}"
            raise _backup_refused(message, directory / text) from error
        return directory / text


class _Meter:
    """How fast a job is, on the average since its first report."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start: tuple[float, int] | None = None

    def blocks(self, progress: Progress) -> pb.JobProgress:
        return self._measure(pb.PROGRESS_UNIT_BLOCKS, progress.done, progress.total)

    def bytes(self, copied: Copied) -> pb.JobProgress:
        return self._measure(pb.PROGRESS_UNIT_BYTES, copied.done_bytes, copied.total_bytes)

    def _measure(self, unit: pb.ProgressUnit.ValueType, done: int, total: int) -> pb.JobProgress:
        measured = pb.JobProgress(unit=unit, done_count=done, total_count=total)
        now_s = self._clock.now_s()
        if self._start is None:
            if total:  # before, nothing was counted
                self._start = (now_s, done)
            return measured
        begun_s, before = self._start
        if now_s > begun_s and done > before:
            measured.per_s = (done - before) / (now_s - begun_s)
            measured.remaining_s = max(0, total - done) / measured.per_s
        return measured


# -- jobs -------------------------------------------------------------------------------------------


@asynccontextmanager
async def _reading(start: Callable[[], Job[T]]) -> AsyncIterator[Job[T]]:
    """A job that ends with its reader.

    Raises:
        Refusal: CHAIN_JOB_BUSY.
    """
    job = await _started(start)
    try:
        yield job
    finally:
        job.end()


async def _started(start: Callable[[], Job[T]]) -> Job[T]:
    now_s = asyncio.get_running_loop().time
    until_s = now_s() + SEAT_S
    while True:
        try:
            return start()
        except JobBusyError as error:
            left_s = until_s - now_s()
            if left_s <= 0:
                raise _busy(error.kind.value) from error
            await asyncio.wait((asyncio.wrap_future(error.gone),), timeout=left_s)


async def _next(job: Job[T], **metadata: str) -> T | None:
    """The job's next item; ``metadata`` tells a reader that was too slow how far it came."""
    try:
        return await asyncio.wrap_future(job.next_soon())
    except JobStalledError as error:
        reason = errors_pb2.ERROR_REASON_SLOW_CONSUMER
        message = "the reader took nothing for too long, and the job was given up"
        raise Refusal(reason, message, **metadata) from error
    except JobEndedError as error:
        raise stopping() from error
    except RangeError as error:
        raise Refusal(errors_pb2.ERROR_REASON_BLOCK_NOT_FOUND, str(error)) from error
    except StoreError as error:
        raise store_refusal(error) from error
    except sqlite3.OperationalError as error:
        raise store_refusal(unreadable(error)) from error


# -- fields -----------------------------------------------------------------------------------------


def _outside(path: Path, data_dir: Path) -> Path:
    """A place that has nothing to do with the node's own files."""
    names_a_file = path.name != "" and ".." not in path.parts
    require(names_a_file, "path", "must name a file, without `..` on the way")
    try:
        parent = path.parent.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # the latter: links that lead in a circle
        message = f"there is no directory {path.parent}"
        raise _backup_refused(message, path) from error
    if parent.is_relative_to(data_dir) and parent != data_dir / BACKUPS_DIRECTORY:
        message = "a backup does not go among the node's own files: give a bare name for its place"
        raise _backup_refused(message, path)
    return parent / path.name


def _backup(made: BackedUp) -> pb.Backup:
    return pb.Backup(
        path=convert.legible(str(made.path)),
        size_bytes=made.size_bytes,
        tip=convert.block_ref(made.tip),
        verified=made.report is not None,
    )


def convert_report(report: Report) -> pb.VerifyReport:
    """The report as the API shows it."""
    return pb.VerifyReport(
        sound=not report.divergences,
        tip=None if report.tip is None else convert.block_ref(report.tip),
        block_count=report.blocks,
        transaction_count=report.transactions,
        divergences=[
            pb.Divergence(
                fault=pb.DivergenceFault.Value(f"DIVERGENCE_FAULT_{each.fault.name}"),
                number=each.number,
                detail=convert.legible(each.detail),
            )
            for each in report.divergences
        ],
    )


# -- refusals ---------------------------------------------------------------------------------------


def _busy(job: str) -> Refusal:
    message = f"another {job} is under way: one at a time"
    return Refusal(errors_pb2.ERROR_REASON_CHAIN_JOB_BUSY, message, job=job)


def _backup_refused(message: str, path: Path) -> Refusal:
    return Refusal(errors_pb2.ERROR_REASON_BACKUP_REFUSED, message, path=str(path))
