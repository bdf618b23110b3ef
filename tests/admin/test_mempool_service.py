"""MempoolService over the wire."""

from __future__ import annotations

import grpc
import pytest
from troupe.admin.v1 import mempool_service_pb2 as pb
from troupe.admin.v1 import mempool_service_pb2_grpc

from actors.ledger.keys import ED25519
from actors.ledger.violation import Rule, Violation
from actors.mempool import messages as mempool
from actors.mempool.messages import Admission, Submission
from tests.support.admin_stage import AdminStage, refusal_of
from tests.support.ledger import key, transfer

PAYER = key(ED25519, "payer")
TXS = sorted(
    (transfer(PAYER, key(ED25519, "payee").public, nonce, 25) for nonce in range(5)),
    key=lambda tx: tx.id,
)
TX = TXS[0]
Stub = mempool_service_pb2_grpc.MempoolServiceStub


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    return stage.stub(Stub)


def test_get_mempool_shows_sizes_and_limits(stub: Stub) -> None:
    shown = stub.GetMempool(pb.GetMempoolRequest()).mempool
    assert (shown.pending_count, shown.queued_count, shown.sender_count) == (3, 2, 4)
    assert (shown.size_bytes, shown.max_pending_count, shown.max_queued_count) == (
        1_234,
        5_000,
        1_000,
    )


def test_list_transactions_goes_on_page_by_page(stage: AdminStage, stub: Stub) -> None:
    pooled = [
        mempool.PooledTransaction(tx, pending=tx.nonce < 3, added_s=1_700_000_000) for tx in TXS
    ]
    stage.mempool.compute(
        mempool.ListPooled,
        lambda asked: tuple(
            one for one in pooled if asked.after is None or one.transaction.id > asked.after
        )[: asked.limit],
    )
    ids: list[str] = []
    request = pb.ListTransactionsRequest(page_size=2, sender=PAYER.public.hex())
    while True:
        page = stub.ListTransactions(request)
        for one in page.transactions:
            pending = one.transaction.nonce < 3
            assert (one.state == pb.TRANSACTION_STATE_PENDING) == pending
            assert one.add_time.seconds == 1_700_000_000
        ids += [one.transaction.id for one in page.transactions]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert ids == [tx.id.hex() for tx in TXS]
    assert {asked.sender for asked in stage.mempool.of(mempool.ListPooled)} == {PAYER.public}


@pytest.mark.parametrize("admission", [Admission.PENDING, Admission.QUEUED])
def test_submit_transaction_says_where_it_stands(
    stage: AdminStage, stub: Stub, admission: Admission
) -> None:
    stage.mempool.answer(mempool.SubmitTransaction, Submission(admission, TX.id))
    shown = stub.SubmitTransaction(pb.SubmitTransactionRequest(raw=TX.raw, validate_only=True))
    assert shown.id == TX.id.hex()
    assert pb.TransactionState.Name(shown.state) == f"TRANSACTION_STATE_{admission.name}"
    assert stage.mempool.of(mempool.SubmitTransaction) == [
        mempool.SubmitTransaction(TX.raw, validate_only=True)
    ]


