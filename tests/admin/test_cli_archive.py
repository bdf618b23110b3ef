"""``troupe chain verify|export|import`` and ``troupe backup`` over the wire; ``troupe restore``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from troupe.admin.v1 import chain_service_pb2 as pb
from troupe.admin.v1 import errors_pb2, ledger_pb2
from troupe.admin.v1.miner_service_pb2 import GenerateBlocksResponse

from actors.chain.backup import copy_store, drafted, tip_of
from actors.chain.importer import Importer
from actors.chain.store import Store
from actors.datadir import DataDir
from admin import convert
from admin.cli import blocks_file
from admin.cli.exits import ExitCode
from admin.errors import Refusal
from tests.support.chains import EASY, mine_chain, raws
from tests.unit.cli.shell import Shell, shell_of_a_node

CHAIN = mine_chain(EASY, EASY.genesis.ref, 600)
HEADER = pb.ExportHeader(
    network=convert.network(EASY),
    genesis_hash=EASY.genesis.hash.hex(),
    first_number=1,
    last=convert.block_ref(CHAIN[-1].ref),
)
TIP = convert.block_ref(CHAIN[-1].ref)
SOUND = pb.VerifyReport(sound=True, tip=TIP, block_count=601, transaction_count=7)
UNSOUND = pb.VerifyReport(
    tip=TIP,
    block_count=12,
    divergences=[
        pb.Divergence(fault=pb.DIVERGENCE_FAULT_ACCOUNTS, number=11, detail="they differ"),
        pb.Divergence(fault=pb.DIVERGENCE_FAULT_DAMAGED, detail="a page is no page"),
    ],
)
GET_CHAIN = pb.GetChainResponse(
    chain=pb.Chain(tip=TIP, network=ledger_pb2.Network(name="easy"), genesis_hash="00" * 32)
)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        opened.answers(GetChain=GET_CHAIN)
        yield opened


def counted(done: int, total: int = 601) -> pb.JobProgress:
    return pb.JobProgress(
        unit=pb.PROGRESS_UNIT_BLOCKS, done_count=done, total_count=total, per_s=10.0
    )


def lines(shell: Shell, line: str) -> list[Any]:
    result = shell(f"{line} -o jsonl")
    assert result.exit_code == 0, result.stderr
    return [json.loads(each) for each in result.stdout.splitlines()]


# -- verify -----------------------------------------------------------------------------------------


def verified(report: pb.VerifyReport) -> list[pb.VerifyChainResponse]:
    return [
        pb.VerifyChainResponse(progress=counted(0, 0)),
        pb.VerifyChainResponse(progress=counted(300)),
        pb.VerifyChainResponse(progress=counted(601), report=report),
    ]


def test_a_sound_chain_is_said_to_be(shell: Shell) -> None:
    shell.answers(VerifyChain=verified(SOUND))
    result = shell("chain verify")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "The chain is sound: 601 blocks and 7 transactions of easy verified; the tip is 600,"
    )
    assert result.stderr == ""


def test_json_is_the_report_and_json_lines_the_progress_as_well(shell: Shell) -> None:
    shell.answers(VerifyChain=verified(SOUND))
    report = shell.data("chain verify")
    assert (report["sound"], report["network"], report["block_count"]) == (True, "easy", 601)
    *progress, last = lines(shell, "chain verify")
    assert [each["progress"]["done_count"] for each in progress] == [0, 300, 601]
    assert last == report


def test_a_chain_that_differs_ends_with_1_and_says_where(shell: Shell) -> None:
    shell.answers(VerifyChain=verified(UNSOUND))
    result = shell("chain verify")
    assert result.exit_code == ExitCode.FAILED
    assert "NOT sound: 2 divergences" in result.stdout
    assert ["11", "accounts", "they", "differ"] in [
        each.split() for each in result.stdout.splitlines()
    ]
    assert shell("chain verify -o json").exit_code == ExitCode.FAILED


def test_a_busy_node_says_to_try_again(shell: Shell) -> None:
    shell.answers(VerifyChain=[Refusal(errors_pb2.ERROR_REASON_CHAIN_JOB_BUSY, "one at a time")])
    assert shell("chain verify").exit_code == ExitCode.TRY_AGAIN


# -- export and import ------------------------------------------------------------------------------


def exported(*chunks: Iterable[bytes]) -> list[pb.ExportBlocksResponse]:
    parts = [pb.ExportBlocksResponse(chunk=pb.BlockChunk(raw_blocks=raw)) for raw in chunks]
    return [pb.ExportBlocksResponse(header=HEADER), *parts]


def export(shell: Shell) -> Path:
    shell.answers(ExportBlocks=exported(raws(CHAIN[:400]), raws(CHAIN[400:])))
    path = shell.directory / "blocks.txt"
    result = shell(f"chain export {path}")
    assert result.exit_code == 0, result.stderr
    return path


def test_an_export_is_a_header_line_and_a_line_for_each_block(shell: Shell) -> None:
    head, *blocks = export(shell).read_bytes().splitlines()
    fields = json.loads(head)
    assert (fields["format"], fields["version"]) == ("troupe-blocks", 1)
    assert fields["network"]["name"] == "easy"
    assert (fields["first_number"], fields["last"]["number"]) == ("1", "600")
    assert fields["genesis_hash"] == EASY.genesis.hash.hex()
    assert tuple(blocks) == raws(CHAIN)


def test_the_blocks_to_export_are_named_by_number(shell: Shell) -> None:
    shell.answers(ExportBlocks=exported(raws(CHAIN)))
    data = shell.data(f"chain export {shell.directory}/a --from 1 --to 600")
    assert (data["block_count"], data["last"]["hash"]) == (600, CHAIN[-1].hash.hex())
    (asked,) = shell.node.asked("ExportBlocks")
    assert (asked.first_number, asked.last_number) == (1, 600)


def test_an_export_goes_to_standard_output_alone(shell: Shell) -> None:
    shell.answers(ExportBlocks=exported(raws(CHAIN)))
    result = shell("chain export -")
    assert result.stdout_bytes == export(shell).read_bytes()
    assert not (shell.directory / "-").exists()


def test_a_file_that_exists_is_not_exported_to(shell: Shell) -> None:
    path = shell.directory / "mine"
    path.write_text("mine")
    shell.answers(ExportBlocks=exported())
    result = shell(f"chain export {path}")
    assert result.exit_code == ExitCode.FAILED
    assert "never overwritten" in result.stderr
    assert path.read_text() == "mine"


def test_an_export_that_breaks_off_leaves_no_file(shell: Shell) -> None:
    slow = Refusal(errors_pb2.ERROR_REASON_SLOW_CONSUMER, "too slow", last_number="400")
    shell.answers(ExportBlocks=[*exported(raws(CHAIN[:400])), slow])
    path = shell.directory / "blocks.txt"
    assert shell(f"chain export {path}").exit_code == ExitCode.TRY_AGAIN
    assert not path.exists()


def test_a_refused_export_makes_no_file(shell: Shell) -> None:
    refusal = Refusal(errors_pb2.ERROR_REASON_BLOCK_NOT_FOUND, "there is no block 9")
    shell.answers(ExportBlocks=[refusal])
    path = shell.directory / "blocks.txt"
    assert shell(f"chain export {path}").exit_code == ExitCode.NOT_FOUND
    assert not path.exists()


class Received:
    """A node that takes an upload."""

    def __init__(self, **answer: Any) -> None:
        self.requests: list[pb.ImportBlocksRequest] = []
        self._answer = pb.ImportBlocksResponse(tip=TIP, **answer)

    def __call__(self, requests: Iterator[pb.ImportBlocksRequest]) -> pb.ImportBlocksResponse:
        self.requests += requests
        return self._answer


def test_what_was_exported_is_what_is_imported(shell: Shell) -> None:
    node = Received(imported_count=590, known_count=10)
    shell.answers(ImportBlocks=node)
    path = export(shell)
    result = shell(f"chain import {path}")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("Imported 590 blocks, 10 known before; the tip is 600,")
    head, *chunks = node.requests
    assert head.header == HEADER
    assert tuple(raw for each in chunks for raw in each.chunk.raw_blocks) == raws(CHAIN)
    assert max(len(each.chunk.raw_blocks) for each in chunks) == blocks_file.CHUNK_BLOCKS
    *progress, last = lines(shell, f"chain import {path}")
    assert [each["progress"]["done_count"] for each in progress] == [128, 256, 384, 512, 600]
    assert (last["imported_count"], last["rejected"]) == (590, None)


def test_a_rejected_block_ends_with_4_and_is_named(shell: Shell) -> None:
    rejected = pb.RejectedBlock(number=7, hash="ab" * 32, rule="balance", detail="too poor")
    shell.answers(ImportBlocks=Received(imported_count=6, rejected=rejected))
    path = export(shell)
    result = shell(f"chain import {path}")
    assert result.exit_code == ExitCode.REJECTED
    assert "Stopped at block 7, which the chain rejects: balance (too poor)." in result.stdout
    assert "Imported 6 blocks" in result.stdout
    assert json.loads(shell(f"chain import {path} -o json").stdout)["rejected"]["number"] == 7


def test_another_network_is_refused_in_a_sentence(shell: Shell) -> None:
    refusal = Refusal(errors_pb2.ERROR_REASON_WRONG_NETWORK, "the blocks are of another network")
    shell.answers(ImportBlocks=refusal)
    result = shell(f"chain import {export(shell)}")
    assert result.exit_code == ExitCode.REJECTED
    assert result.stderr.strip() == ("Error: the blocks are of another network [WRONG_NETWORK]")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1:2:3\n",
        b"[1]\n",
        b'{"format": "other", "version": 1}\n',
        b'{"format": "troupe-blocks", "version": 2}\n',
        b'{"format": "troupe-blocks", "version": 1, "first_number": "x"}\n',
        b"\xff\xfe\n",
    ],
)
def test_a_file_that_is_no_export_is_not_sent(shell: Shell, content: bytes) -> None:
    path = shell.directory / "strange"
    path.write_bytes(content)
    result = shell(f"chain import {path}")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.startswith("Error: the file ")
    assert len(result.stderr.strip().splitlines()) == 1
    assert shell.node.asked("ImportBlocks") == []


def test_a_line_too_long_for_a_block_ends_the_upload(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = export(shell)
    monkeypatch.setattr(blocks_file, "MAX_LINE_BYTES", 1024)
    with path.open("ab") as file:
        file.write(b"x" * 1024)
    shell.answers(ImportBlocks=Received())
    result = shell(f"chain import {path}")
    assert result.exit_code == ExitCode.USAGE
    assert "troupe chain export" in result.stderr


def test_a_file_that_is_not_there_is_said(shell: Shell) -> None:
    result = shell("chain import nowhere.txt")
    assert result.exit_code == ExitCode.FAILED
    assert "cannot read nowhere.txt" in result.stderr


# -- backup and restore -----------------------------------------------------------------------------


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
    *progress, last = lines(shell, "backup")
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


# -- mine -------------------------------------------------------------------------------------------


def test_mining_tells_its_last_block_in_json(shell: Shell) -> None:
    shell.answers(
        GenerateBlocks=[
            GenerateBlocksResponse(block=ledger_pb2.BlockRef(number=n), done_count=n)
            for n in (1, 2)
        ]
    )
    assert shell.data("mine 2")["done_count"] == 2
