"""Reasons, codes, and what a refusal carries."""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from troupe.admin.v1 import errors_pb2

from admin.errors import CODES, DOMAIN, MAX_TEXT_BYTES, Refusal, field_invalid, stopping


def test_every_reason_of_the_contract_has_a_status_code() -> None:
    reasons = set(errors_pb2.ErrorReason.values()) - {errors_pb2.ERROR_REASON_UNSPECIFIED}
    assert reasons == set(CODES)


def test_a_refusal_carries_its_reason_without_the_prefix_and_its_metadata() -> None:
    refusal = Refusal(errors_pb2.ERROR_REASON_TX_REJECTED, "no", rule="balance", tx_id="ab")
    info = error_details_pb2.ErrorInfo()
    assert refusal.status().details[0].Unpack(info)
    assert (info.reason, info.domain) == ("TX_REJECTED", DOMAIN)
    assert dict(info.metadata) == {"rule": "balance", "tx_id": "ab"}
    assert refusal.status().code == grpc.StatusCode.FAILED_PRECONDITION.value[0]


def test_a_refused_field_is_a_field_violation() -> None:
    bad = error_details_pb2.BadRequest()
    status = field_invalid("amount", "must be small").status()
    assert status.details[1].Unpack(bad)
    assert bad.field_violations[0].field == "amount"
    assert bad.field_violations[0].description == "amount must be small"


def test_only_what_is_unavailable_says_when_to_retry() -> None:
    retry = error_details_pb2.RetryInfo()
    assert stopping().status().details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1_000
    assert len(Refusal(errors_pb2.ERROR_REASON_MEMPOOL_FULL, "full").status().details) == 1


def test_what_a_caller_sent_too_much_of_is_repeated_in_part() -> None:
    for letter in ("x", "\N{EURO SIGN}"):
        long = letter * 5_000_000
        refusal = Refusal(errors_pb2.ERROR_REASON_BACKUP_EXISTS, long, field="path", path=long)
        assert refusal.message.startswith(letter * (MAX_TEXT_BYTES // 3))
        assert refusal.message.endswith(letter + "...")
        assert refusal.status().ByteSize() < 4 * MAX_TEXT_BYTES


def test_a_text_that_is_no_unicode_can_be_sent_all_the_same() -> None:
    refusal = Refusal(errors_pb2.ERROR_REASON_BACKUP_EXISTS, "no", path="/a\udcff")
    assert refusal.status().ByteSize() > 0
    assert refusal.metadata == {"path": "/a\\udcff"}
