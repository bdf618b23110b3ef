"""The worker engine with real processes: every wait is for a message or for the end of a process."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import actors
from actors.miner import process
from actors.miner.engine import (
    NONCES,
    ScanExhausted,
    ScanFound,
    ScanJob,
    ScanLost,
    ScanProgress,
)
from actors.miner.scan import Template, scan
from actors.miner.workers import WorkerEngine
from tests.support.scan_results import Results

HOPELESS = Template(b"1:", b":" + b"s" * 130, 16)
EASY = Template(b"2:", b":" + b"s" * 130, 3)
WORKER_OUTLIVES_THE_NODE_BY_S = 40.0
"""Some 10 ms on an idle machine; at the lowest priority on a busy one it takes its time."""


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture
def engine(results: Results) -> Iterator[WorkerEngine]:
    engine = WorkerEngine(results.address)
    yield engine
    engine.stop()


def processes(engine: WorkerEngine) -> "list[subprocess.Popen[bytes]]":
    """Those in office. Under the lock: who comes into office has its part of the job by then."""
    if engine._crew is None:
        return []
    with engine._crew._lock:
        return [each._process for each in engine._crew._workers]


def await_workers(engine: WorkerEngine, results: Results, number: int) -> None:
    """Each wait is for what one of those that scan already has to tell."""
    while len(processes(engine)) != number:
        results.until(ScanProgress)


def reader_threads() -> int:
    return sum(thread.name == "troupe-scan" for thread in threading.enumerate())


def test_a_nonce_is_found_and_it_solves(results: Results, engine: WorkerEngine) -> None:
    engine.set_threads(2)
    engine.start(ScanJob(7, EASY))
    found = results.until(ScanFound)
    assert found.job_id == 7
    assert scan(EASY, found.nonce, 1, lambda: False) == (found.nonce, 1)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_share_a_range_without_gap_or_overlap(
    results: Results, engine: WorkerEngine, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.miner.workers.LEASE_NONCES", 30_000)
    engine.set_threads(workers)
    engine.start(ScanJob(1, HOPELESS, first=NONCES - 200_001))
    results.until(ScanExhausted)
    engine.stop()
    assert sum(each.hashes for each in results.messages[:-1]) == 200_001
    assert results.rest() == []


def test_a_new_job_replaces_the_running_one(results: Results, engine: WorkerEngine) -> None:
    engine.start(ScanJob(1, HOPELESS))
    results.until(ScanProgress)
    engine.start(ScanJob(2, EASY))
    assert results.until(ScanFound).job_id == 2
    assert results.rest() == []


def test_a_cancelled_engine_falls_silent_and_can_start_again(
    results: Results, engine: WorkerEngine
) -> None:
    engine.start(ScanJob(1, HOPELESS))
    results.until(ScanProgress)
    engine.cancel()
    engine.start(ScanJob(2, HOPELESS, end=1_000))
    assert results.until(ScanExhausted) == ScanExhausted(2)
    assert results.messages[-2] == ScanProgress(2, 1_000)


def test_workers_begin_with_the_first_job_at_the_lowest_priority_and_end_with_stop(
    results: Results, engine: WorkerEngine
) -> None:
    engine.set_threads(2)
    engine.cancel()
    assert processes(engine) == []
    engine.start(ScanJob(1, HOPELESS))
    await_workers(engine, results, 2)
    results.until(ScanProgress)
    scanning = processes(engine)
    assert 19 in [os.getpriority(os.PRIO_PROCESS, each.pid) for each in scanning]
    engine.stop()
    assert all(each.returncode is not None for each in scanning)
    assert reader_threads() == 0


def test_one_thread_reads_any_number_of_workers(results: Results, engine: WorkerEngine) -> None:
    engine.set_threads(4)
    engine.start(ScanJob(1, HOPELESS))
    await_workers(engine, results, 4)
    results.until(ScanProgress)
    assert reader_threads() == 1


def test_more_threads_join_the_running_job_and_those_at_it_go_on(
    results: Results, engine: WorkerEngine
) -> None:
    engine.start(ScanJob(1, HOPELESS))
    results.until(ScanProgress)
    (former,) = processes(engine)
    engine.set_threads(3)
    await_workers(engine, results, 3)
    assert processes(engine)[0] is former
    assert former.poll() is None
    leases = [each.lease for each in engine._crew._workers if each.lease] if engine._crew else []
    assert len({lease.first for lease in leases}) == 3
    results.until(ScanProgress)
    assert reader_threads() == 1


def test_a_worker_that_leaves_hands_the_rest_of_its_part_to_another(
    results: Results, engine: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonces = 600_000
    engine.set_threads(2)
    engine.start(ScanJob(1, HOPELESS))  # which lasts until both are there
    await_workers(engine, results, 2)
    monkeypatch.setattr("actors.miner.workers.LEASE_NONCES", nonces // 2)
    engine.start(ScanJob(2, HOPELESS, first=NONCES - nonces))
    while results.until(ScanProgress).job_id != 2:
        pass
    leaver = processes(engine)[1]
    engine.set_threads(1)
    assert len(processes(engine)) == 1
    assert results.until(ScanExhausted) == ScanExhausted(2)
    of_job = [each for each in results.messages[:-1] if each.job_id == 2]
    assert sum(each.hashes for each in of_job) == nonces
    leaver.wait()
    assert results.rest() == []


def test_a_number_of_threads_that_the_system_refuses_leaves_the_scan_as_it_is(
    results: Results, engine: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.start(ScanJob(1, HOPELESS))
    results.until(ScanProgress)

    def refuse(_descriptor: int) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("actors.miner.process._spawn", refuse)
    engine.set_threads(2)
    while not engine.note:
        results.until(ScanProgress)
    assert "more processes than 1" in engine.note
    assert "unavailable" in engine.note
    assert len(processes(engine)) == 1
    results.until(ScanProgress)
    monkeypatch.undo()
    engine.set_threads(3)
    await_workers(engine, results, 3)
    assert engine.note == ""


def test_no_worker_at_all_is_a_loss(
    results: Results, engine: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("actors.miner.process._spawn", refuse)
    engine.start(ScanJob(5, EASY))
    assert results.until(ScanLost) == ScanLost(5)
    monkeypatch.undo()
    engine.stop()
    engine.start(ScanJob(6, EASY))
    assert results.until(ScanFound).job_id == 6


def test_nobody_waits_for_workers_that_begin(
    results: Results, engine: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.start(ScanJob(1, HOPELESS))
    results.until(ScanProgress)
    released, spawn = threading.Event(), process._spawn

    def spawn_when_released(descriptor: int) -> "subprocess.Popen[bytes]":
        released.wait()
        return spawn(descriptor)

    monkeypatch.setattr("actors.miner.process._spawn", spawn_when_released)
    engine.set_threads(3)
    engine.start(ScanJob(2, HOPELESS))
    engine.cancel()
    engine.start(ScanJob(3, HOPELESS))
    assert len(processes(engine)) == 1
    released.set()
    await_workers(engine, results, 3)


def test_a_thread_that_the_system_refuses_is_an_error_of_start_and_leaves_no_file_open(
    engine: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = RuntimeError("can't start new thread")

    def refuse(_thread: threading.Thread) -> None:
        raise refusal

    before = open_files()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="can't start new thread"):
        engine.start(ScanJob(1, EASY))
    monkeypatch.undo()
    assert open_files() == before


def open_files() -> list[str]:
    return sorted(os.listdir("/dev/fd"))[:-1]  # noqa: PTH208 - names; the last is this look's own


def test_a_job_is_found_once(results: Results, engine: WorkerEngine) -> None:
    engine.set_threads(3)
    anything_solves = Template(b"1:", b":s", 0)
    engine.start(ScanJob(1, anything_solves))
    results.until(ScanFound)
    engine.stop()
    assert not [each for each in results.rest() if isinstance(each, ScanFound)]


def test_a_start_heals_a_loss_that_nobody_has_handled_yet(
    results: Results, engine: WorkerEngine
) -> None:
    engine.start(ScanJob(1, HOPELESS))
    results.until(ScanProgress)
    processes(engine)[0].kill()
    assert results.until(ScanLost) == ScanLost(1)
    engine.start(ScanJob(2, EASY))
    assert results.until(ScanFound).job_id == 2


@pytest.mark.parametrize("size", [2_900, 300_000])
def test_nobody_waits_for_a_worker_that_reads_nothing(
    results: Results, engine: WorkerEngine, size: int
) -> None:
    """Not who starts jobs, and not the other workers; when it reads again it has the newest job."""
    engine.set_threads(2)
    engine.start(ScanJob(1, HOPELESS))
    await_workers(engine, results, 2)
    results.until(ScanProgress)
    stopped = processes(engine)[0]
    stopped.send_signal(signal.SIGSTOP)
    large = Template(b"1:", b"s" * size, 64)
    for job_id in range(2, 400):
        engine.start(ScanJob(job_id, large))
    while results.until(ScanProgress).job_id != 399:
        pass
    engine.set_threads(1)
    engine.start(ScanJob(400, EASY))
    stopped.send_signal(signal.SIGCONT)
    assert results.until(ScanFound).job_id == 400


def test_a_lost_worker_is_reported_and_a_fresh_start_heals(
    results: Results, engine: WorkerEngine
) -> None:
    engine.start(ScanJob(1, HOPELESS))
    results.until(ScanProgress)
    processes(engine)[0].kill()
    results.until(ScanLost)
    engine.cancel()
    engine.stop()
    engine.start(ScanJob(2, EASY))
    assert results.until(ScanFound).job_id == 2


def test_a_worker_that_hangs_is_killed_by_stop(
    results: Results, engine: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.miner.workers.STOP_TIMEOUT_S", 0.05)
    engine.start(ScanJob(1, HOPELESS))
    results.until(ScanProgress)
    (hanging,) = processes(engine)
    hanging.send_signal(signal.SIGSTOP)
    engine.stop()
    assert hanging.returncode == -signal.SIGKILL


NODE = """
import threading
import time
from actors.miner.engine import ScanJob
from actors.miner.scan import Template
from actors.miner.workers import WorkerEngine
from actors.runtime.address import Address
from actors.runtime.mailbox import Mailbox

