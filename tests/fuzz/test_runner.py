"""What `make fuzz` says, with atheris and without."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz import __main__ as runner
from tests.fuzz.draw import Draw

LACKS_ATHERIS = find_spec("atheris") is None


def test_without_atheris_it_is_left_out_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "argv", ["fuzz"])
    runner.main()
    assert capsys.readouterr().out.startswith("left out: coverage-guided fuzzing")


@pytest.mark.skipif(LACKS_ATHERIS, reason="there is no atheris here")
def test_a_target_is_played_and_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    outcome = runner.fuzz("page_tokens", 1)
    assert (outcome.output, outcome.failed) == ("", ())
    assert outcome.inputs > 0


@pytest.mark.skipif(LACKS_ATHERIS, reason="there is no atheris here")
def test_a_target_that_cannot_begin_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    outcome = runner.fuzz("none_such", 1)
    assert "none_such" in outcome.output


def test_a_draw_that_is_over_gives_the_first_of_everything() -> None:
    draw = Draw(b"\x01\x00\x02ab")
    assert (draw.below(3), draw.blob()) == (1, b"ab")
    assert not draw
    assert (draw.number(4), draw.pick("xyz"), draw.blob(), draw.rest()) == (0, "x", b"", b"")
