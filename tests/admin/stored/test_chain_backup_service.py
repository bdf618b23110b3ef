"""CreateBackup over the wire, of a real store."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import grpc
import pytest
from troupe.admin.v1 import chain_service_pb2 as pb

from actors.chain.store import Store
from tests.support.admin_stage import AdminStage, refusal_of, staged
from tests.support.chains import EASY
from tests.support.stored_chain import CHAIN, ChainServiceStub


@pytest.mark.parametrize("verify", [False, True])
def test_a_backup_by_name_goes_to_its_directory(
    stage: AdminStage, stub: ChainServiceStub, verify: bool
) -> None:
    *progress, last = stub.CreateBackup(pb.CreateBackupRequest(path="one.db", verify=verify))
    path = stage.data_dir / "backups" / "one.db"
    assert last.backup.path == str(path.resolve())
    assert (last.backup.tip.hash, last.backup.verified) == (CHAIN[-1].hash.hex(), verify)
    assert last.backup.size_bytes == path.stat().st_size == last.progress.done_count
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert progress[0].progress.unit == pb.PROGRESS_UNIT_BYTES
    units = {each.progress.unit for each in progress}
    assert (pb.PROGRESS_UNIT_BLOCKS in units) is verify


def test_a_backup_without_a_name_gets_that_of_the_time(
    stage: AdminStage, stub: ChainServiceStub
) -> None:
    *_, last = stub.CreateBackup(pb.CreateBackupRequest())
    (path,) = (stage.data_dir / "backups").iterdir()
    assert Path(last.backup.path).name == path.name
    assert path.match("chain-*T*Z.db")


def test_a_backup_goes_to_an_absolute_path_and_is_a_chain(
    stub: ChainServiceStub, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "chain.db"
    *_, last = stub.CreateBackup(pb.CreateBackupRequest(path=str(path)))
    assert last.backup.path == str(path)
    restored = Store.open(path, EASY)
    assert restored.tip() == CHAIN[-1].ref
    restored.close()


def test_a_directory_whose_name_is_no_text_is_told_of_all_the_same(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"\xff")
    directory.mkdir()
    Store.open(directory / "chain.db", EASY).close()
    with staged(directory, network=EASY) as odd:
        *_, last = odd.stub(ChainServiceStub).CreateBackup(pb.CreateBackupRequest(path="one.db"))
    assert last.backup.path.endswith(r"\udcff/backups/one.db")


def test_a_backup_never_overwrites(
    stub: ChainServiceStub, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "precious"
    path.write_text("mine")
    refused = refusal_of(lambda: stub.CreateBackup(pb.CreateBackupRequest(path=str(path))))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "BACKUP_EXISTS")
    assert refused.metadata == {"path": str(path)}
    assert path.read_text() == "mine"


@pytest.mark.parametrize("path", ["wallet.key.new", "deeper/one.db", "no/such/one.db"])
def test_a_backup_does_not_go_among_the_nodes_files_or_nowhere(
    stage: AdminStage, stub: ChainServiceStub, path: str
) -> None:
    (stage.data_dir / "deeper").mkdir()
    request = pb.CreateBackupRequest(path=str(stage.data_dir / path))
    refused = refusal_of(lambda: stub.CreateBackup(request))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "BACKUP_REFUSED",
    )
    assert not (stage.data_dir / path).exists()


def test_a_way_round_into_the_nodes_files_is_seen(
    stage: AdminStage, stub: ChainServiceStub, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("elsewhere") / "link"
    link.symlink_to(stage.data_dir)
    request = pb.CreateBackupRequest(path=str(link / "one.db"))
    assert refusal_of(lambda: stub.CreateBackup(request)).reason == "BACKUP_REFUSED"


@pytest.mark.parametrize("path", ["x" * 300, "circle/one.db"])
def test_a_name_that_no_file_can_have_is_refused(
    stub: ChainServiceStub, tmp_path_factory: pytest.TempPathFactory, path: str
) -> None:
    directory = tmp_path_factory.mktemp("elsewhere")
    (directory / "circle").symlink_to(directory / "circle")
    request = pb.CreateBackupRequest(path=str(directory / path))
    assert refusal_of(lambda: stub.CreateBackup(request)).reason == "BACKUP_REFUSED"


@pytest.mark.parametrize(
    "path", ["a/b.db", "..", ".hidden", "/tmp/../x.db", "/", "a\nb", "x" * 1025]
)
def test_a_path_that_is_none_is_a_bad_field(stub: ChainServiceStub, path: str) -> None:
    refused = refusal_of(lambda: stub.CreateBackup(pb.CreateBackupRequest(path=path)))
    assert (refused.reason, refused.fields) == ("FIELD_INVALID", ("path",))


def test_a_copy_that_does_not_verify_is_refused(
    stage: AdminStage, stub: ChainServiceStub, store: Store
) -> None:
    store._db.execute("UPDATE accounts SET balance = balance + 1 WHERE height = 300")
    request = pb.CreateBackupRequest(path="one.db", verify=True)
    refused = refusal_of(lambda: stub.CreateBackup(request))
    assert refused.reason == "BACKUP_REFUSED"
    assert list((stage.data_dir / "backups").iterdir()) == []


def test_a_backup_is_one_file_that_needs_no_other_beside_it(
    stage: AdminStage, stub: ChainServiceStub
) -> None:
    list(stub.CreateBackup(pb.CreateBackupRequest(path="one.db", verify=True)))
    (path,) = (stage.data_dir / "backups").iterdir()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_a_reader_may_not_back_up(stage: AdminStage) -> None:
    reader = stage.stub(ChainServiceStub, readonly=True)
    denied = refusal_of(lambda: reader.CreateBackup(pb.CreateBackupRequest()))
    assert denied.code is grpc.StatusCode.PERMISSION_DENIED
    assert (denied.reason, denied.metadata) == (
        "PERMISSION_MISSING",
        {"permission": "backup:write"},
    )