mailbox, told = Mailbox("miner", time.monotonic), threading.Semaphore(0)
mailbox.wake = told.release
engine = WorkerEngine(Address(mailbox), threads=2)
engine.start(ScanJob(1, Template(b"1:", b":s", 16)))
told.acquire()
while len(engine._crew._workers) < 2:
    told.acquire()
print(*(each._process.pid for each in engine._crew._workers), flush=True)
while True:
    told.acquire()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux tells of the end of a process")
def test_a_node_that_is_killed_leaves_no_worker_behind() -> None:
    root = str(Path(actors.__file__).parent.parent)
    with subprocess.Popen(
        (sys.executable, "-c", NODE),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root},
    ) as node:
        assert node.stdout is not None
        pids = [int(pid) for pid in node.stdout.readline().split()]
        handles = [os.pidfd_open(pid) for pid in pids]
        node.kill()
        for handle in handles:
            ended, _, _ = select.select([handle], [], [], WORKER_OUTLIVES_THE_NODE_BY_S)
            os.close(handle)
            assert ended


def test_workers_that_the_system_refuses_leave_it_files_and_no_process() -> None:
    """In a process of its own: it takes its own files away."""
    code = """
import os, resource, threading
from actors.miner.engine import ScanJob
from actors.miner.scan import Template
from actors.miner.workers import WorkerEngine
from actors.runtime.address import Address
from actors.runtime.mailbox import Mailbox
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
mailbox, told = Mailbox("miner", lambda: 0.0), threading.Semaphore(0)
mailbox.wake = told.release
engine = WorkerEngine(Address(mailbox), 100)
before = len(os.listdir("/proc/self/fd"))
engine.start(ScanJob(1, Template(b"1:", b":x", 16)))
while not engine.note:
    told.acquire()
print("some scan", 0 < len(engine._crew._workers) < 20)
engine.stop()
print("files", len(os.listdir("/proc/self/fd")) - before)
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("no child")
"""
    root = Path(actors.__file__).parent.parent
    done = subprocess.run(
        (sys.executable, "-c", code),
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == ["some scan True", "files 0", "no child"]
