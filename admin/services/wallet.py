"""WalletService: the node's own key."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

import asyncio
from typing import Any

from troupe.admin.v1 import (
    errors_pb2,
    mempool_service_pb2,
    wallet_service_pb2,
    wallet_service_pb2_grpc,
)

from actors.chain.messages import GetTransaction
from actors.ledger.codec import make_transaction, signing_bytes
from actors.ledger.types import MAX_INTEGER, Transaction
from actors.ledger.violation import Rule
from actors.mempool.messages import Admission, GetFunds, GetPooled, Submission, SubmitTransaction
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, require
from admin.house import House
from admin.retries import Retries
from admin.verdicts import beyond_balance, submission_refusal

State = mempool_service_pb2.TransactionState


class WalletService(wallet_service_pb2_grpc.WalletServiceServicer):
    """Shows the node's address, signs for it and pays from it.

    Transfers are made one at a time, so that no two take the same nonce. What is kept for a request id is
    the *signed transaction*, from before it is submitted: a retry can only submit the same one, which the
    ledger includes once at most.
    """

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker
        self._signed: Retries[Transaction] = Retries()
        self._paying = asyncio.Lock()

    async def GetAddress(
        self, _request: wallet_service_pb2.GetAddressRequest, _context: Any
    ) -> wallet_service_pb2.GetAddressResponse:
        return wallet_service_pb2.GetAddressResponse(
            address=self._house.wallet.public.hex(), key_scheme=self._house.network.key_scheme
        )

    async def Transfer(
        self, request: wallet_service_pb2.TransferRequest, _context: Any
    ) -> wallet_service_pb2.TransferResponse:
        recipient = self._recipient(request)
        async with self._paying:
            signed = self._signed.recall(request.request_id, request)
            if signed is None:
                signed = await self._sign(recipient, request.amount)
                self._signed.remember(request.request_id, request, signed)
                state = await self._submit_first(signed, request.request_id)
            else:
                state = await self._submit_again(signed)
        return wallet_service_pb2.TransferResponse(
            transaction=convert.transaction(signed), state=state
        )

    async def SignTransaction(
        self, request: wallet_service_pb2.SignTransactionRequest, _context: Any
    ) -> wallet_service_pb2.SignTransactionResponse:
        recipient = self._recipient(request)
        require(request.nonce <= MAX_INTEGER, "nonce", f"must be at most {MAX_INTEGER}")
        nonce = request.nonce if request.HasField("nonce") else None
        signed = await self._sign(recipient, request.amount, nonce)
        submission = await self._asker.ask(
            self._house.mempool, SubmitTransaction(signed.raw, validate_only=True)
        )
        refusal = submission_refusal(submission)
        if refusal is not None and submission.admission not in _NOT_NOW:
            raise refusal
        return wallet_service_pb2.SignTransactionResponse(transaction=convert.transaction(signed))

    def _recipient(
        self,
        request: wallet_service_pb2.TransferRequest | wallet_service_pb2.SignTransactionRequest,
    ) -> bytes:
        """Who is paid, once recipient and amount are checked."""
        recipient = convert.address_bytes("recipient", request.recipient)
        is_key = self._house.network.scheme.is_standard_address(recipient)
        require(is_key, "recipient", "must be a public key of the network's scheme")
        require(request.amount <= MAX_INTEGER, "amount", f"must be at most {MAX_INTEGER}")
        return recipient

    async def _sign(self, recipient: bytes, amount: int, nonce: int | None = None) -> Transaction:
        """Sign what is left to spend, with the next nonce unless one is given."""
        key = self._house.wallet
        funds = await self._asker.ask(self._house.mempool, GetFunds(key.public))
        if amount > funds.spendable:
            raise beyond_balance(amount, funds.spendable)
        nonce = funds.next_nonce if nonce is None else nonce
        signature = key.sign(signing_bytes(key.public, recipient, nonce, amount))
        return make_transaction(key.public, recipient, nonce, amount, signature)

    async def _submit_first(self, signed: Transaction, request_id: str) -> State.ValueType:
        try:
            submission = await self._submit(signed)
            if refusal := submission_refusal(submission):
                raise refusal
        except Refusal as refusal:
            if refusal.reason not in _OUTCOME_UNKNOWN:
                self._signed.forget(request_id)  # it is surely not paid: a retry may sign afresh
            raise
        return convert.transaction_state(submission.admission is Admission.PENDING)

    async def _submit_again(self, signed: Transaction) -> State.ValueType:
        """Where a transaction stands that may be in the pool, or in a block, since an earlier call."""
        submission = await self._submit(signed)
        if submission.admission is Admission.KNOWN:
            pooled = await self._asker.ask(self._house.mempool, GetPooled(signed.id))
            if pooled is not None:
                return convert.transaction_state(pooled.pending)
        if submission.admission is Admission.KNOWN or _nonce_is_used(submission):
            included = await self._asker.ask(self._house.reader, GetTransaction(signed.id))
            if included is not None:
                return mempool_service_pb2.TRANSACTION_STATE_INCLUDED
        if refusal := submission_refusal(submission):
            raise refusal
        return convert.transaction_state(submission.admission is Admission.PENDING)

    async def _submit(self, signed: Transaction) -> Submission:
        return await self._asker.ask(self._house.mempool, SubmitTransaction(signed.raw))


_NOT_NOW = frozenset({Admission.KNOWN, Admission.SENDER_FULL, Admission.POOL_FULL})
"""What is said of a transaction that breaks no rule: it is there, or there is no room for it now."""
_OUTCOME_UNKNOWN = frozenset(
    {errors_pb2.ERROR_REASON_ACTOR_TIMEOUT, errors_pb2.ERROR_REASON_ACTOR_DOWN}
)
"""After these the pool may hold the transaction, and may have announced it."""


def _nonce_is_used(submission: Submission) -> bool:
    return submission.violation is not None and submission.violation.rule is Rule.NONCE_USED
