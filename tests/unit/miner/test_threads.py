"""The thread engine: over a scan that a test holds and releases, and over the real kernels."""

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from actors.miner import native
from actors.miner.engine import (
    NONCES,
    ScanExhausted,
    ScanFound,
    ScanJob,
    ScanProgress,
)
from actors.miner.native import Kernel
from actors.miner.scan import Template, nonces_per_check, scan
from actors.miner.threads import CHUNK_S, MAX_CHUNK, MAX_GROWTH, ThreadEngine, next_size
from tests.support.scan_results import Results

HOPELESS = Template(b"1:", b":" + b"s" * 130, 64)
EASY = Template(b"2:", b":" + b"s" * 130, 3)
FIRST_CHUNK = nonces_per_check(HOPELESS)
PROMPT_S = 30.0
"""How long a failing test waits; a passing one never does."""


def in_python(
    template: Template, first: int, count: int, cancel: bytearray, /
) -> tuple[int | None, int]:
    return scan(template, first, count, lambda: bool(cancel[0]))


PYTHON = Kernel("python", in_python)
REAL = (PYTHON, *native.kernels())


class HeldScan:
    """A scan that waits to be released; cancelled, it has tried half of its chunk."""

    def __init__(self) -> None:
        self.begun: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        self.tried: list[tuple[int, int]] = []
        self.niceness: list[int] = []
        self.finds: set[int] = set()
        self.obeys = True
        self._released = threading.Event()

    def __call__(
        self, _template: Template, first: int, count: int, cancel: bytearray, /
    ) -> tuple[int | None, int]:
        if sys.platform == "linux":
            self.niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        self.begun.put((first, count))
        while not self._released.wait(0.001):  # as a real scan looks up now and then
            if first in self.finds:
                return first, 1
            if cancel[0] and self.obeys:
                break
        tried = count if self._released.is_set() else count // 2
        self.tried.append((first, tried))
        return None, tried

    def release(self) -> None:
        self._released.set()

    def await_chunks(self, number: int) -> list[tuple[int, int]]:
        return [self.begun.get(timeout=PROMPT_S) for _ in range(number)]


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture
def held() -> Iterator[HeldScan]:
    scan_ = HeldScan()
    yield scan_
    scan_.release()


@pytest.fixture
def build(results: Results) -> Iterator[Callable[..., ThreadEngine]]:
    """Builds engines, and stops them at the end."""
    engines: list[ThreadEngine] = []

    def make(*kernels: Kernel, threads: int = 1) -> ThreadEngine:
        engines.append(ThreadEngine(results.address, kernels, time.monotonic, threads))
        return engines[-1]

    yield make
    for each in engines:
        each.stop()


Build = Callable[..., ThreadEngine]


def scanners() -> list[str]:
    return sorted(each.name for each in threading.enumerate() if "troupe-scan" in each.name)


# -- with the real scans ------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", REAL, ids=[each.name for each in REAL])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_one_nonce_that_solves_a_range_is_found(
    results: Results, build: Build, kernel: Kernel, threads: int
) -> None:
    solution, _ = scan(EASY, 0, 100_000, lambda: False)
    assert solution is not None
    engine = build(kernel, threads=threads)
    engine.start(ScanJob(7, EASY, end=solution + 1))
    assert results.until(ScanFound).nonce == solution
    assert engine.name == kernel.name


@pytest.mark.parametrize("kernel", REAL, ids=[each.name for each in REAL])
@pytest.mark.parametrize("threads", [1, 3])
def test_threads_share_a_range_without_gap_or_overlap(
    results: Results, build: Build, kernel: Kernel, threads: int
) -> None:
    engine = build(kernel, threads=threads)
    engine.start(ScanJob(1, HOPELESS, first=NONCES - 100_001))
    results.until(ScanExhausted)
    engine.stop()
    assert sum(each.hashes for each in results.messages[:-1]) == 100_001
    assert results.rest() == []


