"""``troupe token`` against a real admin server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from admin.cli.exits import ExitCode
from admin.cli.main import cli
from admin.permissions import EVERYTHING, READING
from tests.support.admin_stage import AdminStage


class Shell:
    """Runs command lines against the stage."""

    def __init__(self, stage: AdminStage) -> None:
        self.folder = stage.data_dir

    def __call__(self, line: str) -> Result:
        environment = {"TROUPE_DATA_DIR": str(self.folder)}
        return CliRunner().invoke(cli, line.split(), env=environment)

    def text(self, line: str) -> str:
        result = self(line)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def data(self, line: str) -> Any:
        return json.loads(self.text(f"{line} -o json"))

    def refusal(self, line: str, code: ExitCode) -> str:
        result = self(line)
        assert result.exit_code == code, result.output
        return result.stderr


@pytest.fixture
def shell(stage: AdminStage) -> Shell:
    return Shell(stage)


def test_a_token_is_made_shown_once_and_used(shell: Shell) -> None:
    text = shell.text("token create one --permission node:read --permission chain:read --ttl 2h")
    assert "It is not shown again." in text
    data = shell.data("token create two --permission chain:read")
    assert data["token"]["expire_time"] is None
    (shell.folder / "two.token").write_text(data["secret"])
    mine = shell.data(f"token show --token-file {shell.folder}/two.token")
    assert (mine["name"], mine["permissions"]) == ("two", ["caller:read", "chain:read"])
    listed = shell.text("token list")
    assert data["secret"] not in listed
    assert [line.split()[0] for line in listed.splitlines()] == [
        "NAME",
        "admin",
        "one",
        "readonly",
        "two",
    ]


def test_show_tells_all_that_the_token_permits(shell: Shell) -> None:
    text = shell.text("token show")
    assert all(permission in text for permission in EVERYTHING)


def test_a_token_can_be_given_whatever_one_reads_or_may(shell: Shell) -> None:
    reader = shell.data("token create reader --read-only")["token"]
    assert set(reader["permissions"]) == READING
    deputy = shell.data("token create deputy --all --ttl 1d")["token"]
    assert set(deputy["permissions"]) == EVERYTHING


def test_a_secret_can_go_to_a_file_and_nowhere_else(shell: Shell) -> None:
    file = shell.folder / "one.token"
    result = shell(f"token create one --read-only --file {file}")
    assert result.exit_code == 0
    secret = file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in result.output
    assert shell.data(f"token show --token-file {file}")["name"] == "one"
    data = shell.data(f"token create two --read-only --file {shell.folder}/two.token")
    assert "secret" not in data
    assert "exists already" in shell.refusal(
        f"token create three --read-only --file {file}", ExitCode.USAGE
    )


def test_a_token_is_deleted_by_name_or_by_id(shell: Shell) -> None:
    for line in ("one", "{}"):
        made = shell.data("token create one --read-only")
        deleted = shell.data(f"token delete {line.format(made['token']['id'])}")
        assert (deleted["name"], deleted["deleted"]) == ("one", True)
    assert "TOKEN_NOT_FOUND" in shell.refusal("token delete one", ExitCode.NOT_FOUND)
    assert "TOKEN_PROTECTED" in shell.refusal("token delete admin", ExitCode.REJECTED)


def test_an_ambiguous_name_deletes_nothing(shell: Shell) -> None:
    first = shell.data("token create one --read-only")["token"]
    shell.text(f"token create {first['id']} --read-only")
    assert "is the name of one" in shell.refusal(f"token delete {first['id']}", ExitCode.USAGE)
    assert len(shell.data("token list")) == 4


@pytest.mark.parametrize(
    "line",
    [
        "token create one",
        "token create one --read-only --all",
        "token create one --read-only --permission chain:read",
        "token create one --read-only --ttl 5",
        "token create one --read-only --ttl 0s",
        "token create one --permission chain:eat",
        "token create -- -one --read-only",
    ],
)
def test_what_makes_no_token_is_a_wrong_use(shell: Shell, line: str) -> None:
    shell.refusal(line, ExitCode.USAGE)
    assert len(shell.data("token list")) == 2


def test_a_reader_may_look_and_not_touch(shell: Shell) -> None:
    reader = f"--token-file {shell.folder}/readonly.token"
    assert len(shell.data(f"token list {reader}")) == 2
    for line in ("token create one --read-only", "token delete admin"):
        said = shell.refusal(f"{line} {reader}", ExitCode.UNAUTHORISED)
        assert "PERMISSION_MISSING" in said


def test_an_unwritable_file_makes_no_secret_lost_in_silence(shell: Shell, tmp_path: Path) -> None:
    line = f"token create one --read-only --file {tmp_path}/none/one.token"
    assert "delete it" in shell.refusal(line, ExitCode.FAILED)
