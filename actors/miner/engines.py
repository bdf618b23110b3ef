"""Which engine a node scans with: the native one wherever there is one, else worker processes.

Must not live here: how they scan (``threads``, ``workers``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from actors.miner import native
from actors.miner.engine import ScanEngine, ScanJob, ScanResult
from actors.miner.native import Kernel, sound
from actors.miner.threads import ThreadEngine
from actors.miner.workers import WorkerEngine
from actors.runtime.address import Address

log = logging.getLogger(__name__)

AUTO = "auto"
HASHLIB = "hashlib"
FORCED = "the kernel setting asks for it"
ALL_FAILED = "every kernel of the native scan failed; the log says how"
NOT_BUILT = (
    "the native scan is not installed ({}); install a C compiler and Troupe again to mine at the"
    " speed of the processor"
)


class NoKernelError(Exception):
    """The kernel that was asked for cannot be had here; the message names those that can."""


@dataclass(frozen=True, slots=True)
class EnginePlan:
    """What a node scans with. Value.

    Attributes:
        kernels: Of the native scan, in the order of their use, the first one tested; empty: worker
            processes scan with ``hashlib``.
        note: Why it is those workers.
    """

    kernels: tuple[Kernel, ...]
    note: str = ""

    def build(
        self, results: Address[ScanResult], threads: int, now_s: Callable[[], float]
    ) -> ScanEngine:
        """The engine; its threads or processes begin with the first job."""
        if not self.kernels:
            return WorkerEngine(results, threads, self.note)
        native_one = ThreadEngine(results, self.kernels, now_s, threads)
        return FallbackEngine(native_one, results, threads)

    def announce(self, threads: int) -> None:
        """Say once in the log what scans."""
        if self.kernels:
            log.info("nonces are scanned natively: %s, threads: %d", self.kernels[0].name, threads)
        elif self.note == FORCED:
            log.info("nonces are scanned by hashlib in %d processes: %s", threads, self.note)
        else:
            log.warning("nonces are scanned by hashlib in %d processes: %s", threads, self.note)


def plan_engine(choice: str = AUTO) -> EnginePlan:
    """Choose and test; a few ms.

    Args:
        choice: One of ``config.KERNEL_CHOICES``.

    Raises:
        NoKernelError: this machine has not the kernel that is asked for, or that fails its test.
    """
    if choice == HASHLIB:
        return EnginePlan((), FORCED)
    there = native.kernels()
    if choice == AUTO:
        usable = sound(there)
        missing = NOT_BUILT.format(native.MISSING) if native.MISSING else ALL_FAILED
        return EnginePlan(usable, "" if usable else missing)
    chosen = sound([each for each in there if each.name == choice])
    if not chosen:
        names = ", ".join([*(each.name for each in there), HASHLIB])
        why = f" ({NOT_BUILT.format(native.MISSING)})" if native.MISSING else ""
        message = f"there is no sound kernel {choice} on this machine, which has: {names}{why}"
        raise NoKernelError(message)
    return EnginePlan(chosen)


class FallbackEngine:
    """A native engine, and worker processes from the first job on that it can no longer scan."""

    def __init__(
        self, native_one: ThreadEngine, results: Address[ScanResult], threads: int
    ) -> None:
        self._native, self._results, self._threads = native_one, results, threads
        self._engine: ScanEngine = native_one

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def native(self) -> bool:
        return self._engine.native

    @property
    def note(self) -> str:
        return self._engine.note

    def start(self, job: ScanJob) -> None:
        if self._native.failed and self._engine is self._native:
            self._native.stop()
            self._engine = WorkerEngine(self._results, self._threads, ALL_FAILED)
            log.warning("nonces are scanned by hashlib in %d processes", self._threads)
        self._engine.start(job)

    def cancel(self) -> None:
        self._engine.cancel()

    def set_threads(self, threads: int) -> None:
        self._engine.set_threads(threads)
        self._threads = threads

    def stop(self) -> None:
        self._engine.stop()
