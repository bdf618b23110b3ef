"""WalletService over the wire: whatever goes wrong, a payment is made once at most."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from troupe.admin.v1 import mempool_service_pb2 as states
from troupe.admin.v1 import wallet_service_pb2 as pb
from troupe.admin.v1 import wallet_service_pb2_grpc

from actors.chain import messages as chain
from actors.ledger.codec import decode_transaction
from actors.ledger.keys import ED25519
from actors.ledger.state import check_transaction
from actors.ledger.types import BlockRef, Transaction
from actors.ledger.violation import Rule, Violation
from actors.mempool import messages as mempool
from actors.mempool.messages import Admission, Submission
from tests.support.admin_stage import (
    DEFER,
    AdminStage,
    hurried,
    refusal_of,
    refusal_once_begun,
)
from tests.support.ledger import key

PAYEE = key(ED25519, "payee").public.hex()
Stub = wallet_service_pb2_grpc.WalletServiceStub


class FakePool:
    """The answers of a mempool that admits the nonces in their order."""

    def __init__(self, stage: AdminStage) -> None:
        self.taken: list[Transaction] = []
        self.balance = 10_000
        self.verdict = Admission.PENDING
        self.violation: Violation | None = None
        stage.mempool.compute(mempool.GetFunds, lambda _asked: self.funds())
        stage.mempool.compute(
            mempool.SubmitTransaction,
            lambda asked: self.admit(asked.raw, validate_only=asked.validate_only),
        )
        stage.mempool.compute(mempool.GetPooled, self.find)

    def funds(self) -> mempool.Funds:
        return mempool.Funds(len(self.taken), self.balance - sum(tx.amount for tx in self.taken))

    def admit(self, raw: bytes, *, validate_only: bool = False) -> Submission:
        tx = decode_transaction(raw)
        assert isinstance(tx, Transaction)
        if validate_only:
            return Submission(self.verdict, tx.id, self.violation)
        if tx in self.taken:
            return Submission(Admission.KNOWN, tx.id)
        if tx.nonce != len(self.taken):
            return Submission(Admission.NONCE_TAKEN, tx.id)
        self.taken.append(tx)
        return Submission(Admission.PENDING, tx.id)

    def find(self, asked: mempool.GetPooled) -> mempool.PooledTransaction | None:
        found = [tx for tx in self.taken if tx.id == asked.tx_id]
        return mempool.PooledTransaction(found[0], pending=True, added_s=0) if found else None


def pay(amount: int = 25, request_id: str = "") -> pb.TransferRequest:
    return pb.TransferRequest(recipient=PAYEE, amount=amount, request_id=request_id)


def test_get_address_shows_the_public_key(stage: AdminStage) -> None:
    shown = stage.stub(Stub).GetAddress(pb.GetAddressRequest())
    assert (shown.address, shown.key_scheme) == (stage.wallet.public.hex(), "ed25519")


def test_a_transfer_is_signed_with_the_node_s_key(stage: AdminStage) -> None:
    pool = FakePool(stage)
    answer = stage.stub(Stub).Transfer(pay())
    (tx,) = pool.taken
    assert check_transaction(stage.network, tx) is None
    assert (tx.sender, tx.recipient.hex(), tx.nonce, tx.amount) == (
        stage.wallet.public,
        PAYEE,
        0,
        25,
    )
    assert answer.transaction.raw == tx.raw
    assert answer.state == states.TRANSACTION_STATE_PENDING


def test_a_transfer_beyond_the_balance_is_refused_and_nothing_submitted(stage: AdminStage) -> None:
    pool = FakePool(stage)
    stub = stage.stub(Stub)
    stub.Transfer(pay(9_000))
    refused = refusal_of(lambda: stub.Transfer(pay(1_001, "rent")))
    assert (refused.reason, refused.metadata["rule"]) == ("TX_REJECTED", "balance")
    assert refused.metadata["spendable"] == "1000"
    assert len(pool.taken) == 1
    pool.balance += 1
    assert stub.Transfer(pay(1_001, "rent")).transaction.nonce == 1


def test_transfers_at_the_same_time_take_different_nonces(stage: AdminStage) -> None:
    pool = FakePool(stage)
    stub = stage.stub(Stub)
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _n: stub.Transfer(pay()), range(24)))
    assert sorted(answer.transaction.nonce for answer in answers) == list(range(24))
    assert len(pool.taken) == 24


def test_a_retry_with_a_request_id_pays_once(stage: AdminStage) -> None:
    pool = FakePool(stage)
    stub = stage.stub(Stub)
    first = stub.Transfer(pay(request_id="rent"))
    assert stub.Transfer(pay(request_id="rent")) == first
    assert len(pool.taken) == 1
    assert refusal_of(lambda: stub.Transfer(pay(26, "rent"))).reason == "REQUEST_ID_REUSED"


def test_without_a_request_id_each_call_pays(stage: AdminStage) -> None:
    pool = FakePool(stage)
    stub = stage.stub(Stub)
    stub.Transfer(pay())
    stub.Transfer(pay())
    assert len(pool.taken) == 2


def test_a_retry_after_a_timeout_submits_the_same_transaction(stage: AdminStage) -> None:
    pool = FakePool(stage)
    stub = stage.stub(Stub)
    stage.mempool.compute(mempool.SubmitTransaction, lambda _asked: DEFER)
    with hurried(mempool.SubmitTransaction):
        refused = refusal_once_begun(lambda: stub.Transfer(pay(request_id="rent")))
    assert refused.reason == "ACTOR_TIMEOUT"
    (lost,) = stage.mempool.of(mempool.SubmitTransaction)
    pool.admit(lost.raw)
    stage.mempool.compute(mempool.SubmitTransaction, lambda asked: pool.admit(asked.raw))
    answer = stub.Transfer(pay(request_id="rent"))
    assert answer.transaction.raw == lost.raw
    assert answer.state == states.TRANSACTION_STATE_PENDING
    assert len(pool.taken) == 1


def test_a_retry_after_the_block_finds_the_payment_included(stage: AdminStage) -> None:
    pool = FakePool(stage)
    stub = stage.stub(Stub)
    stub.Transfer(pay(request_id="rent"))
    used = Submission(
        Admission.REJECTED, pool.taken[0].id, Violation(Rule.NONCE_USED, "nonce used")
    )
    stage.mempool.answer(mempool.SubmitTransaction, used)
    view = chain.TransactionView(pool.taken[0], BlockRef(1, bytes(32)), 0, 1)
    stage.reader.answer(chain.GetTransaction, view)
    answer = stub.Transfer(pay(request_id="rent"))
    assert answer.state == states.TRANSACTION_STATE_INCLUDED
    stage.reader.answer(chain.GetTransaction, None)
    assert refusal_of(lambda: stub.Transfer(pay(request_id="rent"))).reason == "TX_REJECTED"


def test_a_payment_surely_not_made_may_be_tried_again_under_its_id(stage: AdminStage) -> None:
    pool = FakePool(stage)
    stub = stage.stub(Stub)
    full = Submission(Admission.POOL_FULL, bytes(32))
    stage.mempool.answer(mempool.SubmitTransaction, full)
    assert refusal_of(lambda: stub.Transfer(pay(request_id="rent"))).reason == "MEMPOOL_FULL"
    stub_pool = FakePool(stage)
    stub_pool.taken.extend(pool.taken)
    stub.Transfer(pay(request_id="rent"))
    assert len(stub_pool.taken) == 1


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.TransferRequest(amount=1), "recipient"),
        (pb.TransferRequest(recipient="ab", amount=1), "recipient"),
        (pb.TransferRequest(recipient=PAYEE.upper(), amount=1), "recipient"),
        (pay(2**63), "amount"),
        (pay(1, "x" * 65), "request_id"),
    ],
)
def test_a_bad_transfer_names_its_field(
    stage: AdminStage, request_: pb.TransferRequest, field: str
) -> None:
    refused = refusal_of(lambda: stage.stub(Stub).Transfer(request_))
    assert (refused.reason, refused.fields) == ("FIELD_INVALID", (field,))


# -- signing --------------------------------------------------------------------------------------


def sign(amount: int = 25, nonce: int | None = None) -> pb.SignTransactionRequest:
    return pb.SignTransactionRequest(recipient=PAYEE, amount=amount, nonce=nonce)


def test_a_signed_transaction_is_valid_and_not_submitted(stage: AdminStage) -> None:
    pool = FakePool(stage)
    stub = stage.stub(Stub)
    stub.Transfer(pay())
    signed = stub.SignTransaction(sign()).transaction
    tx = decode_transaction(signed.raw)
    assert isinstance(tx, Transaction)
    assert check_transaction(stage.network, tx) is None
    assert (tx.sender, tx.recipient.hex(), tx.nonce, tx.amount) == (
        stage.wallet.public,
        PAYEE,
        1,
        25,
    )
    assert len(pool.taken) == 1
    assert stub.SignTransaction(sign()).transaction.nonce == 1


@pytest.mark.parametrize("nonce", [0, 7, 2**63 - 1])
def test_a_nonce_that_is_given_is_signed(stage: AdminStage, nonce: int) -> None:
    FakePool(stage)
    assert stage.stub(Stub).SignTransaction(sign(nonce=nonce)).transaction.nonce == nonce


def test_what_is_beyond_the_balance_is_not_signed(stage: AdminStage) -> None:
    FakePool(stage)
    refused = refusal_of(lambda: stage.stub(Stub).SignTransaction(sign(10_001)))
    assert (refused.reason, refused.metadata["rule"]) == ("TX_REJECTED", "balance")
    assert not stage.mempool.of(mempool.SubmitTransaction)


@pytest.mark.parametrize(
    ("verdict", "violation", "reason"),
    [
        (Admission.REJECTED, Violation(Rule.NONCE_USED, "nonce used"), "TX_REJECTED"),
        (Admission.NONCE_TAKEN, None, "NONCE_TAKEN"),
    ],
)
def test_what_could_not_be_included_is_not_handed_out(
    stage: AdminStage, verdict: Admission, violation: Violation | None, reason: str
) -> None:
    pool = FakePool(stage)
    pool.verdict, pool.violation = verdict, violation
    assert refusal_of(lambda: stage.stub(Stub).SignTransaction(sign())).reason == reason


@pytest.mark.parametrize(
    "verdict",
    [Admission.QUEUED, Admission.KNOWN, Admission.SENDER_FULL, Admission.POOL_FULL],
)
def test_a_lack_of_room_now_does_not_keep_it_from_being_signed(
    stage: AdminStage, verdict: Admission
) -> None:
    pool = FakePool(stage)
    pool.verdict = verdict
    assert stage.stub(Stub).SignTransaction(sign()).transaction.amount == 25


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.SignTransactionRequest(amount=1), "recipient"),
        (pb.SignTransactionRequest(recipient="ab", amount=1), "recipient"),
        (sign(2**63), "amount"),
        (sign(nonce=2**63), "nonce"),
    ],
)
def test_a_bad_request_to_sign_names_its_field(
    stage: AdminStage, request_: pb.SignTransactionRequest, field: str
) -> None:
    refused = refusal_of(lambda: stage.stub(Stub).SignTransaction(request_))
    assert (refused.reason, refused.fields) == ("FIELD_INVALID", (field,))


def test_a_reader_neither_signs_nor_pays(stage: AdminStage) -> None:
    reader = stage.stub(Stub, readonly=True)
    for refused in (
        refusal_of(lambda: reader.SignTransaction(sign())),
        refusal_of(lambda: reader.Transfer(pay())),
    ):
        assert refused.reason == "PERMISSION_MISSING"
        assert refused.metadata["permission"] == "wallet:write"
    assert not stage.mempool.told
