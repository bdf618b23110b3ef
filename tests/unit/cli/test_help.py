from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from admin.cli.exits import ExitCode
from admin.cli.main import cli


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            child = command.get_command(ctx, name)
            assert child is not None
            yield from commands(child, (*path, name))


ALL = dict(commands(cli))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_help_page_works_and_shows_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"], prog_name="troupe")
    assert result.exit_code == 0
    if path != ("submit",):
        assert "Example" in result.output
        assert f"troupe {' '.join(path)}".strip() in result.output.split("Example")[1]


def test_short_help_is_never_cut_off() -> None:
    page = CliRunner().invoke(cli, ["--help"]).output
    assert [line for line in page.splitlines() if line.endswith("...")] == [page.splitlines()[0]]


def test_the_exit_codes_are_documented() -> None:
    page = CliRunner().invoke(cli, ["--help"]).output
    for code in ExitCode:
        assert f"{int(code):>3}  {code.meaning}" in page


def test_the_exit_codes_stay_as_they_are() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "NOT_FOUND": 3,
        "REJECTED": 4,
        "UNAUTHORISED": 5,
        "TRY_AGAIN": 6,
        "TIMED_OUT": 7,
        "INTERRUPTED": 130,
    }


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(cli, ["statsu"])
    assert result.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_completion_script(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert "_TROUPE_COMPLETE" in result.stdout


def test_completion_knows_the_commands() -> None:
    environment = {
        "_TROUPE_COMPLETE": "bash_complete",
        "COMP_WORDS": "troupe miner st",
        "COMP_CWORD": "2",
    }
    result = CliRunner().invoke(
        cli, [], prog_name="troupe", env=environment, complete_var="_TROUPE_COMPLETE"
    )
    assert result.stdout.split() == ["plain,start", "plain,status", "plain,stop"]
