"""What is remembered for a request id."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from troupe.admin.v1 import errors_pb2, mempool_service_pb2, wallet_service_pb2

from actors.mempool.messages import Admission, Submission, SubmitTransaction
from admin.asks import Asker
from admin.errors import Refusal
from admin.retries import MAX_REMEMBERED, MAX_REQUEST_ID_CHARS, Retries
from admin.services.mempool import MempoolService
from tests.support.admin_stage import WAIT_S, staged

Request = wallet_service_pb2.TransferRequest
FIVE = Request(recipient="ab", amount=5, request_id="a")


def test_the_same_request_recalls_its_outcome() -> None:
    retries: Retries[str] = Retries()
    assert retries.recall("a", FIVE) is None
    retries.remember("a", FIVE, "done")
    assert retries.recall("a", FIVE) == "done"


def test_another_request_of_the_same_id_is_refused() -> None:
    retries: Retries[str] = Retries()
    retries.remember("a", FIVE, "done")
    with pytest.raises(Refusal) as caught:
        retries.recall("a", Request(recipient="ab", amount=6, request_id="a"))
    assert caught.value.reason == errors_pb2.ERROR_REASON_REQUEST_ID_REUSED


def test_nothing_is_kept_for_an_empty_id_or_after_forgetting() -> None:
    retries: Retries[str] = Retries()
    retries.remember("", FIVE, "done")
    retries.remember("a", FIVE, "done")
    retries.forget("a")
    retries.forget("never")
    assert retries.recall("", FIVE) is None
    assert retries.recall("a", FIVE) is None


def test_the_oldest_is_forgotten_first() -> None:
    retries: Retries[int] = Retries()
    for number in range(MAX_REMEMBERED + 1):
        retries.remember(str(number), FIVE, number)
    assert retries.recall("0", FIVE) is None
    assert retries.recall("1", FIVE) == 1


def test_a_long_id_is_refused() -> None:
    retries: Retries[str] = Retries()
    with pytest.raises(Refusal) as caught:
        retries.recall("x" * (MAX_REQUEST_ID_CHARS + 1), FIVE)
    assert caught.value.field == "request_id"


def test_a_retry_that_overtakes_the_answer_submits_nothing(tmp_path: Path) -> None:
    request = mempool_service_pb2.SubmitTransactionRequest(raw=b"tx", request_id="a")
    with staged(tmp_path) as stage:
        stage.mempool.answer(SubmitTransaction, Submission(Admission.PENDING, bytes(32)))

        async def submit_twice() -> list[mempool_service_pb2.SubmitTransactionResponse]:
            asker = Asker(stage.supervisor.address, timeout_s=WAIT_S)
            service = MempoolService(stage.house, asker)
            return await asyncio.gather(
                *(service.SubmitTransaction(request, None) for _ in range(2))
            )

        first, second = asyncio.run(submit_twice())
        assert first == second
        assert len(stage.mempool.of(SubmitTransaction)) == 1
