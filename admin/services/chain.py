"""ChainService: blocks, the transactions in them, and the accounts behind them."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from typing import Any

from troupe.admin.v1 import chain_service_pb2, chain_service_pb2_grpc, errors_pb2

from actors.chain.messages import (
    GetAccount,
    GetBlock,
    GetChain,
    GetTransaction,
    ListBlocks,
    SubmitBlock,
    digest_of,
)
from actors.ledger.types import MAX_INTEGER
from actors.runtime.events import GetPosition
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, require
from admin.house import House
from admin.paging import page_of
from admin.verdicts import block_refusal

_NUMBER_BYTES = 8


class ChainService(chain_service_pb2_grpc.ChainServiceServicer):
    """Shows the chain, and takes blocks for it."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker

    async def GetChain(
        self, _request: chain_service_pb2.GetChainRequest, _context: Any
    ) -> chain_service_pb2.GetChainResponse:
        info = await self._asker.ask(self._house.chain, GetChain())
        return chain_service_pb2.GetChainResponse(
            chain=chain_service_pb2.Chain(
                tip=convert.block_ref(info.tip),
                genesis_hash=info.genesis_hash.hex(),
                network=convert.network(self._house.network),
                sync_state=convert.SYNC_STATES[info.sync],
                best_known_height=info.best_known_height,
                orphan_count=info.orphans,
                side_block_count=info.side_blocks,
                supply=info.supply,
            )
        )

    async def GetBlock(
        self, request: chain_service_pb2.GetBlockRequest, _context: Any
    ) -> chain_service_pb2.GetBlockResponse:
        wanted = request.WhichOneof("block")
        require(wanted is not None, "block", "must be given by hash or by number")
        if wanted == "hash":
            question = GetBlock(hash=convert.hash_bytes("hash", request.hash))
        else:
            question = GetBlock(number=_stored_number(request.number))
        view = await self._asker.ask(self._house.chain, question)
        if view is None and wanted == "hash":
            message = f"no block of hash {request.hash} is stored"
            raise Refusal(errors_pb2.ERROR_REASON_BLOCK_NOT_FOUND, message)
        if view is None:
            raise _no_block(request.number)
        return chain_service_pb2.GetBlockResponse(
            block=convert.whole_block(view.block),
            canonical=view.canonical,
            confirmations=view.confirmations,
        )

    async def ListBlocks(
        self, request: chain_service_pb2.ListBlocksRequest, _context: Any
    ) -> chain_service_pb2.ListBlocksResponse:
        start = request.start_number if request.HasField("start_number") else None
        page = page_of(request, "ListBlocks", start)
        position = await self._asker.ask(self._house.events, GetPosition())  # before what it dates
        tip = (await self._asker.ask(self._house.chain, GetChain())).tip.number
        wanted = int.from_bytes(page.cursor) if page.cursor is not None else start
        begin = tip if wanted is None else min(wanted, tip)
        views = await self._asker.ask(self._house.chain, ListBlocks(begin, page.size))
        last = views[-1].block.number if views else 0
        return chain_service_pb2.ListBlocksResponse(
            blocks=[convert.block_summary(digest_of(view.block)) for view in views],
            next_page_token=page.token((last - 1).to_bytes(_NUMBER_BYTES)) if last > 0 else "",
            position=convert.position(*position),
        )

    async def GetTransaction(
        self, request: chain_service_pb2.GetTransactionRequest, _context: Any
    ) -> chain_service_pb2.GetTransactionResponse:
        question = GetTransaction(convert.hash_bytes("id", request.id))
        view = await self._asker.ask(self._house.chain, question)
        if view is None:
            message = f"no block of the canonical chain includes transaction {request.id}"
            raise Refusal(errors_pb2.ERROR_REASON_TX_NOT_FOUND, message)
        return chain_service_pb2.GetTransactionResponse(
            transaction=convert.transaction(view.transaction),
            block=convert.block_ref(view.block),
            index=view.index,
            confirmations=view.confirmations,
        )

    async def GetAccount(
        self, request: chain_service_pb2.GetAccountRequest, _context: Any
    ) -> chain_service_pb2.GetAccountResponse:
        address = convert.address_bytes("address", request.address)
        at = _stored_number(request.at_number) if request.HasField("at_number") else None
        view = await self._asker.ask(self._house.chain, GetAccount(address, at))
        if view is None:
            raise _no_block(request.at_number)
        return chain_service_pb2.GetAccountResponse(account=convert.account(view))

    async def SubmitBlock(
        self, request: chain_service_pb2.SubmitBlockRequest, _context: Any
    ) -> chain_service_pb2.SubmitBlockResponse:
        verdict = await self._asker.ask(
            self._house.chain, SubmitBlock(request.raw, request.validate_only)
        )
        if refusal := block_refusal(verdict):
            raise refusal
        assert verdict.hash is not None, "a block that was taken was decoded"
        return chain_service_pb2.SubmitBlockResponse(
            hash=verdict.hash.hex(), outcome=convert.BLOCK_OUTCOMES[verdict.outcome]
        )


def _stored_number(number: int) -> int:
    """A block number that the store can be asked for; none above it exists."""
    if number > MAX_INTEGER:
        raise _no_block(number)
    return number


def _no_block(number: int) -> Refusal:
    message = f"the canonical chain has no block {number}"
    return Refusal(errors_pb2.ERROR_REASON_BLOCK_NOT_FOUND, message)
