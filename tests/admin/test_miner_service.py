"""MinerService over the wire."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from queue import Queue
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import miner_service_pb2 as pb
from troupe.admin.v1 import miner_service_pb2_grpc

from actors.ledger.keys import ED25519
from actors.ledger.types import BlockRef
from actors.miner.messages import (
    AbandonGenerate,
    BlockTemplate,
    GenerateBlock,
    GetMiner,
    GetTemplate,
    MinerRefusal,
    StartMining,
    StopMining,
    UpdateMiner,
)
from tests.support.admin_stage import DEFER, WAIT_S, AdminStage, miner_info, refusal_of
from tests.support.ledger import child, key, transfer

Stub = miner_service_pb2_grpc.MinerServiceStub
COINBASE = "ab" * 32


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    stage.miner.answer(AbandonGenerate, None)
    return stage.stub(Stub)


def test_get_miner_shows_what_it_does(stage: AdminStage, stub: Stub) -> None:
    stage.miner.answer(GetMiner, miner_info(mining=True))
    shown = stub.GetMiner(pb.GetMinerRequest()).miner
    assert (shown.mining, shown.threads, shown.hashes_per_s, shown.hash_count) == (
        True,
        2,
        1_500.5,
        99,
    )
    assert (shown.found_block_count, shown.stale_block_count, shown.template_number) == (4, 1, 7)
    assert (shown.coinbase, shown.engine) == ("01" * 32, "test")
    assert (shown.native, shown.engine_note) == (False, "a test")


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (pb.StartMiningRequest(), StartMining(None, None)),
        (
            pb.StartMiningRequest(threads=2, coinbase=COINBASE),
            StartMining(2, bytes.fromhex(COINBASE)),
        ),
    ],
)
def test_start_mining_tells_the_miner_and_shows_it(
    stage: AdminStage, stub: Stub, request_: pb.StartMiningRequest, told: StartMining
) -> None:
    stage.miner.answer(StartMining, None)
    stage.miner.answer(GetMiner, miner_info(mining=True))
    assert stub.StartMining(request_).miner.mining
    assert stage.miner.of(StartMining) == [told]


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (pb.UpdateMinerRequest(), UpdateMiner(None, None)),
        (pb.UpdateMinerRequest(threads=4), UpdateMiner(4, None)),
        (pb.UpdateMinerRequest(coinbase=COINBASE), UpdateMiner(None, bytes.fromhex(COINBASE))),
    ],
)
def test_update_miner_tells_the_miner_and_shows_it(
    stage: AdminStage, stub: Stub, request_: pb.UpdateMinerRequest, told: UpdateMiner
) -> None:
    stage.miner.answer(UpdateMiner, None)
    assert stub.UpdateMiner(request_).miner.threads == 2
    assert stage.miner.of(UpdateMiner) == [told]


@pytest.mark.parametrize(
    ("refusal", "reason", "fields"),
    [
        (MinerRefusal.NO_COINBASE, "NO_COINBASE", ()),
        (MinerRefusal.BAD_COINBASE, "FIELD_INVALID", ("coinbase",)),
        (MinerRefusal.BAD_THREADS, "FIELD_INVALID", ("threads",)),
    ],
)
def test_an_update_that_is_refused_says_why(
    stage: AdminStage, stub: Stub, refusal: MinerRefusal, reason: str, fields: tuple[str, ...]
) -> None:
    stage.miner.answer(UpdateMiner, refusal)
    refused = refusal_of(lambda: stub.UpdateMiner(pb.UpdateMinerRequest(threads=9)))
    assert (refused.reason, refused.fields) == (reason, fields)


def test_a_coinbase_that_is_no_hex_never_reaches_the_miner(stage: AdminStage, stub: Stub) -> None:
    refused = refusal_of(lambda: stub.UpdateMiner(pb.UpdateMinerRequest(coinbase="XY")))
    assert (refused.reason, refused.fields) == ("FIELD_INVALID", ("coinbase",))
    assert stage.miner.of(UpdateMiner) == []


def test_stop_mining_tells_the_miner_and_shows_it(stage: AdminStage, stub: Stub) -> None:
    stage.miner.answer(StopMining, None)
    assert not stub.StopMining(pb.StopMiningRequest()).miner.mining


@pytest.mark.parametrize(
    ("refusal", "code", "reason"),
    [
        (MinerRefusal.NO_COINBASE, grpc.StatusCode.FAILED_PRECONDITION, "NO_COINBASE"),
        (MinerRefusal.BAD_COINBASE, grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"),
        (MinerRefusal.BAD_THREADS, grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"),
        (MinerRefusal.BUSY, grpc.StatusCode.ABORTED, "MINER_BUSY"),
    ],
)
def test_a_miner_that_does_not_start_says_why(
    stage: AdminStage, stub: Stub, refusal: MinerRefusal, code: object, reason: str
) -> None:
    stage.miner.answer(StartMining, refusal)
    refused = refusal_of(lambda: stub.StartMining(pb.StartMiningRequest()))
    assert (refused.code, refused.reason) == (code, reason)


def test_generate_blocks_sends_each_block(stage: AdminStage, stub: Stub) -> None:
    numbers = count(1)
    stage.miner.compute(GenerateBlock, lambda _asked: BlockRef(next(numbers), bytes(32)))
    made = list(stub.GenerateBlocks(pb.GenerateBlocksRequest(count=3, coinbase=COINBASE)))
    assert [(one.block.number, one.done_count) for one in made] == [(1, 1), (2, 2), (3, 3)]
    asked = stage.miner.of(GenerateBlock)
    assert asked == [GenerateBlock(bytes.fromhex(COINBASE), asked[0].token)] * 3


@pytest.mark.parametrize(
    ("refusal", "code", "reason"),
    [
        (
            MinerRefusal.GENERATE_NOT_ALLOWED,
            grpc.StatusCode.FAILED_PRECONDITION,
            "GENERATE_NOT_ALLOWED",
        ),
        (MinerRefusal.BLOCK_REJECTED, grpc.StatusCode.FAILED_PRECONDITION, "BLOCK_REJECTED"),
        (MinerRefusal.STOPPED, grpc.StatusCode.ABORTED, "MINING_STOPPED"),
    ],
)
def test_a_block_that_is_not_generated_ends_the_stream_with_the_reason(
    stage: AdminStage, stub: Stub, refusal: MinerRefusal, code: object, reason: str
) -> None:
    stage.miner.answer(GenerateBlock, refusal)
    refused = refusal_of(lambda: stub.GenerateBlocks(pb.GenerateBlocksRequest(count=3)))
    assert (refused.code, refused.reason) == (code, reason)


@pytest.mark.parametrize("blocks", [0, 10_001])
def test_the_number_of_blocks_is_bounded(stub: Stub, blocks: int) -> None:
    refused = refusal_of(lambda: stub.GenerateBlocks(pb.GenerateBlocksRequest(count=blocks)))
    assert refused.fields == ("count",)


def test_ending_the_stream_ends_the_run(stage: AdminStage, stub: Stub) -> None:
    abandoned: Queue[AbandonGenerate] = Queue()
    stage.miner.compute(GenerateBlock, lambda _asked: DEFER)
    stage.miner.compute(AbandonGenerate, abandoned.put)
    call: Any = stub.GenerateBlocks(pb.GenerateBlocksRequest(count=3))
    first = stage.miner.deferred.get(timeout=WAIT_S)
    call.cancel()
    (asked,) = stage.miner.of(GenerateBlock)
    assert abandoned.get(timeout=WAIT_S) == AbandonGenerate(asked.token)
    first.set_result(BlockRef(1, bytes(32)))
    stage.miner.answer(StopMining, None)
    stub.StopMining(pb.StopMiningRequest())
    assert len(stage.miner.of(GenerateBlock)) == 1


def test_get_block_template_shows_the_text_around_the_nonce(stage: AdminStage, stub: Stub) -> None:
    payer = key(ED25519, "payer")
    tx = transfer(payer, key(ED25519, "payee").public, 0, 25)
    block = child(stage.tip, payer.public, (tx,))
    stage.miner.answer(GetTemplate, BlockTemplate(stage.tip, block, 5, b"1:", b":rest"))
    shown = stub.GetBlockTemplate(pb.GetBlockTemplateRequest(coinbase=COINBASE)).template
    assert (shown.parent.hash, shown.number) == (stage.tip.hash.hex(), 1)
    assert (shown.coinbase, shown.difficulty) == (payer.public.hex(), 5)
    assert [each.raw for each in shown.transactions] == [tx.raw]
    assert (shown.prefix, shown.suffix) == (b"1:", b":rest")
    stub.GetBlockTemplate(pb.GetBlockTemplateRequest())
    asked = [GetTemplate(bytes.fromhex(COINBASE)), GetTemplate(None)]
    assert stage.miner.of(GetTemplate) == asked


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [(MinerRefusal.NO_COINBASE, "NO_COINBASE"), (MinerRefusal.BAD_COINBASE, "FIELD_INVALID")],
)
def test_a_template_for_nobody_is_refused(
    stage: AdminStage, stub: Stub, refusal: MinerRefusal, reason: str
) -> None:
    stage.miner.answer(GetTemplate, refusal)
    refused = refusal_of(lambda: stub.GetBlockTemplate(pb.GetBlockTemplateRequest()))
    assert refused.reason == reason
    bad = pb.GetBlockTemplateRequest(coinbase="xy")
    assert refusal_of(lambda: stub.GetBlockTemplate(bad)).fields == ("coinbase",)


@pytest.mark.parametrize(
    "call",
    [
        lambda stub: stub.StartMining(pb.StartMiningRequest()),
        lambda stub: stub.UpdateMiner(pb.UpdateMinerRequest()),
        lambda stub: stub.StopMining(pb.StopMiningRequest()),
        lambda stub: stub.GenerateBlocks(pb.GenerateBlocksRequest(count=1)),
    ],
    ids=["start", "update", "stop", "generate"],
)
def test_a_reader_does_not_direct_the_miner(stage: AdminStage, call: Callable[[Any], Any]) -> None:
    refused = refusal_of(lambda: call(stage.stub(Stub, readonly=True)))
    assert refused.reason == "PERMISSION_MISSING"
    assert refused.metadata["permission"] == "miner:write"
    assert not stage.miner.of(StartMining)
