"""ChainService: blocks, the transactions in them, and the accounts behind them."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from typing import Any

from troupe.admin.v1 import chain_service_pb2, errors_pb2

from actors.chain.messages import (
    GetAccount,
    GetBlock,
    GetChain,
    GetTransaction,
    HistoryPruned,
    InvalidateBlock,
    ListAccounts,
    ListBlocks,
    ListTips,
    ReconsiderBlock,
    SteerOutcome,
    SteerVerdict,
    SubmitBlock,
    TipCursor,
)
from actors.ledger.types import HASH_BYTES, MAX_INTEGER, BlockRef
from actors.runtime.events import GetPosition
from admin import convert
from admin.errors import Refusal, require
from admin.paging import Page, page_of
from admin.services.chain_files import ChainFiles
from admin.verdicts import block_refusal, steer_refusal

STEER_TIMEOUT_S = 60.0
"""For the most blocks that one call may move, when they are full and the machine is slow."""
_NUMBER_BYTES = 8
_Word = InvalidateBlock | ReconsiderBlock


class ChainService(ChainFiles):
    """Shows the chain, and takes blocks for it."""

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
                sync_progress=convert.sync_progress(info.progress),
                import_progress=self.import_progress(),
                history_start_number=info.history_start,
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
        view = await self._asker.ask(self._house.reader, question)
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
        begin = int.from_bytes(page.cursor) if page.cursor is not None else start
        digests = await self._asker.ask(self._house.reader, ListBlocks(begin, page.size))
        last = digests[-1].number if digests else 0
        return chain_service_pb2.ListBlocksResponse(
            blocks=map(convert.block_summary, digests),
            next_page_token=page.token((last - 1).to_bytes(_NUMBER_BYTES)) if last > 0 else "",
            position=convert.position(*position),
        )

    async def GetTransaction(
        self, request: chain_service_pb2.GetTransactionRequest, _context: Any
    ) -> chain_service_pb2.GetTransactionResponse:
        question = GetTransaction(convert.hash_bytes("id", request.id))
        view = await self._asker.ask(self._house.reader, question)
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
        view = await self._asker.ask(self._house.reader, GetAccount(address, at))
        if view is None:
            raise _no_block(request.at_number)
        if isinstance(view, HistoryPruned):
            raise _pruned(view)
        return chain_service_pb2.GetAccountResponse(account=convert.account(view))

    async def ListAccounts(
        self, request: chain_service_pb2.ListAccountsRequest, _context: Any
    ) -> chain_service_pb2.ListAccountsResponse:
        number = _stored_number(request.at_number) if request.HasField("at_number") else None
        page = page_of(request, "ListAccounts", number)
        at, start = (number, b"") if page.cursor is None else _accounts_cursor(page.cursor)
        position = await self._asker.ask(self._house.events, GetPosition())  # before what it dates
        listed = await self._asker.ask(self._house.reader, ListAccounts(page.size, start, at))
        if listed is None:
            raise _outdated(at) if isinstance(at, BlockRef) else _no_block(request.at_number)
        if isinstance(listed, HistoryPruned):
            raise _pruned(listed)
        return chain_service_pb2.ListAccountsResponse(
            accounts=map(convert.account, listed.accounts),
            next_page_token=_accounts_token(page, listed.at, listed.next_start),
            at=convert.block_ref(listed.at),
            position=convert.position(*position),
        )

    async def ListTips(
        self, request: chain_service_pb2.ListTipsRequest, _context: Any
    ) -> chain_service_pb2.ListTipsResponse:
        page = page_of(request, "ListTips")
        start = None if page.cursor is None else _tips_cursor(page.cursor)
        position = await self._asker.ask(self._house.events, GetPosition())  # before what it dates
        listed = await self._asker.ask(self._house.reader, ListTips(page.size, start))
        return chain_service_pb2.ListTipsResponse(
            tips=map(convert.tip, listed.tips),
            next_page_token=_tips_token(page, listed.next_start),
            position=convert.position(*position),
        )

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

    async def InvalidateBlock(
        self, request: chain_service_pb2.InvalidateBlockRequest, _context: Any
    ) -> chain_service_pb2.InvalidateBlockResponse:
        verdict = await self._steer(InvalidateBlock(convert.hash_bytes("hash", request.hash)))
        return chain_service_pb2.InvalidateBlockResponse(
            tip=convert.block_ref(verdict.tip),
            changed=verdict.outcome is SteerOutcome.DONE,
            disconnected_count=verdict.disconnected,
            connected_count=verdict.connected,
        )

    async def ReconsiderBlock(
        self, request: chain_service_pb2.ReconsiderBlockRequest, _context: Any
    ) -> chain_service_pb2.ReconsiderBlockResponse:
        verdict = await self._steer(ReconsiderBlock(convert.hash_bytes("hash", request.hash)))
        return chain_service_pb2.ReconsiderBlockResponse(
            tip=convert.block_ref(verdict.tip),
            changed=verdict.outcome is SteerOutcome.DONE,
            disconnected_count=verdict.disconnected,
            connected_count=verdict.connected,
        )

    async def _steer(self, word: _Word) -> SteerVerdict:
        verdict = await self._asker.ask(self._house.chain, word, timeout_s=STEER_TIMEOUT_S)
        if refusal := steer_refusal(verdict, word.hash.hex()):
            raise refusal
        return verdict


def _accounts_token(page: Page, at: BlockRef, start: bytes | None) -> str:
    """The token of the page that begins with an address: it names the block of the whole listing."""
    if start is None:
        return ""
    return page.token(at.number.to_bytes(_NUMBER_BYTES) + at.hash + start)


def _accounts_cursor(cursor: bytes) -> tuple[BlockRef, bytes]:
    number, rest = int.from_bytes(cursor[:_NUMBER_BYTES]), cursor[_NUMBER_BYTES:]
    return BlockRef(number, rest[:HASH_BYTES]), rest[HASH_BYTES:]


def _tips_token(page: Page, start: TipCursor | None) -> str:
    if start is None:
        return ""
    return page.token(b"".join(n.to_bytes(_NUMBER_BYTES) for n in (start.number, start.arrival)))


def _tips_cursor(cursor: bytes) -> TipCursor:
    """Signed, as SQLite's integers are: a forged cursor is none that the store cannot be asked for."""
    number, arrival = cursor[:_NUMBER_BYTES], cursor[_NUMBER_BYTES : 2 * _NUMBER_BYTES]
    return TipCursor(int.from_bytes(number, signed=True), int.from_bytes(arrival, signed=True))


def _outdated(at: BlockRef) -> Refusal:
    message = f"block {at.number} that was listed is canonical no more: list again"
    reason = errors_pb2.ERROR_REASON_LISTING_OUTDATED
    return Refusal(reason, message, block_hash=at.hash.hex())


def _pruned(history: HistoryPruned) -> Refusal:
    start = history.start
    message = f"accounts are kept as of block {start} and later only (setting keep_history)"
    return Refusal(errors_pb2.ERROR_REASON_HISTORY_PRUNED, message, oldest=str(start))


def _stored_number(number: int) -> int:
    """A block number that the store can be asked for; none above it exists."""
    if number > MAX_INTEGER:
        raise _no_block(number)
    return number


def _no_block(number: int) -> Refusal:
    message = f"the canonical chain has no block {number}"
    return Refusal(errors_pb2.ERROR_REASON_BLOCK_NOT_FOUND, message)
