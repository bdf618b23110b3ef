"""How a node is found, and what is said when a call fails: real command lines, real gRPC."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from troupe.admin.v1 import (
    errors_pb2,
    node_service_pb2,
)

from admin.cli.exits import ExitCode
from admin.errors import CODES, Refusal
from tests.unit.cli.fake_node import TOKEN
from tests.unit.cli.shell import Shell, shell_of_a_node

KEY = "ab" * 32
NODE = node_service_pb2.Node(name="troupe", state=node_service_pb2.NODE_STATE_READY)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


def unused_address() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


# -- finding the node -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "--data-dir {dir} status",
        "status --data-dir {dir}",
        "--data-dir /nowhere status --data-dir {dir}",
        "--admin {admin} --token-file {token} status",
        "status --admin {admin} --token-file {token}",
        "--admin {admin} status --token-file {token}",
        "--token-file {token} status --data-dir {dir}",
    ],
)
def test_a_node_is_named_before_or_after_the_subcommand(shell: Shell, line: str) -> None:
    shell.answers(GetNode=node_service_pb2.GetNodeResponse(node=NODE))
    token = shell.directory / "somebody.token"
    token.write_text(TOKEN)
    (shell.directory / "admin.address").read_text()
    admin = (shell.directory / "admin.address").read_text().strip()
    words = line.format(dir=shell.directory, admin=admin, token=token)
    result = shell(words, TROUPE_DATA_DIR="/nowhere")
    assert result.exit_code == 0, result.stderr


def test_the_environment_names_the_data_directory(shell: Shell) -> None:
    shell.answers(GetNode=node_service_pb2.GetNodeResponse(node=NODE))
    assert shell("status").exit_code == 0


def test_no_node_on_a_directory_is_said_in_a_sentence(shell: Shell) -> None:
    result = shell(f"status --data-dir {shell.directory}/none")
    assert result.exit_code == ExitCode.FAILED
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: no node is running on {shell.directory}/none; start")


def test_a_node_that_was_killed_is_not_running(shell: Shell) -> None:
    (shell.directory / "admin.address").write_text(unused_address())
    result = shell("status")
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr == f"Error: no node is running on {shell.directory}\n"


def test_whoever_has_the_port_of_a_node_that_was_killed_is_not_called(shell: Shell) -> None:
    shell.answers(GetNode=node_service_pb2.GetNodeResponse(node=NODE))
    with (shell.directory / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert shell("status").exit_code == 0
    shell.node.requests.clear()
    result = shell("status")
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr == f"Error: no node is running on {shell.directory}\n"
    assert shell.node.requests == []


@pytest.mark.parametrize("host", ["[::1]", "localhost", "127.0.0.2"])
def test_whatever_can_be_served_can_be_called(shell: Shell, host: str) -> None:
    port = unused_address().rpartition(":")[2]
    assert shell(f"status --admin {host}:{port}").exit_code == ExitCode.FAILED
    assert shell(f"status --admin {host}:0").exit_code == ExitCode.USAGE


def test_nothing_at_an_address_is_said_with_the_address(shell: Shell) -> None:
    address = unused_address()
    result = shell(f"status --admin {address}")
    assert result.stderr == f"Error: no node is running at {address}\n"


def test_a_token_that_cannot_be_read_is_unauthorised(shell: Shell) -> None:
    result = shell(f"status --token-file {shell.directory}/none")
    assert result.exit_code == ExitCode.UNAUTHORISED
    assert "cannot read the token" in result.stderr
    empty = shell.directory / "empty"
    empty.write_text("\n")
    assert shell(f"status --token-file {empty}").exit_code == ExitCode.UNAUTHORISED


def test_a_wrong_token_is_unauthorised(shell: Shell) -> None:
    wrong = shell.directory / "wrong"
    wrong.write_text("guess")
    result = shell(f"status --token-file {wrong}")
    assert result.exit_code == ExitCode.UNAUTHORISED
    assert "[TOKEN_INVALID]" in result.stderr


def test_a_proxy_of_the_environment_is_not_asked(shell: Shell) -> None:
    shell.answers(GetNode=node_service_pb2.GetNodeResponse(node=NODE))
    assert shell("status", http_proxy=f"http://{unused_address()}").exit_code == 0


# -- errors ---------------------------------------------------------------------------------------


EXITS = {
    "INVALID_ARGUMENT": ExitCode.USAGE,
    "OUT_OF_RANGE": ExitCode.USAGE,
    "NOT_FOUND": ExitCode.NOT_FOUND,
    "ALREADY_EXISTS": ExitCode.REJECTED,
    "FAILED_PRECONDITION": ExitCode.REJECTED,
    "UNAUTHENTICATED": ExitCode.UNAUTHORISED,
    "PERMISSION_DENIED": ExitCode.UNAUTHORISED,
    "RESOURCE_EXHAUSTED": ExitCode.TRY_AGAIN,
    "UNAVAILABLE": ExitCode.TRY_AGAIN,
    "ABORTED": ExitCode.TRY_AGAIN,
    "DEADLINE_EXCEEDED": ExitCode.TIMED_OUT,
    "DATA_LOSS": ExitCode.FAILED,
    "INTERNAL": ExitCode.FAILED,
}


@pytest.mark.parametrize("reason", CODES, ids=errors_pb2.ErrorReason.Name)
def test_every_reason_has_its_exit_code_and_one_line(
    shell: Shell, reason: errors_pb2.ErrorReason.ValueType
) -> None:
    shell.answers(GetNode=Refusal(reason, "the node says why"))
    result = shell("status")
    assert result.exit_code == EXITS[CODES[reason].name]
    assert result.stdout == ""
    assert result.stderr.startswith("Error: the node says why")
    assert result.stderr.endswith(
        f"[{errors_pb2.ErrorReason.Name(reason).removeprefix('ERROR_REASON_')}]\n"
    )
    assert result.stderr.count("\n") == 1


def test_a_rejection_names_its_rule(shell: Shell) -> None:
    refusal = Refusal(errors_pb2.ERROR_REASON_TX_REJECTED, "not enough", rule="balance", tx_id="ab")
    shell.answers(Transfer=refusal)
    result = shell(f"send {KEY} 5")
    assert result.exit_code == ExitCode.REJECTED
    assert result.stderr == "Error: not enough [TX_REJECTED: balance]\n"


def test_a_bug_is_reported_with_its_id(shell: Shell) -> None:
    shell.answers(GetNode=Refusal(errors_pb2.ERROR_REASON_INTERNAL, "a bug", error_id="e-77"))
    assert "e-77" in shell("status").stderr


def test_a_server_that_lacks_the_method_is_of_another_version(shell: Shell) -> None:
    result = shell("status")
    assert result.exit_code == ExitCode.FAILED
    assert "another version" in result.stderr


def test_bad_words_never_reach_the_node(shell: Shell) -> None:
    lines = (
        "block xyz",
        f"send {KEY} -1",
        "send AB 1",
        "mine 0",
        "tx 00",
        "account 0",
        "peers connect a",
    )
    for line in lines:
        assert shell(line).exit_code == ExitCode.USAGE, line
    assert shell.node.requests == []
