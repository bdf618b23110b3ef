"""ChainService.ImportBlocks over the wire: a real store beside a chain room that takes blocks as the real one does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import chain_service_pb2 as pb

from actors.chain.archive import CHUNK_BLOCKS
from actors.chain.importer import Importer, decode_run
from actors.chain.messages import BlockVerdict, GetChain, ImportRun
from actors.chain.store import Store
from actors.ledger.types import Block
from admin import convert, guard
from tests.support.admin_stage import DEFER, WAIT_S, AdminStage, chain_info, refusal_of
from tests.support.chains import ALICE, BOB, EASY, EASY_OTHER, mine, mine_chain, raws, transfer
from tests.support.stored_chain import CHAIN, ChainServiceStub


def header(first: int = 1, last: Block = CHAIN[-1], **fields: Any) -> pb.ImportBlocksRequest:
    given: dict[str, Any] = {
        "network": convert.network(EASY),
        "genesis_hash": EASY.genesis.hash.hex(),
        "first_number": first,
        "last": convert.block_ref(last.ref),
        **fields,
    }
    return pb.ImportBlocksRequest(header=pb.ExportHeader(**given))


def chunk(*blocks: Block | bytes) -> pb.ImportBlocksRequest:
    given = [each if isinstance(each, bytes) else each.raw for each in blocks]
    return pb.ImportBlocksRequest(chunk=pb.BlockChunk(raw_blocks=given))


class Importing:
    """A chain room that takes blocks as the real one does."""

    def __init__(self, stage: AdminStage) -> None:
        self.store = Store.open(None, EASY)
        self.batches: list[int] = []
        stage.chain.compute(ImportRun, self._take)
        stage.chain.compute(GetChain, lambda _asked: chain_info(self.store.tip()))

    def _take(self, run: ImportRun) -> tuple[BlockVerdict, ...]:
        self.batches.append(len(run.raws))
        blocks, malformed = decode_run(run.raws)
        return (*Importer(self.store, EASY).add(blocks).verdicts, *malformed)


def test_what_was_exported_is_imported_in_batches(
    stage: AdminStage, stub: ChainServiceStub
) -> None:
    chain = Importing(stage)
    exported = list(stub.ExportBlocks(pb.ExportBlocksRequest()))
    requests = [
        pb.ImportBlocksRequest(header=each.header)
        if each.HasField("header")
        else pb.ImportBlocksRequest(chunk=each.chunk)
        for each in exported
    ]
    made = stub.ImportBlocks(iter(requests))
    assert (made.imported_count, made.known_count, made.HasField("rejected")) == (300, 0, False)
    assert made.tip.hash == CHAIN[-1].hash.hex()
    assert chain.store.tip() == CHAIN[-1].ref
    assert max(chain.batches) == CHUNK_BLOCKS
    again = stub.ImportBlocks(iter(requests))
    assert (again.imported_count, again.known_count) == (0, 300)


def test_a_large_message_is_taken_in_pieces(stage: AdminStage, stub: ChainServiceStub) -> None:
    chain = Importing(stage)
    assert stub.ImportBlocks(iter([header(), chunk(*CHAIN)])).imported_count == 300
    assert chain.batches == [CHUNK_BLOCKS, CHUNK_BLOCKS, 44]


def test_a_side_branch_is_imported_and_the_tip_stays(
    stage: AdminStage, stub: ChainServiceStub
) -> None:
    chain = Importing(stage)
    Importer(chain.store, EASY).add(CHAIN[:5])
    side = mine_chain(EASY, CHAIN[1].ref, 2, BOB.public)
    made = stub.ImportBlocks(iter([header(3, side[-1]), chunk(*side)]))
    assert (made.imported_count, made.tip.hash) == (2, CHAIN[4].hash.hex())
    assert chain.store.side_blocks() == 2


UNPAID = mine(EASY, CHAIN[0].ref, BOB.public, [transfer(BOB, ALICE.public, 0, 1)])


@pytest.mark.parametrize(
    ("blocks", "number", "rule"),
    [
        ((CHAIN[0], UNPAID), 2, "balance"),
        ((CHAIN[0], CHAIN[2]), 2, "parent"),
        ((b"no block", CHAIN[0]), 1, "malformed"),
    ],
)
def test_an_import_ends_at_the_block_that_is_rejected(
    stage: AdminStage,
    stub: ChainServiceStub,
    blocks: Sequence[Block | bytes],
    number: int,
    rule: str,
) -> None:
    Importing(stage)
    made = stub.ImportBlocks(iter([header(last=CHAIN[9]), chunk(*blocks), chunk(b"never seen")]))
    assert (made.rejected.number, made.rejected.rule) == (number, rule)
    assert made.imported_count == made.tip.number == number - 1
    culprit = blocks[number - 1]
    assert made.rejected.hash == (culprit.hash.hex() if isinstance(culprit, Block) else "")
    assert made.rejected.detail


@pytest.mark.parametrize(
    "fields",
    [
        {"network": convert.network(EASY_OTHER), "genesis_hash": EASY_OTHER.genesis.hash.hex()},
        {"network": convert.network(EASY_OTHER)},
        {"genesis_hash": ""},
    ],
)
def test_blocks_of_another_network_are_refused(
    stage: AdminStage, stub: ChainServiceStub, fields: dict[str, Any]
) -> None:
    refused = refusal_of(lambda: stub.ImportBlocks(iter([header(**fields), chunk(CHAIN[0])])))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "WRONG_NETWORK",
    )
    assert refused.metadata == {"network": "easy", "genesis_hash": EASY.genesis.hash.hex()}
    assert stage.chain.of(ImportRun) == []


@pytest.mark.parametrize(
    ("requests", "received"),
    [
        ((), 0),
        ((chunk(CHAIN[0]),), 0),
        ((pb.ImportBlocksRequest(),), 0),
        ((header(9, CHAIN[0]),), 0),
        ((header(), header()), 0),
        ((header(), chunk()), 0),
        ((header(last=CHAIN[0]), chunk(CHAIN[0]), chunk(CHAIN[1])), 1),
        ((header(), chunk(CHAIN[0])), 1),
    ],
)
def test_what_is_no_export_is_said_with_what_was_taken(
    stage: AdminStage,
    stub: ChainServiceStub,
    requests: Sequence[pb.ImportBlocksRequest],
    received: int,
) -> None:
    Importing(stage)
    refused = refusal_of(lambda: stub.ImportBlocks(iter(requests)))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "EXPORT_MALFORMED",
    )
    assert refused.metadata == {"received_count": str(received)}


def test_bytes_that_are_no_message_are_refused(stage: AdminStage) -> None:
    raw = stage.channel().stream_unary(
        "/troupe.admin.v1.ChainService/ImportBlocks",
        request_serializer=lambda data: data,
        response_deserializer=pb.ImportBlocksResponse.FromString,
    )
    assert refusal_of(lambda: raw(iter([b"\xff\xff"]))).reason == "FIELD_INVALID"


def test_one_import_runs_at_a_time(stage: AdminStage, stub: ChainServiceStub) -> None:
    stage.chain.answer(ImportRun, DEFER)
    go_on = threading.Event()

    def slow() -> Iterator[pb.ImportBlocksRequest]:
        yield header(last=CHAIN[0])
        yield chunk(CHAIN[0])
        go_on.wait(WAIT_S)

    first = stub.ImportBlocks.future(slow())
    answer = stage.chain.deferred.get(timeout=WAIT_S)
    refused = refusal_of(lambda: stub.ImportBlocks(iter([header()])))
    assert (refused.reason, refused.metadata) == ("CHAIN_JOB_BUSY", {"job": "import"})
    chain = Importing(stage)
    answer.set_result(chain._take(ImportRun(raws(CHAIN[:1]))))
    go_on.set()
    assert first.result(WAIT_S).imported_count == 1
    assert stub.ImportBlocks(iter([header(last=CHAIN[0]), chunk(CHAIN[0])])).known_count == 1


def test_how_far_an_import_is_is_shown_by_what_is_stored(
    stage: AdminStage, stub: ChainServiceStub
) -> None:
    chain = Importing(stage)

    def take_or_defer(run: ImportRun) -> Any:
        return DEFER if chain.batches else chain._take(run)

    stage.chain.compute(ImportRun, take_or_defer)
    asked = pb.GetChainRequest()
    assert not stub.GetChain(asked).chain.HasField("import_progress")
    upload = [header(last=CHAIN[2]), chunk(CHAIN[0]), chunk(*CHAIN[1:3])]
    call = stub.ImportBlocks.future(iter(upload))
    answer = stage.chain.deferred.get(timeout=WAIT_S)
    shown = stub.GetChain(asked).chain.import_progress
    assert (shown.unit, shown.done_count, shown.total_count) == (pb.PROGRESS_UNIT_BLOCKS, 1, 3)
    answer.set_result(chain._take(ImportRun(raws(CHAIN[1:3]))))
    assert call.result(WAIT_S).imported_count == 3
    assert not stub.GetChain(asked).chain.HasField("import_progress")


def test_an_upload_that_stops_coming_is_ended(
    stage: AdminStage, stub: ChainServiceStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "UPLOAD_GAP_S", 0.05)
    Importing(stage)
    ended = threading.Event()

    def stalling() -> Iterator[pb.ImportBlocksRequest]:
        yield header()
        ended.wait(WAIT_S)

    refused = refusal_of(lambda: stub.ImportBlocks(stalling()))
    ended.set()
    monkeypatch.setattr(guard, "UPLOAD_GAP_S", WAIT_S)
    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "UPLOAD_STALLED")
    assert stub.ImportBlocks(iter([header(last=CHAIN[0]), chunk(CHAIN[0])])).imported_count == 1


def test_a_reader_may_not_import(stage: AdminStage) -> None:
    reader = stage.stub(ChainServiceStub, readonly=True)
    denied = refusal_of(lambda: reader.ImportBlocks(iter([header()])))
    assert (denied.code, denied.reason, denied.metadata) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "PERMISSION_MISSING",
        {"permission": "chain:write"},
    )
