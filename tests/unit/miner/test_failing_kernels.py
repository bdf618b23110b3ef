"""The thread engine when a scan fails: what becomes of the kernel, of the job, and what people read."""

import time
from collections.abc import Callable, Iterator

import pytest

from actors.miner.engine import ScanExhausted, ScanFound, ScanJob, ScanLost
from actors.miner.native import Kernel, KernelError
from actors.miner.scan import Template, scan
from actors.miner.threads import ThreadEngine
from tests.support.scan_results import Results

HOPELESS = Template(b"1:", b":" + b"s" * 130, 64)
EASY = Template(b"2:", b":" + b"s" * 130, 3)


def in_python(
    template: Template, first: int, count: int, cancel: bytearray, /
) -> tuple[int | None, int]:
    return scan(template, first, count, lambda: bool(cancel[0]))


PYTHON = Kernel("python", in_python)
Build = Callable[..., ThreadEngine]


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture
def build(results: Results) -> Iterator[Build]:
    """Builds engines, and stops them at the end."""
    engines: list[ThreadEngine] = []

    def make(*kernels: Kernel, threads: int = 1) -> ThreadEngine:
        engines.append(ThreadEngine(results.address, kernels, time.monotonic, threads))
        return engines[-1]

    yield make
    for each in engines:
        each.stop()


class FailingScan:
    """Passes its test, and fails in office."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(
        self, template: Template, first: int, count: int, cancel: bytearray, /
    ) -> tuple[int | None, int]:
        if template == HOPELESS:
            raise self._error
        return in_python(template, first, count, cancel)


@pytest.mark.parametrize("error", [KernelError("it lies"), ValueError()])
def test_a_kernel_that_fails_gives_way_to_the_next_and_no_nonce_is_left_out(
    results: Results, build: Build, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    engine = build(Kernel("bad", FailingScan(error)), PYTHON, threads=2)
    engine.start(ScanJob(1, HOPELESS, end=20_000))
    results.until(ScanExhausted)
    assert sum(each.hashes for each in results.messages[:-1]) == 20_000
    assert (engine.name, engine.failed) == ("python", False)
    assert engine.note == "the bad kernel failed, the log says how"
    assert [each.levelname for each in caplog.records] == ["ERROR", "WARNING"]


def test_an_engine_without_a_kernel_that_works_is_lost_once_and_lives(
    results: Results, build: Build
) -> None:
    engine = build(Kernel("bad", FailingScan(ValueError())), threads=3)
    engine.start(ScanJob(1, HOPELESS))
    assert results.until(ScanLost) == ScanLost(1)
    assert engine.failed
    engine.stop()
    assert results.rest() == []
    engine.start(ScanJob(2, EASY))
    results.until(ScanLost)


def test_a_scan_without_memory_is_lost_once_and_its_kernel_stays(
    results: Results, build: Build
) -> None:
    engine = build(Kernel("best", FailingScan(MemoryError())), PYTHON, threads=3)
    engine.start(ScanJob(1, HOPELESS))
    assert results.until(ScanLost) == ScanLost(1)
    engine.start(ScanJob(2, EASY))
    assert results.until(ScanFound).job_id == 2
    engine.stop()
    assert (engine.name, engine.note) == ("best", "")
    assert not [each for each in (*results.messages[1:], *results.rest()) if each == ScanLost(1)]


def test_the_name_is_asked_for_while_the_last_kernel_fails(build: Build) -> None:
    """The kernels are taken away behind the first of them that is seen."""
    engine = build(PYTHON)

    class Failing(tuple[Kernel, ...]):
        __slots__ = ()

        def __bool__(self) -> bool:
            engine._kernels = ()
            return True

    engine._kernels = Failing((PYTHON,))
    assert engine.name == "python"
