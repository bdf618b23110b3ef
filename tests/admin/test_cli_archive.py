"""``troupe chain verify|export|import`` and ``troupe mine`` over the wire."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from troupe.admin.v1 import chain_service_pb2 as pb
from troupe.admin.v1 import errors_pb2, ledger_pb2
from troupe.admin.v1.miner_service_pb2 import GenerateBlocksResponse

from admin import convert
from admin.cli import blocks_file, client
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
    progress, last = lines(shell, f"chain import {path}")
    assert progress["progress"] == {"unit": "blocks", "done_count": 600, "total_count": 600}
    assert (last["imported_count"], last["rejected"]) == (590, None)


@pytest.mark.parametrize("node_is_busy", [False, True])
def test_the_progress_of_an_import_is_what_the_node_has_stored(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, node_is_busy: bool
) -> None:
    monkeypatch.setattr(client, "UPLOAD_LOOK_S", 0.01)
    looked, node = threading.Event(), Received(imported_count=600)

    def look(_request: object) -> Any:
        looked.set()
        if node_is_busy:
            return Refusal(errors_pb2.ERROR_REASON_ACTOR_BUSY, "the chain is busy")
        stored = pb.JobProgress(unit=pb.PROGRESS_UNIT_BLOCKS, done_count=128, total_count=600)
        return pb.GetChainResponse(chain=pb.Chain(import_progress=stored))

    def after_a_look(requests: Iterator[pb.ImportBlocksRequest]) -> pb.ImportBlocksResponse:
        assert looked.wait(60)
        return node(requests)

    shell.answers(ImportBlocks=after_a_look, GetChain=look)
    *progress, last = lines(shell, f"chain import {export(shell)}")
    counts = [each["progress"]["done_count"] for each in progress]
    assert set(counts) == ({600} if node_is_busy else {128, 600})
    assert counts[-1] == last["imported_count"] == 600


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


# -- mine -------------------------------------------------------------------------------------------


def test_mining_tells_its_last_block_in_json(shell: Shell) -> None:
    shell.answers(
        GenerateBlocks=[
            GenerateBlocksResponse(block=ledger_pb2.BlockRef(number=n), done_count=n)
            for n in (1, 2)
        ]
    )
    assert shell.data("mine 2")["done_count"] == 2
