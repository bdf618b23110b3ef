"""Which engine a node scans with: the native one wherever there is one, else worker processes.

Must not live here: how they scan (``threads``, ``workers``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from actors.miner import native
from actors.miner.engine import ScanEngine, ScanJob, ScanResult
from actors.miner.native import Kernel, failure_note, from_first_sound
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
        note: Why it is those workers, or not the preferred kernel; empty: as it should be.
        failed_names: The kernels before those, which failed their test.
    """

    kernels: tuple[Kernel, ...]
    note: str = ""
    failed_names: tuple[str, ...] = ()

    def build(
        self, results: Address[ScanResult], threads: int, now_s: Callable[[], float]
    ) -> ScanEngine:
        """The engine; its threads or processes begin with the first job."""
        if not self.kernels:
            return WorkerEngine(results, threads, self.note)
        preferred = ThreadEngine(results, self.kernels, now_s, threads, self.failed_names)
        return FallbackEngine(preferred, WorkerEngine(results, threads, ALL_FAILED))

    def announce(self, threads: int) -> None:
        """Say once in the log what scans."""
        if self.kernels:
            log.info("nonces are scanned natively: %s, threads: %d", self.kernels[0].name, threads)
        elif self.note == FORCED:
            log.info("nonces are scanned by hashlib, processes: %d: %s", threads, self.note)
        else:
            log.warning("nonces are scanned by hashlib, processes: %d: %s", threads, self.note)


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
        usable = from_first_sound(there)
        if not usable:
            return EnginePlan(
                (), NOT_BUILT.format(native.MISSING) if native.MISSING else ALL_FAILED
            )
        failed_names = tuple(each.name for each in there[: len(there) - len(usable)])
        return EnginePlan(usable, failure_note(failed_names), failed_names)
    chosen = from_first_sound([each for each in there if each.name == choice])
    if not chosen:
        names = ", ".join([*(each.name for each in there), HASHLIB])
        why = f" ({NOT_BUILT.format(native.MISSING)})" if native.MISSING else ""
        message = f"there is no sound kernel {choice} on this machine, which has: {names}{why}"
        raise NoKernelError(message)
    return EnginePlan(chosen)


class FallbackEngine:
    """A native engine, and worker processes for the jobs that it can no longer scan."""

    def __init__(self, preferred: ThreadEngine, fallback: WorkerEngine) -> None:
        self._preferred, self._fallback = preferred, fallback

    @property
    def _current(self) -> ScanEngine:
        """Who scans, or will from the next job on; it never changes back."""
        return self._fallback if self._preferred.failed else self._preferred

    @property
    def name(self) -> str:
        return self._current.name

    @property
    def native(self) -> bool:
        return self._current.native

    @property
    def note(self) -> str:
        return self._current.note

    def start(self, job: ScanJob) -> None:
        self._current.start(job)

    def cancel(self) -> None:
        self._current.cancel()

    def set_threads(self, threads: int) -> None:
        self._current.set_threads(threads)
        self._fallback.set_threads(threads)

    def stop(self) -> None:
        self._preferred.stop()
        self._fallback.stop()
