from __future__ import annotations

import io
import json
import sys

import pytest
from click.testing import CliRunner

from admin.cli.options import Format
from admin.cli.output import Output
from admin.cli.progress import BYTES, job, progress


class Stderr(io.StringIO):
    """A terminal, or none."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def stderr_of(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> Stderr:
    stderr = Stderr(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return stderr


def test_a_terminal_shows_a_bar_with_its_noun(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = stderr_of(monkeypatch, terminal=True)
    with progress("mining", 4, "blocks") as advance:
        advance(2)
        advance(4)
    assert "mining" in stderr.getvalue()
    assert "4/4" in stderr.getvalue()
    assert "blocks" in stderr.getvalue()


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE", "NOTHING"])
def test_a_pipe_gets_nothing_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    stderr = stderr_of(monkeypatch, terminal=False)
    monkeypatch.setenv(variable, "1")
    with progress("mining", 4, "blocks") as advance:
        advance(4)
    with job(Output(Format.TABLE), "copying") as show:
        show({"unit": "blocks", "done_count": 1, "total_count": 2})
    assert stderr.getvalue() == ""


def test_bytes_are_counted_in_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = stderr_of(monkeypatch, terminal=True)
    with job(Output(Format.TABLE), "backing up") as show:
        show({"unit": BYTES, "done_count": 10_000_000, "total_count": 10_000_000})
    assert "10.0/10.0 MB" in stderr.getvalue()


def test_a_job_may_count_one_thing_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = stderr_of(monkeypatch, terminal=True)
    with job(Output(Format.TABLE), "backing up") as show:
        show({"unit": BYTES, "done_count": 5_000_000, "total_count": 10_000_000})
        show({"unit": "blocks", "done_count": 0, "total_count": 0})
        show({"unit": "blocks", "done_count": 7, "total_count": 9})
    *_, last = stderr.getvalue().split("backing up")
    assert "7/9" in last
    assert "blocks" in last


@pytest.mark.parametrize(
    ("form", "count"), [(Format.TABLE, 0), (Format.JSON, 0), (Format.JSONL, 2)]
)
def test_json_lines_are_told_each_step(form: Format, count: int) -> None:
    with CliRunner().isolation() as streams:
        with job(Output(form), "verifying") as show:
            for done in (1, 2):
                show({"unit": "blocks", "done_count": done, "total_count": 2})
        lines = streams[0].getvalue().splitlines()
    assert [json.loads(line)["progress"]["done_count"] for line in lines] == [1, 2][:count]
