"""The worker engine against workers that the test plays: what comes late, and from whom."""

import os
import queue
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from actors.miner.engine import ScanFound, ScanJob, ScanProgress
from actors.miner.scan import Template
from actors.miner.worker import Taken
from actors.miner.workers import WorkerEngine
from tests.support.scan_results import Results

HOPELESS = Template(b"1:", b":s", 64)


class Stage:
    """An engine and the workers' ends of its connections; the processes beside them do nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.results, self.workers = Results(), list[Connection]()
        self.engine = WorkerEngine(self.results.address)
        self._begun: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        monkeypatch.setattr("actors.miner.process._spawn", self._spawn)

    def _spawn(self, descriptor: int) -> "subprocess.Popen[bytes]":
        self._begun.put(Connection(os.dup(descriptor)))
        return subprocess.Popen((sys.executable, "-S", "-c", ""))

    def set_to_work(self, number: int) -> None:
        """Job 1 is read by all."""
        self.engine.set_threads(number)
        self.engine.start(ScanJob(1, HOPELESS))
        self.workers += [self._begun.get() for _ in range(number)]
        for each in self.workers:
            read(each, 1)

    def end(self) -> None:
        for each in self.workers:
            each.close()
        self.engine.stop()


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    stage = Stage(monkeypatch)
    yield stage
    stage.end()


def read(worker: Connection, job_id: int) -> None:
    order = worker.recv()
    assert isinstance(order, ScanJob)
    assert order.job_id == job_id
    worker.send(Taken())


def test_each_job_is_found_once_however_late_and_by_whomever(
    house: Stage,
) -> None:
    house.set_to_work(4)
    house.engine.start(ScanJob(2, HOPELESS))
    first, second, late, later = house.workers
    read(first, 2)
    read(second, 2)
    first.send(ScanFound(2, 5, 1))
    assert house.results.until(ScanFound) == ScanFound(2, 5, 1)
    late.send(ScanFound(1, 9, 2))
    assert house.results.until(ScanFound) == ScanFound(1, 9, 2)
    second.send(ScanFound(2, 7, 3))
    assert house.results.until(ScanProgress) == ScanProgress(2, 3)
    later.send(ScanFound(1, 8, 4))
    assert house.results.until(ScanProgress) == ScanProgress(1, 4)


def test_a_worker_gets_one_order_at_a_time_and_then_the_newest(
    house: Stage,
) -> None:
    house.set_to_work(1)
    (worker,) = house.workers
    house.engine.start(ScanJob(2, HOPELESS))
    assert worker.poll(None)
    for job_id in range(3, 9):
        house.engine.start(ScanJob(job_id, HOPELESS))
    read(worker, 2)
    read(worker, 8)
