"""Each verdict of a room has its reason, and none is forgotten."""

from __future__ import annotations

import pytest
from troupe.admin.v1 import errors_pb2

from actors.chain.messages import BlockOutcome, BlockVerdict
from actors.ledger.violation import Rule, Violation
from actors.mempool.messages import Admission, Submission
from actors.miner.messages import MinerRefusal
from actors.peers.messages import BanRefusal, ConnectOutcome
from admin import convert
from admin.verdicts import (
    ban_refusal,
    block_refusal,
    connect_refusal,
    miner_refusal,
    submission_refusal,
)

ID = bytes(range(32))
BALANCE = Violation(Rule.BALANCE, "too little", transaction_index=3)


@pytest.mark.parametrize("admission", list(Admission))
def test_each_admission_is_a_success_or_names_its_transaction(admission: Admission) -> None:
    refusal = submission_refusal(Submission(admission, ID, BALANCE))
    if admission in {Admission.PENDING, Admission.QUEUED}:
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal.metadata["tx_id"] == ID.hex()


def test_a_rejected_transaction_names_its_rule() -> None:
    refusal = submission_refusal(Submission(Admission.REJECTED, ID, BALANCE))
    assert refusal is not None
    assert refusal.reason == errors_pb2.ERROR_REASON_TX_REJECTED
    assert refusal.metadata["rule"] == "balance"


def test_bytes_that_are_no_transaction_are_a_bad_field() -> None:
    malformed = Violation(Rule.MALFORMED, "upper case")
    refusal = submission_refusal(Submission(Admission.REJECTED, None, malformed))
    assert refusal is not None
    assert refusal.reason == errors_pb2.ERROR_REASON_TX_MALFORMED
    assert (refusal.field, refusal.metadata["rule"]) == ("raw", "malformed")


@pytest.mark.parametrize("outcome", list(BlockOutcome))
def test_each_block_outcome_is_either_shown_or_refused(outcome: BlockOutcome) -> None:
    refusal = block_refusal(BlockVerdict(outcome, ID, BALANCE))
    assert (refusal is None) == (outcome in convert.BLOCK_OUTCOMES)


def test_an_invalid_block_names_rule_and_transaction() -> None:
    refusal = block_refusal(BlockVerdict(BlockOutcome.INVALID, ID, BALANCE))
    assert refusal is not None
    assert refusal.reason == errors_pb2.ERROR_REASON_BLOCK_REJECTED
    assert refusal.metadata == {
        "rule": "balance",
        "block_hash": ID.hex(),
        "transaction_index": "3",
    }


def test_bytes_that_are_no_block_are_a_bad_field() -> None:
    refusal = block_refusal(BlockVerdict(BlockOutcome.INVALID, None))
    assert refusal is not None
    assert refusal.reason == errors_pb2.ERROR_REASON_BLOCK_MALFORMED


@pytest.mark.parametrize("outcome", list(ConnectOutcome))
def test_each_connect_outcome_is_a_success_or_refused(outcome: ConnectOutcome) -> None:
    refusal = connect_refusal(outcome, "127.0.0.1:1")
    done = outcome in {ConnectOutcome.CONNECTED, ConnectOutcome.ALREADY_CONNECTED}
    assert (refusal is None) == done


@pytest.mark.parametrize("refusal", list(MinerRefusal))
def test_each_refusal_of_the_miner_has_a_reason(refusal: MinerRefusal) -> None:
    assert miner_refusal(refusal).reason != errors_pb2.ERROR_REASON_UNSPECIFIED


@pytest.mark.parametrize("refusal", list(BanRefusal))
def test_each_refusal_of_a_ban_has_a_reason(refusal: BanRefusal) -> None:
    assert ban_refusal(refusal).reason != errors_pb2.ERROR_REASON_UNSPECIFIED
