from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import __main__ as program
from tests.bench.figure import Bench, Figure, at_least, at_most, quantile

RATE = Figure("blocks, synced", 1234.5, "blocks/s", at_least(1_000))
SLOW = Figure("a block, committed", 3.25, "ms", at_most(3))
PLAIN = Figure("this machine", 7.0, "1/s")


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    def part(_bench: Bench) -> Iterator[Figure]:
        yield from (RATE, SLOW, PLAIN)

    monkeypatch.setattr(program, "PARTS", {"one": part})
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    program.main()


@pytest.mark.parametrize(
    ("figure", "is_met"),
    [
        (RATE, True),
        (RATE._replace(value=1_000), True),
        (RATE._replace(value=999.9), False),
        (SLOW, False),
        (SLOW._replace(value=3), True),
        (PLAIN, None),
    ],
)
def test_a_target_is_a_bound_from_below_or_from_above(figure: Figure, is_met: bool | None) -> None:
    assert figure.is_met is is_met


def test_a_line_shows_value_target_and_whether_it_is_met() -> None:
    assert RATE.line().split() == [
        "blocks,",
        "synced",
        "1,234.50",
        "blocks/s",
        ">=",
        "1,000",
        "met",
    ]
    assert SLOW.line().split() == ["a", "block,", "committed", "3.25", "ms", "<=", "3", "MISSED"]
    assert PLAIN.line().split() == ["this", "machine", "7.00", "1/s"]


def test_the_values_of_a_table_stand_in_one_column() -> None:
    ends = {figure.line().index(f" {figure.unit}") for figure in (RATE, SLOW, PLAIN)}
    assert len(ends) == 1


def test_the_table_ends_with_what_is_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch)
    *lines, count, missed = capsys.readouterr().out.splitlines()
    assert lines == [RATE.line(), SLOW.line(), PLAIN.line()]
    assert count == "1 of 2 targets met"
    assert missed == "missed: a block, committed: 3.25 ms, to be <= 3"


def test_json_is_one_array_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--json", "one")
    assert json.loads(capsys.readouterr().out) == [
        {
            "what": "blocks, synced",
            "value": 1234.5,
            "unit": "blocks/s",
            "target": {"at_least": 1000},
            "met": True,
        },
        {
            "what": "a block, committed",
            "value": 3.25,
            "unit": "ms",
            "target": {"at_most": 3},
            "met": False,
        },
        {"what": "this machine", "value": 7.0, "unit": "1/s", "target": None, "met": None},
    ]


def test_the_array_can_be_kept_in_a_file_beside_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "bench.json"
    run(monkeypatch, "--save", str(file))
    assert capsys.readouterr().out.startswith(RATE.line())
    assert [each["what"] for each in json.loads(file.read_text())] == [
        RATE.what,
        SLOW.what,
        PLAIN.what,
    ]


def test_a_part_that_fails_is_told_and_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(_bench: Bench) -> Iterator[Figure]:
        yield PLAIN
        message = "the node stays at 5"
        raise TimeoutError(message)

    def good(_bench: Bench) -> Iterator[Figure]:
        yield RATE

    monkeypatch.setattr(program, "PARTS", {"first": failing, "second": good})
    monkeypatch.setattr(sys, "argv", ["bench"])
    with pytest.raises(SystemExit) as end:
        program.main()
    assert end.value.code == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        PLAIN.line(),
        RATE.line(),
        "1 of 1 targets met",
        "failed: first: the node stays at 5",
    ]
    assert "Traceback" in said.err


def test_a_part_that_is_told_to_end_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    folders, ended = [], []

    def part(bench: Bench) -> Iterator[Figure]:
        folders.append(bench.folder)
        try:
            signal.raise_signal(signal.SIGTERM)
            yield PLAIN
        finally:
            ended.append(bench.folder.exists())

    monkeypatch.setattr(program, "PARTS", {"one": part})
    monkeypatch.setattr(sys, "argv", ["bench"])
    with pytest.raises(KeyboardInterrupt):
        program.main()
    assert ended == [True], "it let go of what it had before its folder went"
    assert not folders[0].exists()


def test_a_part_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "two")
    assert "no such part: two" in capsys.readouterr().err


def test_a_small_share_still_measures_something(tmp_path: Path) -> None:
    assert Bench(tmp_path).size(1_000) == 1_000
    assert Bench(tmp_path, 0.01).size(1_000) == 10
    assert Bench(tmp_path, 0.01).size(10, least=3) == 3
    assert (Bench(tmp_path).runs(3), Bench(tmp_path, 0.01).runs(3)) == (3, 1)


def test_a_quantile_is_a_value_that_was_measured() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile(map(float, range(100)), 0.99) == 99.0
    assert quantile([1.0], 0.99) == 1.0
