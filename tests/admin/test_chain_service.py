"""ChainService over the wire."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest
from troupe.admin.v1 import chain_service_pb2 as pb
from troupe.admin.v1 import chain_service_pb2_grpc

from actors.chain import messages as chain
from actors.ledger.keys import ED25519
from actors.ledger.types import Account, Block, BlockRef
from actors.ledger.violation import Rule, Violation
from actors.peers.messages import PeerId, PeerLinked
from actors.tcp.messages import ConnId
from tests.support.admin_stage import EPOCH, AdminStage, chain_info, refusal_of
from tests.support.ledger import EASY_MAIN, child, key, transfer

PAYER = key(ED25519, "payer")
TX = transfer(PAYER, key(ED25519, "payee").public, 0, 25)
BLOCK = child(EASY_MAIN.genesis.ref, PAYER.public, [TX])


@pytest.fixture
def stub(stage: AdminStage) -> chain_service_pb2_grpc.ChainServiceStub:
    return stage.stub(chain_service_pb2_grpc.ChainServiceStub)


Stub = chain_service_pb2_grpc.ChainServiceStub


def chain_of(length: int) -> tuple[Block, ...]:
    blocks = [EASY_MAIN.genesis]
    while len(blocks) <= length:
        blocks.append(child(blocks[-1].ref, PAYER.public))
    return tuple(blocks)


def script_chain(stage: AdminStage, length: int) -> tuple[Block, ...]:
    """Let the chain room answer as one of this height does."""
    blocks = chain_of(length)
    stage.chain.answer(chain.GetChain, chain_info(blocks[-1].ref))

    def listed(asked: chain.ListBlocks) -> tuple[chain.BlockDigest, ...]:
        last = length if asked.start is None else min(asked.start, length)
        return tuple(
            chain.digest_of(block)
            for block in reversed(blocks[max(0, last - asked.limit + 1) : last + 1])
        )

    stage.reader.compute(chain.ListBlocks, listed)
    return blocks


def test_get_chain_shows_it_at_a_glance(stage: AdminStage, stub: Stub) -> None:
    shown = stub.GetChain(pb.GetChainRequest()).chain
    assert shown.tip.hash == shown.genesis_hash == stage.tip.hash.hex()
    assert shown.sync_state == pb.SYNC_STATE_IDLE
    assert (shown.orphan_count, shown.side_block_count, shown.supply) == (1, 2, 50_000)
    assert shown.network.key_scheme == "ed25519"
    assert shown.history_start_number == 0
    stage.chain.answer(chain.GetChain, replace(chain_info(stage.tip), history_start=9))
    assert stub.GetChain(pb.GetChainRequest()).chain.history_start_number == 9


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (pb.GetBlockRequest(hash=BLOCK.hash.hex()), chain.GetBlock(hash=BLOCK.hash)),
        (pb.GetBlockRequest(number=0), chain.GetBlock(number=0)),
    ],
)
def test_get_block_asks_by_hash_or_number(
    stage: AdminStage, stub: Stub, request_: pb.GetBlockRequest, asked: chain.GetBlock
) -> None:
    stage.reader.answer(chain.GetBlock, chain.BlockView(BLOCK, canonical=True, confirmations=3))
    shown = stub.GetBlock(request_)
    assert stage.reader.of(chain.GetBlock) == [asked]
    assert (shown.block.hash, shown.canonical, shown.confirmations) == (BLOCK.hash.hex(), True, 3)
    assert shown.block.transactions[0].id == TX.id.hex()


@pytest.mark.parametrize(
    "request_",
    [
        pb.GetBlockRequest(hash="ab" * 32),
        pb.GetBlockRequest(number=9),
        pb.GetBlockRequest(number=2**64 - 1),
    ],
)
def test_a_block_that_is_not_there_is_not_found(
    stage: AdminStage, stub: Stub, request_: pb.GetBlockRequest
) -> None:
    stage.reader.answer(chain.GetBlock, None)
    refused = refusal_of(lambda: stub.GetBlock(request_))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "BLOCK_NOT_FOUND")


@pytest.mark.parametrize(
    ("request_", "field"),
    [(pb.GetBlockRequest(), "block"), (pb.GetBlockRequest(hash="AB" * 32), "hash")],
)
def test_a_bad_request_for_a_block_names_its_field(
    stub: Stub, request_: pb.GetBlockRequest, field: str
) -> None:
    refused = refusal_of(lambda: stub.GetBlock(request_))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert refused.fields == (field,)


@pytest.mark.parametrize(("start", "first"), [(None, 7), (4, 4), (7_000, 7)])
def test_list_blocks_goes_down_from_the_start_to_genesis(
    stage: AdminStage, stub: Stub, start: int | None, first: int
) -> None:
    script_chain(stage, 7)
    numbers: list[int] = []
    request = pb.ListBlocksRequest(page_size=3, start_number=start)
    while True:
        page = stub.ListBlocks(request)
        assert len(page.blocks) <= 3
        numbers += [block.number for block in page.blocks]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert numbers == list(range(first, -1, -1))


@pytest.mark.parametrize("first", ["GetAccount", "ListAccounts", "a page of ListAccounts"])
def test_accounts_of_a_block_of_which_none_are_kept_are_refused_with_the_oldest(
    stage: AdminStage, stub: Stub, first: str
) -> None:
    stage.reader.answer(chain.GetAccount, chain.HistoryPruned(9))
    stage.reader.answer(chain.ListAccounts, chain.HistoryPruned(9))
    request = pb.ListAccountsRequest(at_number=8)
    if first.startswith("a page"):
        view = chain.AccountView(b"\x01", Account(5, 0), BLOCK.ref)
        stage.reader.answer(chain.ListAccounts, chain.AccountsPage(BLOCK.ref, (view,), b"\x02"))
        request.page_token = stub.ListAccounts(request).next_page_token
        stage.reader.answer(chain.ListAccounts, chain.HistoryPruned(9))
    refused = refusal_of(
        lambda: (
            stub.GetAccount(pb.GetAccountRequest(address="ab", at_number=8))
            if first == "GetAccount"
            else stub.ListAccounts(request)
        )
    )
    assert (refused.code, refused.reason) == (grpc.StatusCode.OUT_OF_RANGE, "HISTORY_PRUNED")
    assert refused.metadata == {"oldest": "9"}


def test_a_listing_says_which_events_it_follows_on(stage: AdminStage, stub: Stub) -> None:
    script_chain(stage, 1)
    stage.happen(PeerLinked(PeerId("a:1"), ConnId(1), initiated=True, first=True))
    page = stub.ListBlocks(pb.ListBlocksRequest())
    assert (page.position.epoch, page.position.sequence) == (EPOCH, 1)


def test_get_transaction_shows_its_block(stage: AdminStage, stub: Stub) -> None:
    view = chain.TransactionView(TX, BLOCK.ref, 0, 2)
    stage.reader.answer(chain.GetTransaction, view)
    shown = stub.GetTransaction(pb.GetTransactionRequest(id=TX.id.hex()))
    assert (shown.block.hash, shown.index, shown.confirmations) == (BLOCK.hash.hex(), 0, 2)
    assert shown.transaction.amount == 25


def test_a_transaction_not_included_is_not_found(stage: AdminStage, stub: Stub) -> None:
    stage.reader.answer(chain.GetTransaction, None)
    refused = refusal_of(lambda: stub.GetTransaction(pb.GetTransactionRequest(id="ab" * 32)))
    assert refused.reason == "TX_NOT_FOUND"


@pytest.mark.parametrize("at_number", [None, 0, 5])
def test_get_account_asks_at_the_tip_or_at_a_block(
    stage: AdminStage, stub: Stub, at_number: int | None
) -> None:
    at = BlockRef(5, b"\x05" * 32)
    stage.reader.answer(
        chain.GetAccount, chain.AccountView(PAYER.public, Account(2**63 - 1, 4), at)
    )
    request = pb.GetAccountRequest(address=PAYER.public.hex(), at_number=at_number)
    account = stub.GetAccount(request).account
    assert (account.balance, account.nonce, account.at.number) == (2**63 - 1, 4, 5)
    assert stage.reader.of(chain.GetAccount) == [chain.GetAccount(PAYER.public, at_number)]


def test_an_account_at_a_block_that_is_not_there_is_not_found(
    stage: AdminStage, stub: Stub
) -> None:
    stage.reader.answer(chain.GetAccount, None)
    request = pb.GetAccountRequest(address="ab", at_number=99)
    assert refusal_of(lambda: stub.GetAccount(request)).reason == "BLOCK_NOT_FOUND"


@pytest.mark.parametrize("validate_only", [False, True])
def test_submit_block_says_what_became_of_it(
    stage: AdminStage, stub: Stub, validate_only: bool
) -> None:
    outcome = chain.BlockOutcome.VALID if validate_only else chain.BlockOutcome.CONNECTED
    stage.chain.answer(chain.SubmitBlock, chain.BlockVerdict(outcome, BLOCK.hash))
    request = pb.SubmitBlockRequest(raw=BLOCK.raw, validate_only=validate_only)
    shown = stub.SubmitBlock(request)
    assert shown.hash == BLOCK.hash.hex()
    assert pb.BlockOutcome.Name(shown.outcome) == f"BLOCK_OUTCOME_{outcome.name}"
    assert stage.chain.of(chain.SubmitBlock) == [chain.SubmitBlock(BLOCK.raw, validate_only)]


@pytest.mark.parametrize(
    ("verdict", "code", "reason"),
    [
        (
            chain.BlockVerdict(chain.BlockOutcome.KNOWN, BLOCK.hash),
            grpc.StatusCode.ALREADY_EXISTS,
            "BLOCK_KNOWN",
        ),
        (
            chain.BlockVerdict(
                chain.BlockOutcome.INVALID, BLOCK.hash, Violation(Rule.WORK, "no work")
            ),
            grpc.StatusCode.FAILED_PRECONDITION,
            "BLOCK_REJECTED",
        ),
        (
            chain.BlockVerdict(
                chain.BlockOutcome.INVALID, None, Violation(Rule.MALFORMED, "no block")
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
            "BLOCK_MALFORMED",
        ),
    ],
)
def test_a_block_not_taken_says_why(
    stage: AdminStage, stub: Stub, verdict: chain.BlockVerdict, code: object, reason: str
) -> None:
    stage.chain.answer(chain.SubmitBlock, verdict)
    refused = refusal_of(lambda: stub.SubmitBlock(pb.SubmitBlockRequest(raw=b"x")))
    assert (refused.code, refused.reason) == (code, reason)
