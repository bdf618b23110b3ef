"""MempoolService: transactions that wait to be included."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

import asyncio
from typing import Any

from troupe.admin.v1 import errors_pb2, mempool_service_pb2, mempool_service_pb2_grpc

from actors.mempool.messages import (
    Admission,
    EvictTransaction,
    GetPool,
    GetPooled,
    ListPooled,
    SubmitTransaction,
)
from actors.runtime.events import GetPosition
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal
from admin.house import House
from admin.paging import page_of
from admin.retries import Retries
from admin.verdicts import submission_refusal

Submitted = mempool_service_pb2.SubmitTransactionResponse


class MempoolService(mempool_service_pb2_grpc.MempoolServiceServicer):
    """Shows the pool, and takes transactions for it."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker
        self._retries: Retries[Submitted] = Retries()
        self._retrying = asyncio.Lock()

    async def GetMempool(
        self, _request: mempool_service_pb2.GetMempoolRequest, _context: Any
    ) -> mempool_service_pb2.GetMempoolResponse:
        info = await self._asker.ask(self._house.mempool, GetPool())
        return mempool_service_pb2.GetMempoolResponse(
            mempool=mempool_service_pb2.Mempool(
                pending_count=info.pending,
                queued_count=info.queued,
                sender_count=info.senders,
                size_bytes=info.bytes,
                max_pending_count=info.max_pending,
                max_queued_count=info.max_queued,
            )
        )

    async def ListTransactions(
        self, request: mempool_service_pb2.ListTransactionsRequest, _context: Any
    ) -> mempool_service_pb2.ListTransactionsResponse:
        page = page_of(request, "ListTransactions", request.sender)
        sender = convert.address_bytes("sender", request.sender) if request.sender else None
        position = await self._asker.ask(self._house.events, GetPosition())  # before what it dates
        pooled = await self._asker.ask(
            self._house.mempool, ListPooled(page.size + 1, page.cursor, sender)
        )
        shown = pooled[: page.size]
        return mempool_service_pb2.ListTransactionsResponse(
            transactions=[convert.pooled_transaction(entry) for entry in shown],
            next_page_token=page.token(shown[-1].transaction.id) if len(pooled) > page.size else "",
            position=convert.position(*position),
        )

    async def GetTransaction(
        self, request: mempool_service_pb2.MempoolServiceGetTransactionRequest, _context: Any
    ) -> mempool_service_pb2.MempoolServiceGetTransactionResponse:
        tx_id = convert.hash_bytes("id", request.id)
        pooled = await self._asker.ask(self._house.mempool, GetPooled(tx_id))
        if pooled is None:
            raise _not_pooled(request.id)
        return mempool_service_pb2.MempoolServiceGetTransactionResponse(
            transaction=convert.pooled_transaction(pooled)
        )

    async def SubmitTransaction(
        self, request: mempool_service_pb2.SubmitTransactionRequest, _context: Any
    ) -> Submitted:
        if not request.request_id:
            return await self._submit(request)
        async with self._retrying:  # a retry waits for the call that it repeats
            earlier = self._retries.recall(request.request_id, request)
            if earlier is not None:
                return earlier
            response = await self._submit(request)
            self._retries.remember(request.request_id, request, response)
            return response

    async def _submit(self, request: mempool_service_pb2.SubmitTransactionRequest) -> Submitted:
        submission = await self._asker.ask(
            self._house.mempool, SubmitTransaction(request.raw, request.validate_only)
        )
        if refusal := submission_refusal(submission):
            raise refusal
        assert submission.tx_id is not None, "a transaction that was admitted was decoded"
        return Submitted(
            id=submission.tx_id.hex(),
            state=convert.transaction_state(submission.admission is Admission.PENDING),
        )

    async def EvictTransaction(
        self, request: mempool_service_pb2.EvictTransactionRequest, _context: Any
    ) -> mempool_service_pb2.EvictTransactionResponse:
        tx_id = convert.hash_bytes("id", request.id)
        eviction = await self._asker.ask(self._house.mempool, EvictTransaction(tx_id))
        if eviction is None:
            raise _not_pooled(request.id)
        return mempool_service_pb2.EvictTransactionResponse(
            transaction=convert.transaction(eviction.transaction),
            queued_ids=[each.hex() for each in eviction.queued],
        )


def _not_pooled(digits: str) -> Refusal:
    message = f"the mempool does not hold transaction {digits}"
    return Refusal(errors_pb2.ERROR_REASON_TX_NOT_IN_MEMPOOL, message)
