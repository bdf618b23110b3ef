"""What callers are told when the node's disk does not take or give back what they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest
from troupe.admin.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    chain_service_pb2_grpc,
    errors_pb2,
)
from troupe.admin.v1 import chain_service_pb2 as pb

from actors.chain.importer import Importer
from actors.chain.messages import (
    BlockOutcome,
    BlockVerdict,
    GetChain,
    ImportRun,
    InvalidateBlock,
    SteerOutcome,
    SteerVerdict,
    SubmitBlock,
)
from actors.chain.replay import ScratchError
from actors.chain.schema import StoreError, UnwritableError
from actors.chain.store import Store
from admin import convert
from admin.verdicts import store_refusal
from tests.support.admin_stage import AdminStage, chain_info, refusal_of, staged
from tests.support.chains import EASY, mine_chain, raws

Stub = chain_service_pb2_grpc.ChainServiceStub

CHAIN = mine_chain(EASY, EASY.genesis.ref, 30)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "chain.db", EASY)
    opened._keep = 5
    Importer(opened, EASY).add(CHAIN)
    yield opened
    opened.close()


@pytest.fixture
def stage(tmp_path: Path, store: Store) -> Iterator[AdminStage]:
    with staged(tmp_path, network=EASY) as running:
        running.chain.answer(GetChain, chain_info(store.tip()))
        yield running


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    return stage.stub(Stub)


def told(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    refused = refusal_of(call)
    return refused.code, refused.reason


UNWRITABLE = grpc.StatusCode.UNAVAILABLE, "STORE_UNWRITABLE"
UNREADABLE = grpc.StatusCode.DATA_LOSS, "STORE_UNREADABLE"


def test_a_block_that_cannot_be_stored_is_to_be_handed_in_again(
    stage: AdminStage, stub: Stub
) -> None:
    verdict = BlockVerdict(BlockOutcome.UNSTORED, CHAIN[0].hash)
    stage.chain.answer(SubmitBlock, verdict)
    assert told(lambda: stub.SubmitBlock(pb.SubmitBlockRequest(raw=CHAIN[0].raw))) == UNWRITABLE


def test_a_mark_that_cannot_be_stored_is_none(stage: AdminStage, stub: Stub) -> None:
    stage.chain.answer(InvalidateBlock, SteerVerdict(SteerOutcome.UNSTORED, CHAIN[-1].ref))
    assert (
        told(lambda: stub.InvalidateBlock(pb.InvalidateBlockRequest(hash=CHAIN[0].hash.hex())))
        == UNWRITABLE
    )


def test_an_import_ends_at_the_first_block_that_cannot_be_stored(
    stage: AdminStage, stub: Stub
) -> None:
    stage.chain.answer(ImportRun, (BlockVerdict(BlockOutcome.UNSTORED, CHAIN[0].hash),))
    header = pb.ExportHeader(
        network=convert.network(EASY),
        genesis_hash=EASY.genesis.hash.hex(),
        first_number=1,
        last=convert.block_ref(CHAIN[0].ref),
    )
    requests = (
        pb.ImportBlocksRequest(header=header),
        pb.ImportBlocksRequest(chunk=pb.BlockChunk(raw_blocks=raws(CHAIN[:1]))),
    )
    assert told(lambda: stub.ImportBlocks(iter(requests))) == UNWRITABLE


def test_a_verification_without_room_for_its_scratch_file_says_so(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_network: object) -> NoReturn:
        message = "cannot execute the chain again on a scratch file: SQLITE_TMPDIR may name a place"
        raise ScratchError(message)

    monkeypatch.setattr("actors.chain.verify.Replay", no_room)
    refused = refusal_of(lambda: stub.VerifyChain(pb.VerifyChainRequest()))
    assert (refused.code, refused.reason) == UNWRITABLE
    assert "SQLITE_TMPDIR" in refused.message


def test_an_export_that_comes_to_a_damaged_block_says_so(stub: Stub, store: Store) -> None:
    store._db.execute("UPDATE blocks SET raw = x'00' WHERE hash = ?", (CHAIN[9].hash,))
    refused = refusal_of(lambda: stub.ExportBlocks(pb.ExportBlocksRequest()))
    assert (refused.code, refused.reason) == UNREADABLE
    assert "troupe repair" in refused.message


def test_a_token_that_cannot_be_kept_is_not_made_and_one_that_cannot_be_forgotten_lives_on(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    tokens = stage.stub(auth_service_pb2_grpc.AuthServiceStub)
    wish = auth_service_pb2.CreateTokenRequest(name="kept", permissions=["chain:read"])
    kept = tokens.CreateToken(wish).token
    monkeypatch.setattr("admin.tokenfiles.write_whole", full)
    wish.name = "lost"
    assert told(lambda: tokens.CreateToken(wish)) == UNWRITABLE
    deletion = auth_service_pb2.DeleteTokenRequest(id=kept.id)
    assert told(lambda: tokens.DeleteToken(deletion)) == UNWRITABLE
    listed = tokens.ListTokens(auth_service_pb2.ListTokensRequest()).tokens
    assert {"kept"} <= {token.name for token in listed}
    assert "lost" not in {token.name for token in listed}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UnwritableError("full"), errors_pb2.ERROR_REASON_STORE_UNWRITABLE),
        (ScratchError("full"), errors_pb2.ERROR_REASON_STORE_UNWRITABLE),
        (StoreError("damaged"), errors_pb2.ERROR_REASON_STORE_UNREADABLE),
    ],
)
def test_each_fault_of_the_store_has_its_reason(error: StoreError, reason: int) -> None:
    refusal = store_refusal(error)
    assert (refusal.reason, refusal.message) == (reason, str(error))
