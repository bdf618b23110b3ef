"""Which engine a node gets, and what it says of it."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.config import KERNEL_CHOICES, MinerSettings, Settings
from actors.ledger.network import DEV
from actors.miner import native
from actors.miner.engine import ScanEngine, ScanFound, ScanJob, ScanLost
from actors.miner.engines import (
    ALL_FAILED,
    FORCED,
    EnginePlan,
    NoKernelError,
    plan_engine,
)
from actors.miner.native import Kernel
from actors.miner.scan import Template, scan
from actors.node import Node, StartError
from tests.support.scan_results import Results

EASY = Template(b"2:", b":" + b"s" * 130, 3)


def in_python(
    template: Template, first: int, count: int, cancel: bytearray, /
) -> tuple[int | None, int]:
    return scan(template, first, count, lambda: bool(cancel[0]))


def broken(
    _template: Template, _first: int, _count: int, _cancel: bytearray, /
) -> tuple[int | None, int]:
    raise ValueError


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has two kernels."""
    there = (Kernel("avx2", in_python), Kernel("portable", in_python))
    monkeypatch.setattr(native, "MISSING", "")
    monkeypatch.setattr(native, "kernels", lambda: there)


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture
def stopping() -> Iterator[list[ScanEngine]]:
    engines: list[ScanEngine] = []
    yield engines
    for each in engines:
        each.stop()


def names(plan: EnginePlan) -> list[str]:
    return [each.name for each in plan.kernels]


@pytest.mark.usefixtures("machine")
def test_the_native_scan_is_chosen_where_there_is_one_with_its_kernels_in_order() -> None:
    assert names(plan_engine()) == ["avx2", "portable"]
    assert plan_engine().note == ""


@pytest.mark.usefixtures("machine")
def test_a_kernel_that_is_named_is_the_only_one() -> None:
    assert names(plan_engine("portable")) == ["portable"]


@pytest.mark.usefixtures("machine")
def test_a_kernel_that_is_not_there_is_an_error_which_names_those_that_are() -> None:
    with pytest.raises(NoKernelError, match=r"avx512 .*: avx2, portable, hashlib$"):
        plan_engine("avx512")


def test_a_kernel_that_is_named_and_fails_its_test_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native, "kernels", lambda: (Kernel("portable", broken),))
    with pytest.raises(NoKernelError):
        plan_engine("portable")


@pytest.mark.usefixtures("machine")
def test_hashlib_is_forced_by_its_name(results: Results) -> None:
    plan = plan_engine("hashlib")
    engine = plan.build(results.address, 1, time.monotonic)
    assert (engine.name, engine.native, engine.note) == ("hashlib", False, FORCED)


def test_without_a_sound_kernel_workers_scan_and_say_why(
    monkeypatch: pytest.MonkeyPatch, results: Results
) -> None:
    monkeypatch.setattr(native, "kernels", lambda: (Kernel("portable", broken),))
    monkeypatch.setattr(native, "MISSING", "")
    engine = plan_engine().build(results.address, 1, time.monotonic)
    assert (engine.name, engine.native, engine.note) == ("hashlib", False, ALL_FAILED)


def test_a_preferred_kernel_that_fails_its_test_is_named_in_the_note(
    monkeypatch: pytest.MonkeyPatch, results: Results
) -> None:
    there = (Kernel("avx512", broken), Kernel("avx2", broken), Kernel("portable", in_python))
    monkeypatch.setattr(native, "kernels", lambda: there)
    plan = plan_engine()
    note = "the avx512 and avx2 kernels failed, the log says how"
    assert (names(plan), plan.note) == (["portable"], note)
    assert plan.build(results.address, 1, time.monotonic).note == note


def test_without_the_extension_the_note_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(native, "MISSING", "No module named 'actors.miner._native'")
    plan = plan_engine()
    assert "No module named" in plan.note
    assert "C compiler" in plan.note
    with pytest.raises(NoKernelError, match=r"has: hashlib \(.*C compiler"):
        plan_engine("portable")
    with caplog.at_level(logging.INFO):
        plan.announce(2)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert plan.note in record.getMessage()


@pytest.mark.usefixtures("machine")
def test_the_log_names_the_kernel_and_the_threads(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        plan_engine().announce(3)
        plan_engine("hashlib").announce(3)
    native_one, forced = caplog.records
    assert (native_one.levelname, forced.levelname) == ("INFO", "INFO")
    assert "avx2, threads: 3" in native_one.getMessage()


def test_when_every_kernel_has_failed_the_next_job_goes_to_workers(
    results: Results, stopping: list[ScanEngine]
) -> None:
    engine = EnginePlan((Kernel("bad", broken),)).build(results.address, 1, time.monotonic)
    stopping.append(engine)
    engine.set_threads(2)
    engine.start(ScanJob(1, EASY))
    results.until(ScanLost)
    assert (engine.name, engine.native, engine.note) == ("hashlib", False, ALL_FAILED)
    engine.stop()
    engine.start(ScanJob(2, EASY))
    assert results.until(ScanFound).job_id == 2
    assert (engine.name, engine.native, engine.note) == ("hashlib", False, ALL_FAILED)


def test_the_job_after_a_failure_goes_to_workers_without_a_stop(
    results: Results, stopping: list[ScanEngine]
) -> None:
    engine = EnginePlan((Kernel("bad", broken),)).build(results.address, 2, time.monotonic)
    stopping.append(engine)
    engine.start(ScanJob(1, EASY))
    assert results.until(ScanLost) == ScanLost(1)
    engine.set_threads(1)
    engine.start(ScanJob(2, EASY))
    assert results.until(ScanFound).job_id == 2


def test_a_node_does_not_start_with_a_kernel_that_its_machine_lacks(tmp_path: Path) -> None:
    there = {each.name for each in native.kernels()}
    absent = next(name for name in KERNEL_CHOICES[1:-1] if name not in there)
    settings = Settings(tmp_path, network=DEV, miner=MinerSettings(kernel=absent))
    with pytest.raises(StartError, match=f"no sound kernel {absent}"):
        Node(settings).start()
    assert list(tmp_path.iterdir()) == []
