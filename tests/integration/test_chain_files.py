"""Whole chains moved between real nodes: export and import, backup and restore."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from admin.cli.exits import ExitCode
from tests.support.process import (
    ENVIRONMENT,
    TROUPE,
    WAIT_TIMEOUT_S,
    NodeProcess,
    easy_network_file,
    troupe,
)

BLOCKS = 600
FIRST_CHUNK_BLOCKS = 300
"""More than the command sends in one message."""


@pytest.fixture
def network_file(tmp_path: Path) -> str:
    return str(easy_network_file(tmp_path))


def run(folder: Path, network_file: str) -> NodeProcess:
    return NodeProcess(folder, "--network-file", network_file)


def command(node: NodeProcess, *words: str) -> subprocess.CompletedProcess[str]:
    return troupe(*words, "--data-dir", str(node.data_dir))


def piped(node: NodeProcess, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (*TROUPE, *words, "--data-dir", str(node.data_dir)),
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_chain_is_exported_into_a_fresh_node(tmp_path: Path, network_file: str) -> None:
    with run(tmp_path / "a", network_file) as a, run(tmp_path / "b", network_file) as b:
        a.generate(BLOCKS - 1)
        a.transfer(b.wallet_address(), 77)
        a.generate(1)
        exporting = piped(a, "chain", "export", "-")
        importing = piped(b, "chain", "import", "-", "-o", "jsonl")
        text, errors = exporting.communicate(timeout=WAIT_TIMEOUT_S)
        assert exporting.returncode == 0, errors
        out, errors = importing.communicate(text, timeout=WAIT_TIMEOUT_S)
        assert importing.returncode == 0, errors
        last = json.loads(out.splitlines()[-1])
        assert (last["imported_count"], last["known_count"]) == (BLOCKS, 0)
        assert b.tip_hash() == a.tip_hash() == last["tip"]["hash"]
        assert b.account(b.wallet_address()) == (77, 0)
        verified = command(b, "chain", "verify", "-o", "json")
        assert verified.returncode == 0, verified.stderr
        assert json.loads(verified.stdout)["transaction_count"] == 1


def test_a_backup_is_the_chain_of_another_node(tmp_path: Path, network_file: str) -> None:
    copy, other = tmp_path / "copy.db", tmp_path / "b"
    with run(tmp_path / "a", network_file) as a:
        a.generate(20)
        made = command(a, "backup", str(copy), "--verify")
        assert made.returncode == 0, made.stderr
        at_backup = a.tip_hash()
        a.generate(1)
        restored = troupe("restore", str(copy), "--data-dir", str(other))
        assert restored.returncode == 0, restored.stderr
        with run(other, network_file) as b:
            assert b.tip_hash() == at_backup
            b.connect(a)
            b.await_tip(a.tip_hash())
        assert command(a, "backup", str(copy)).returncode == ExitCode.REJECTED


def test_a_copy_placed_by_hand_opens_as_well(tmp_path: Path, network_file: str) -> None:
    other = tmp_path / "b"
    other.mkdir()
    with run(tmp_path / "a", network_file) as a:
        a.generate(3)
        made = command(a, "backup", str(other / "chain.db"))
        assert made.returncode == 0, made.stderr
        with run(other, network_file) as b:
            assert b.tip_hash() == a.tip_hash()
            b.generate(1)
            assert b.height() == 4


def test_an_interrupted_import_keeps_what_came_and_can_be_begun_again(
    tmp_path: Path, network_file: str
) -> None:
    with run(tmp_path / "a", network_file) as a, run(tmp_path / "b", network_file) as b:
        a.generate(BLOCKS)
        file = tmp_path / "blocks.txt"
        exported = command(a, "chain", "export", str(file))
        assert exported.returncode == 0, exported.stderr
        importing = piped(b, "chain", "import", "-")
        assert importing.stdin is not None
        importing.stdin.writelines(file.read_bytes().splitlines(True)[: 1 + FIRST_CHUNK_BLOCKS])
        importing.stdin.flush()
        b.await_height(1)
        importing.send_signal(signal.SIGINT)
        importing.wait(WAIT_TIMEOUT_S)  # with its standard input open, where a thread of it waits
        _, errors = importing.communicate(timeout=WAIT_TIMEOUT_S)
        assert importing.returncode == ExitCode.INTERRUPTED, errors
        assert b"interrupted" in errors
        again = command(b, "chain", "import", str(file), "-o", "json")
        deadline_s = time.monotonic() + WAIT_TIMEOUT_S
        while again.returncode == ExitCode.TRY_AGAIN and time.monotonic() < deadline_s:
            again = command(b, "chain", "import", str(file), "-o", "json")  # it is ending still
        assert again.returncode == 0, again.stderr
        result = json.loads(again.stdout)
        assert result["known_count"] > 0
        assert result["known_count"] + result["imported_count"] == BLOCKS
        assert b.tip_hash() == a.tip_hash()


def test_an_export_of_another_network_is_refused(tmp_path: Path, network_file: str) -> None:
    harder = tmp_path / "harder.toml"
    harder.write_text(Path(network_file).read_text().replace("difficulty = 3", "difficulty = 4"))
    with run(tmp_path / "a", network_file) as a, run(tmp_path / "b", str(harder)) as b:
        a.generate(1)
        file = tmp_path / "blocks.txt"
        assert command(a, "chain", "export", str(file)).returncode == 0
        refused = command(b, "chain", "import", str(file))
        assert refused.returncode == ExitCode.REJECTED
        assert "[WRONG_NETWORK]" in refused.stderr
        assert b.height() == 0