@pytest.mark.parametrize(
    ("submission", "code", "reason"),
    [
        (
            Submission(Admission.KNOWN, TX.id),
            grpc.StatusCode.ALREADY_EXISTS,
            "TX_IN_MEMPOOL",
        ),
        (
            Submission(Admission.NONCE_TAKEN, TX.id),
            grpc.StatusCode.FAILED_PRECONDITION,
            "NONCE_TAKEN",
        ),
        (
            Submission(Admission.REJECTED, TX.id, Violation(Rule.BALANCE, "too little")),
            grpc.StatusCode.FAILED_PRECONDITION,
            "TX_REJECTED",
        ),
        (
            Submission(Admission.REJECTED, None, Violation(Rule.MALFORMED, "no")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "TX_MALFORMED",
        ),
        (
            Submission(Admission.SENDER_FULL, TX.id),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "SENDER_FULL",
        ),
        (
            Submission(Admission.POOL_FULL, TX.id),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "MEMPOOL_FULL",
        ),
    ],
)
def test_a_transaction_not_admitted_says_why(
    stage: AdminStage, stub: Stub, submission: Submission, code: object, reason: str
) -> None:
    stage.mempool.answer(mempool.SubmitTransaction, submission)
    refused = refusal_of(lambda: stub.SubmitTransaction(pb.SubmitTransactionRequest(raw=b"x")))
    assert (refused.code, refused.reason) == (code, reason)


def test_a_retry_with_a_request_id_gets_the_first_answer(stage: AdminStage, stub: Stub) -> None:
    stage.mempool.answer(mempool.SubmitTransaction, Submission(Admission.PENDING, TX.id))
    request = pb.SubmitTransactionRequest(raw=TX.raw, request_id="one")
    first = stub.SubmitTransaction(request)
    stage.mempool.answer(mempool.SubmitTransaction, Submission(Admission.KNOWN, TX.id))
    assert stub.SubmitTransaction(request) == first
    request.validate_only = True
    assert refusal_of(lambda: stub.SubmitTransaction(request)).reason == "REQUEST_ID_REUSED"


def test_get_transaction_shows_where_it_stands(stage: AdminStage, stub: Stub) -> None:
    pooled = mempool.PooledTransaction(TX, pending=False, added_s=1_700_000_000)
    stage.mempool.answer(mempool.GetPooled, pooled)
    request = pb.MempoolServiceGetTransactionRequest(id=TX.id.hex())
    shown = stub.GetTransaction(request).transaction
    assert (shown.transaction.raw, shown.state) == (TX.raw, pb.TRANSACTION_STATE_QUEUED)
    assert shown.add_time.seconds == 1_700_000_000
    assert stage.mempool.of(mempool.GetPooled) == [mempool.GetPooled(TX.id)]


def test_evict_transaction_says_what_is_queued_now(stage: AdminStage, stub: Stub) -> None:
    eviction = mempool.Eviction(TX, (TXS[2].id, TXS[1].id))
    stage.mempool.answer(mempool.EvictTransaction, eviction)
    answer = stub.EvictTransaction(pb.EvictTransactionRequest(id=TX.id.hex()))
    assert answer.transaction.raw == TX.raw
    assert list(answer.queued_ids) == [TXS[2].id.hex(), TXS[1].id.hex()]
    assert stage.mempool.of(mempool.EvictTransaction) == [mempool.EvictTransaction(TX.id)]


def test_a_transaction_that_is_not_there_is_not_found(stage: AdminStage, stub: Stub) -> None:
    stage.mempool.answer(mempool.GetPooled, None)
    stage.mempool.answer(mempool.EvictTransaction, None)
    one = pb.MempoolServiceGetTransactionRequest(id=TX.id.hex())
    other = pb.EvictTransactionRequest(id=TX.id.hex())
    for refused in (
        refusal_of(lambda: stub.GetTransaction(one)),
        refusal_of(lambda: stub.EvictTransaction(other)),
    ):
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "TX_NOT_IN_MEMPOOL")


@pytest.mark.parametrize("tx_id", ["", "ab", "AB" * 32, "zz" * 32])
def test_an_id_that_is_none_names_its_field(stub: Stub, tx_id: str) -> None:
    one = pb.MempoolServiceGetTransactionRequest(id=tx_id)
    other = pb.EvictTransactionRequest(id=tx_id)
    assert refusal_of(lambda: stub.GetTransaction(one)).fields == ("id",)
    assert refusal_of(lambda: stub.EvictTransaction(other)).fields == ("id",)


def test_a_reader_may_look_and_neither_submit_nor_evict(stage: AdminStage) -> None:
    stage.mempool.answer(
        mempool.GetPooled, mempool.PooledTransaction(TX, pending=True, added_s=1.0)
    )
    reader = stage.stub(Stub, readonly=True)
    reader.GetTransaction(pb.MempoolServiceGetTransactionRequest(id=TX.id.hex()))
    for refused in (
        refusal_of(lambda: reader.SubmitTransaction(pb.SubmitTransactionRequest(raw=TX.raw))),
        refusal_of(lambda: reader.EvictTransaction(pb.EvictTransactionRequest(id=TX.id.hex()))),
    ):
        assert refused.reason == "PERMISSION_MISSING"
        assert refused.metadata["permission"] == "mempool:write"
