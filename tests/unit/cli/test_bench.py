"""``troupe bench`` to its end, with rounds of a few milliseconds."""

from __future__ import annotations

import errno
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from actors.chain.bench import Counts, measure_store
from actors.miner import native
from actors.miner.engines import plan_engine
from admin.cli import bench
from admin.cli.exits import ExitCode
from admin.cli.main import cli

KEYS = [
    "kernel",
    "threads",
    "transactions",
    "mh_per_s",
    "hashlib_mh_per_s",
    "ratio",
    "selected",
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real clock and the real scan, but one short round of each."""
    monkeypatch.setattr(bench, "TIMING", replace(bench.TIMING, rounds=1, round_s=0.002))
    monkeypatch.setattr(bench, "COUNTS", Counts(rounds=1, signatures=4, commits=3))
    monkeypatch.delenv("TROUPE_KERNEL", raising=False)


def bench_pow(*words: str) -> Result:
    result = CliRunner().invoke(cli, ["bench", "pow", *words])
    assert result.exit_code == 0, result.stderr
    return result


def kernel_names() -> list[str]:
    return [each.name for each in native.kernels()]


def test_json_is_one_array_of_rows_with_the_promised_keys() -> None:
    rows = json.loads(bench_pow("-o", "json").stdout)
    assert isinstance(rows, list)
    assert rows
    for row in rows:
        assert list(row) == KEYS
        assert row["mh_per_s"] > 0
        assert row["hashlib_mh_per_s"] > 0
        assert row["ratio"] == pytest.approx(row["mh_per_s"] / row["hashlib_mh_per_s"])
        assert type(row["selected"]) is bool


def test_every_kernel_of_this_processor_is_measured_on_one_thread_and_on_all() -> None:
    rows = json.loads(bench_pow("-o", "json").stdout)
    counts = bench.thread_counts() if kernel_names() else (1,)
    assert [(row["kernel"], row["threads"], row["transactions"]) for row in rows] == [
        (kernel, threads, transactions)
        for kernel in kernel_names() or ["hashlib"]
        for threads in counts
        for transactions in (0, 10)
    ]


def test_the_selected_kernel_is_the_one_that_mining_would_use() -> None:
    plan = plan_engine()
    used = plan.kernels[0].name if plan.kernels else "hashlib"
    rows = json.loads(bench_pow("-o", "json").stdout)
    assert {row["kernel"] for row in rows if row["selected"]} == {used}


@pytest.mark.parametrize("by_flag", [True, False])
def test_the_kernel_setting_moves_the_selection(
    monkeypatch: pytest.MonkeyPatch, by_flag: bool
) -> None:
    wanted = kernel_names()[-1] if kernel_names() else "hashlib"
    if not by_flag:
        monkeypatch.setenv("TROUPE_KERNEL", wanted)
    rows = json.loads(bench_pow("-o", "json", *(["--kernel", wanted] if by_flag else [])).stdout)
    assert {row["kernel"] for row in rows if row["selected"]} == {wanted}


def test_hashlib_has_rows_where_it_is_what_mines_and_a_note_says_why() -> None:
    result = bench_pow("-o", "json", "--kernel", "hashlib")
    selected = [row for row in json.loads(result.stdout) if row["selected"]]
    assert [(row["kernel"], row["threads"], row["ratio"]) for row in selected] == [
        ("hashlib", 1, 1.0)
    ] * 2
    assert plan_engine("hashlib").note in result.stderr


def test_without_the_extension_hashlib_is_measured_and_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native, "MISSING", "no module of that name")
    result = bench_pow("-o", "json")
    rows = json.loads(result.stdout)
    assert [(row["kernel"], row["selected"]) for row in rows] == [("hashlib", True)] * 2
    assert "no module of that name" in result.stderr


def test_lines_are_a_document_each() -> None:
    lines = bench_pow("-o", "jsonl").stdout.splitlines()
    assert [list(json.loads(line)) for line in lines] == [KEYS] * len(lines)


def test_people_get_a_table() -> None:
    head, *lines = bench_pow().stdout.splitlines()
    assert head.split() == [
        *("KERNEL", "THREADS", "TRANSACTIONS"),
        *("MH/S", "HASHLIB", "MH/S", "RATIO", "SELECTED"),
    ]
    assert {line.split()[0] for line in lines} == {*(kernel_names() or ["hashlib"])}


def test_a_kernel_that_this_machine_lacks_is_said_in_a_sentence() -> None:
    foreign = next(each for each in ("armv8", "avx512") if each not in kernel_names())
    result = CliRunner().invoke(cli, ["bench", "pow", "--kernel", foreign])
    assert result.exit_code == ExitCode.FAILED
    assert foreign in result.stderr


def run(*words: str) -> Result:
    result = CliRunner().invoke(cli, ["bench", *words])
    assert result.exit_code == 0, result.stderr
    return result


def test_signatures_of_each_key_scheme_on_one_thread_and_on_all() -> None:
    rows = json.loads(run("signatures", "-o", "json").stdout)
    assert [(row["scheme"], row["threads"]) for row in rows] == [
        (scheme, threads)
        for scheme in ("ed25519", "p192-sha1")
        for threads in bench.thread_counts()
    ]
    assert all(row["signatures_per_s"] > 0 for row in rows)


def test_people_get_a_table_of_signatures() -> None:
    head, *lines = run("signatures").stdout.splitlines()
    assert head.split() == ["SCHEME", "THREADS", "SIGNATURES/S"]
    assert {line.split()[0] for line in lines} == {"ed25519", "p192-sha1"}


def test_a_commit_and_a_flush_on_the_disk_of_a_folder_that_stays_as_it_was(tmp_path: Path) -> None:
    rows = json.loads(run("store", str(tmp_path), "-o", "json").stdout)
    assert [row["what"] for row in rows] == ["commit a block of 10", "flush a page of a file"]
    assert all(0 < row["p50_ms"] <= row["p99_ms"] for row in rows)
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_it_is_the_disk_of_the_data_directory_which_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Path] = []

    def noted(folder: Path, *rest: Any) -> Any:
        measured.append(folder.parent)
        return measure_store(folder, *rest)

    monkeypatch.setattr(bench, "measure_store", noted)
    (tmp_path / "there").mkdir()
    run("store", "--data-dir", str(tmp_path / "there"))
    run("store", "--data-dir", str(tmp_path / "not" / "yet"))
    assert measured == [tmp_path / "there", tmp_path]
    assert [each.name for each in tmp_path.iterdir()] == ["there"]


def test_people_get_a_table_of_writes(tmp_path: Path) -> None:
    head, *lines = run("store", str(tmp_path)).stdout.splitlines()
    assert head.split() == ["WRITE", "P50", "MS", "P99", "MS"]
    assert len(lines) == 2


def test_a_disk_that_fails_is_said_in_a_sentence_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = CliRunner().invoke(cli, ["bench", "store", str(tmp_path)])
    assert result.exit_code == ExitCode.FAILED
    assert str(tmp_path) in result.stderr
    assert os.strerror(errno.ENOSPC) in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_measurement_that_is_told_to_end_leaves_nothing_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_descriptor: int) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(os, "fsync", end)
    result = CliRunner().invoke(cli, ["bench", "store", str(tmp_path)])
    assert result.exit_code != ExitCode.OK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["pow", "extra"],
        ["pow", "-o", "yaml"],
        ["pow", "--kernel", "mmx"],
        ["signatures", "extra"],
        ["store", "no such folder"],
        ["memory"],
        [],
    ],
)
def test_other_words_are_a_usage_error(words: list[str]) -> None:
    assert CliRunner().invoke(cli, ["bench", *words]).exit_code == ExitCode.USAGE


def test_threads_are_one_and_all_processors_that_we_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3}, raising=False)
    assert bench.thread_counts() == (1,)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 5, 7}, raising=False)
    assert bench.thread_counts() == (1, 3)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert bench.thread_counts() == (1,)