@pytest.mark.parametrize("kernel", REAL, ids=[each.name for each in REAL])
def test_a_new_job_replaces_the_running_one(results: Results, build: Build, kernel: Kernel) -> None:
    engine = build(kernel, threads=2)
    engine.start(ScanJob(1, HOPELESS))
    results.until(ScanProgress)
    engine.start(ScanJob(2, EASY))
    assert results.until(ScanFound).job_id == 2
    engine.stop()
    assert not [each for each in results.rest() if isinstance(each, ScanFound)]


# -- one job, many threads ----------------------------------------------------------------------------


def test_all_threads_stop_when_one_finds(results: Results, build: Build, held: HeldScan) -> None:
    engine = build(Kernel("held", held), threads=3)
    engine.start(ScanJob(5, HOPELESS))
    chunks = held.await_chunks(3)
    held.finds = {chunks[1][0]}
    assert results.until(ScanFound) == ScanFound(5, chunks[1][0], 1)
    engine.stop()
    half = ScanProgress(5, FIRST_CHUNK // 2)
    assert results.messages[:-1] + results.rest() == [half, half]


def test_two_threads_that_find_at_once_are_one_solution(
    results: Results, build: Build, held: HeldScan
) -> None:
    held.obeys = False
    engine = build(Kernel("held", held), threads=2)
    engine.start(ScanJob(5, HOPELESS))
    held.finds = {first for first, _ in held.await_chunks(2)}
    results.until(ScanFound)
    engine.stop()
    assert results.messages[:-1] + results.rest() == [ScanProgress(5, 1)]


def test_a_nonce_that_a_cancelled_chunk_still_finds_is_told(
    results: Results, build: Build, held: HeldScan
) -> None:
    held.obeys = False
    engine = build(Kernel("held", held))
    engine.start(ScanJob(1, HOPELESS))
    ((first, _),) = held.await_chunks(1)
    engine.start(ScanJob(2, HOPELESS, first=NONCES // 2))
    held.finds = {first}
    assert results.until(ScanFound) == ScanFound(1, first, 1)
    assert held.await_chunks(1)[0][0] == NONCES // 2, "the new job goes on"


def test_what_a_cancelled_chunk_has_tried_is_counted(
    results: Results, build: Build, held: HeldScan
) -> None:
    engine = build(Kernel("held", held))
    engine.start(ScanJob(3, HOPELESS))
    held.await_chunks(1)
    engine.cancel()
    assert results.until(ScanProgress) == ScanProgress(3, FIRST_CHUNK // 2)
    assert held.begun.empty()
    engine.start(ScanJob(4, HOPELESS))
    assert held.await_chunks(1) == [(0, FIRST_CHUNK)]


def test_an_empty_range_is_exhausted_at_once(results: Results, build: Build) -> None:
    build(PYTHON).start(ScanJob(1, EASY, first=5, end=5))
    assert results.until(ScanExhausted) == ScanExhausted(1)


# -- the number of threads ----------------------------------------------------------------------------


def test_threads_begin_with_the_first_job_and_end_with_stop(build: Build, held: HeldScan) -> None:
    engine = build(Kernel("held", held), threads=2)
    assert scanners() == []
    engine.start(ScanJob(1, HOPELESS))
    held.await_chunks(2)
    assert scanners() == ["troupe-scan-1", "troupe-scan-2"]
    engine.stop()
    assert scanners() == []
    engine.start(ScanJob(2, HOPELESS))
    held.await_chunks(2)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere priority is the process's")
def test_scanning_threads_give_way_to_all_others(build: Build, held: HeldScan) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    engine = build(Kernel("held", held), threads=2)
    engine.start(ScanJob(1, HOPELESS))
    held.await_chunks(2)
    assert held.niceness == [19, 19]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == ours


def test_more_threads_join_the_running_job_and_do_not_disturb_it(
    results: Results, build: Build, held: HeldScan
) -> None:
    engine = build(Kernel("held", held))
    engine.start(ScanJob(1, HOPELESS))
    held.await_chunks(1)
    engine.set_threads(3)
    assert sorted(held.await_chunks(2)) == [
        (FIRST_CHUNK, FIRST_CHUNK),
        (2 * FIRST_CHUNK, FIRST_CHUNK),
    ]
    assert results.rest() == []


def test_a_thread_that_leaves_hands_the_rest_of_its_chunk_to_another(
    results: Results, build: Build, held: HeldScan
) -> None:
    engine = build(Kernel("held", held), threads=2)
    engine.start(ScanJob(1, HOPELESS, end=2 * FIRST_CHUNK))
    held.await_chunks(2)
    engine.set_threads(1)
    assert results.until(ScanProgress) == ScanProgress(1, FIRST_CHUNK // 2)
    held.release()
    results.until(ScanExhausted)
    engine.stop()
    assert covered(held) == [(0, 2 * FIRST_CHUNK)]
    assert scanners() == []


def test_however_the_number_of_threads_changes_every_nonce_is_tried_once(
    results: Results, build: Build, held: HeldScan
) -> None:
    engine = build(Kernel("held", held), threads=2)
    total = 40 * FIRST_CHUNK + 17
    engine.start(ScanJob(1, HOPELESS, end=total))
    held.await_chunks(2)
    for threads, joining in ((5, 3), (1, 0), (4, 3), (2, 0), (3, 1)):
        engine.set_threads(threads)
        held.await_chunks(joining)
    held.release()
    assert results.until(ScanExhausted) == ScanExhausted(1)
    engine.stop()
    assert covered(held) == [(0, total)]
    assert sum(each.hashes for each in results.messages[:-1]) == total
    assert results.rest() == []


def covered(held: HeldScan) -> list[tuple[int, int]]:
    """The stretches that were tried, joined where one ends as the next begins."""
    stretches: list[tuple[int, int]] = []
    for first, tried in sorted(each for each in held.tried if each[1]):
        if stretches and stretches[-1][1] == first:
            stretches[-1] = (stretches[-1][0], first + tried)
        else:
            stretches.append((first, first + tried))
    return stretches


def test_a_number_of_threads_that_the_system_refuses_leaves_the_scan_as_it_is(
    build: Build, held: HeldScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = build(Kernel("held", held))
    engine.start(ScanJob(1, HOPELESS))
    held.await_chunks(1)
    start = threading.Thread.start
    begun: list[threading.Thread] = []
    refusal = RuntimeError("can't start new thread")

    def refuse(thread: threading.Thread) -> None:
        if begun:
            raise refusal
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="can't start new thread"):
        engine.set_threads(3)
    monkeypatch.undo()
    begun[0].join(PROMPT_S)
    assert scanners() == ["troupe-scan-1"]
    engine.start(ScanJob(2, HOPELESS))
    held.await_chunks(1)
    assert scanners() == ["troupe-scan-1"]


def test_a_scan_that_hangs_is_left_behind_and_the_log_says_so(
    build: Build,
    held: HeldScan,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("actors.miner.threads.STOP_TIMEOUT_S", 0.05)
    held.obeys = False
    engine = build(Kernel("held", held), threads=2)
    engine.start(ScanJob(1, HOPELESS))
    held.await_chunks(2)
    hanging = [each for each in threading.enumerate() if "troupe-scan" in each.name]
    engine.stop()
    (record,) = caplog.records
    assert record.getMessage().endswith("left behind: 2")
    held.release()
    for each in hanging:
        assert each.daemon
        each.join(PROMPT_S)
        assert not each.is_alive(), "it ends when it can"


# -- the size of a chunk ------------------------------------------------------------------------------


def test_a_chunk_is_made_to_take_the_time_that_it_should() -> None:
    assert next_size(1_000_000, CHUNK_S / 2) == 2_000_000
    assert next_size(1_000_000, CHUNK_S * 4) == 250_000


def test_a_chunk_grows_by_steps_and_never_ends_at_nothing_or_at_infinity() -> None:
    assert next_size(1_000, CHUNK_S / 1_000) == 1_000 * MAX_GROWTH
    assert next_size(1_000, 0.0) == 1_000 * MAX_GROWTH
    assert next_size(MAX_CHUNK, 0.0) == MAX_CHUNK
    assert next_size(1, 1_000.0) == 1
