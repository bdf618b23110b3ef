"""``troupe backup`` over the wire; ``troupe restore``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from troupe.admin.v1 import chain_service_pb2 as pb
from troupe.admin.v1 import errors_pb2

from actors.chain.backup import copy_store, drafted, tip_of
from actors.chain.importer import Importer
from actors.chain.repair import ready_at
from actors.chain.store import Store
from actors.datadir import DataDir
from admin import convert
from admin.cli.exits import ExitCode
from admin.errors import Refusal
from tests.support.chains import EASY, mine_chain
from tests.unit.cli.shell import Shell, shell_of_a_node

CHAIN = mine_chain(EASY, EASY.genesis.ref, 50)
TIP = convert.block_ref(CHAIN[-1].ref)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


def backed_up(path: str) -> list[pb.CreateBackupResponse]:
    copying = pb.JobProgress(unit=pb.PROGRESS_UNIT_BYTES, done_count=4096, total_count=8192)
    made = pb.Backup(path=path, size_bytes=8192, tip=TIP, verified=True)
    return [
        pb.CreateBackupResponse(progress=copying),
        pb.CreateBackupResponse(progress=copying, backup=made),
    ]


def test_a_backup_is_asked_for_by_its_whole_path(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.answers(CreateBackup=lambda request: backed_up(request.path or "/its/own.db"))
    monkeypatch.chdir(tmp_path)
    result = shell("backup one.db --verify")
    assert f"{tmp_path}/one.db" in result.stdout
    assert "8,192 bytes" in result.stdout
    assert shell.data("backup")["path"] == "/its/own.db"
    first, second = shell.node.asked("CreateBackup")
    assert (first.path, first.verify) == (f"{tmp_path}/one.db", True)
    assert (second.path, second.verify) == ("", False)
    *progress, last = map(json.loads, shell("backup -o jsonl").stdout.splitlines())
    assert [each["progress"]["unit"] for each in progress] == ["bytes", "bytes"]
    assert last["size_bytes"] == 8192


def test_a_backup_may_be_named_by_a_way_up(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.answers(CreateBackup=lambda request: backed_up(request.path))
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    assert shell.data("backup ../one.db")["path"] == f"{tmp_path}/one.db"


def test_a_refused_backup_says_why(shell: Shell) -> None:
    shell.answers(CreateBackup=[Refusal(errors_pb2.ERROR_REASON_BACKUP_EXISTS, "it is there")])
    result = shell("backup")
    assert result.exit_code == ExitCode.REJECTED
    assert "it is there [BACKUP_EXISTS]" in result.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A backup, as the node makes one."""
    store = Store.open(tmp_path / "source.db", EASY)
    Importer(store, EASY).add(CHAIN[:50])
    with drafted(tmp_path / "copy.db") as draft:
        copy_store(tmp_path / "source.db", draft, EASY, lambda _done, _total: None)
    store.close()
    return tmp_path / "copy.db"


def test_a_backup_is_restored_to_a_directory_without_a_chain(shell: Shell, copy: Path) -> None:
    directory = shell.directory / "new"
    data = shell.data(f"restore {copy} --data-dir {directory}")
    place = directory / "chain.db"
    assert data["path"] == str(place)
    assert data["tip"] == {"number": 50, "hash": CHAIN[49].hash.hex()}
    assert tip_of(place, EASY) == CHAIN[49].ref
    assert place.stat().st_mode & 0o777 == 0o600
    assert shell(f"verify --data-dir {directory}").exit_code == 0


def test_a_chain_is_never_restored_over_another(shell: Shell, copy: Path) -> None:
    directory = shell.directory / "new"
    directory.mkdir()
    (directory / "chain.db").write_bytes(b"mine")
    result = shell(f"restore {copy} --data-dir {directory}")
    assert result.exit_code == ExitCode.FAILED
    assert "there is a chain in" in result.stderr
    assert (directory / "chain.db").read_bytes() == b"mine"


def test_no_chain_is_restored_beside_the_rest_of_another(shell: Shell, copy: Path) -> None:
    directory = shell.directory / "new"
    directory.mkdir()
    (directory / "chain.db-wal").write_bytes(b"of a node that was killed")
    result = shell(f"restore {copy} --data-dir {directory}")
    assert result.exit_code == ExitCode.FAILED
    assert "move its chain.db* files away" in result.stderr
    assert not (directory / "chain.db").exists()


def test_no_chain_is_restored_that_the_next_start_would_replace(shell: Shell, copy: Path) -> None:
    directory = shell.directory / "new"
    directory.mkdir()
    ready_at(directory / "chain.db").write_bytes(b"of a repair that was killed in the end")
    result = shell(f"restore {copy} --data-dir {directory}")
    assert result.exit_code == ExitCode.FAILED
    assert "move its chain.db* files away" in result.stderr
    assert not (directory / "chain.db").exists()


def test_nothing_is_restored_under_a_running_node(shell: Shell, copy: Path) -> None:
    directory = shell.directory / "new"
    running = DataDir(directory)
    try:
        result = shell(f"restore {copy} --data-dir {directory}")
    finally:
        running.close()
    assert result.exit_code == ExitCode.FAILED
    assert "another troupe node is running" in result.stderr
    assert not (directory / "chain.db").exists()


@pytest.mark.parametrize("content", [b"", b"no database" * 1000, None])
def test_a_file_that_is_no_backup_is_not_restored(shell: Shell, content: bytes | None) -> None:
    path = shell.directory / "strange"
    if content is None:
        sqlite3.connect(path).execute("CREATE TABLE other (x)").connection.close()
    else:
        path.write_bytes(content)
    directory = shell.directory / "new"
    result = shell(f"restore {path} --data-dir {directory}")
    assert result.exit_code == ExitCode.FAILED
    assert f"{path} is no backup of a chain" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (directory / "chain.db").exists()
