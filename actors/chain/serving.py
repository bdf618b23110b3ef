"""What others ask of the chain: peers their requests, the search room its look-ups, people their views.

All of it reads the store and changes nothing.
"""

from __future__ import annotations

from actors.chain.locator import find_common
from actors.chain.messages import (
    AccountView,
    BlockView,
    GetAccount,
    GetBlock,
    ListBlocks,
    TransactionView,
)
from actors.chain.store import Reader, decode_stored
from actors.chain.tree import Status
from actors.chain.wire import MAX_BATCH_BLOCKS, decode_locator, encode_batch
from actors.ledger.types import HASH_BYTES, BlockRef

MAX_LISTED_BLOCKS = 1_000
"""ADMIN_API: the cap of a page."""


class Serving:
    """Answers from the store."""

    def __init__(self, store: Reader) -> None:
        self._store = store

    def blocks_after(self, request: bytes) -> bytes | None:
        """The answer to `chain:get_blocks`; None: the request is malformed and gets none."""
        locator = decode_locator(request)
        if locator is None:
            return None
        common = find_common(locator, self._store.header, self._store.is_canonical)
        if common is None:
            return b""
        return encode_batch(self._store.canonical_raws(common + 1, common + MAX_BATCH_BLOCKS))

    def look_up(self, query: bytes) -> bytes | None:
        """The block of a hash, of any connected branch that is not known to be invalid."""
        header = self._store.header(query) if len(query) == HASH_BYTES else None
        if header is None or header.status is Status.INVALID:
            return None
        return self._store.raw(query)

    def block(self, question: GetBlock) -> BlockView | None:
        tip = self._store.tip()
        block_hash = question.hash
        if question.number is not None:
            block_hash = self._hash_at(question.number, tip)
        block = None if block_hash is None else self._store.block(block_hash)
        if block is None:
            return None
        if not self._store.is_canonical(block.ref):
            return BlockView(block, canonical=False, confirmations=0)
        return BlockView(block, canonical=True, confirmations=tip.number - block.number + 1)

    def blocks(self, question: ListBlocks) -> tuple[BlockView, ...]:
        tip = self._store.tip()
        last = min(question.start, tip.number)
        count = max(0, min(question.limit, MAX_LISTED_BLOCKS))
        raws = self._store.canonical_raws(max(0, last - count + 1), last) if count else ()
        blocks = [decode_stored(raw) for raw in raws]
        return tuple(
            BlockView(block, canonical=True, confirmations=tip.number - block.number + 1)
            for block in reversed(blocks)
        )

    def transaction(self, tx_id: bytes) -> TransactionView | None:
        place = self._store.transaction_place(tx_id)
        view = None if place is None else self.block(GetBlock(number=place.number))
        if place is None or view is None:
            return None
        transaction = view.block.transactions[place.position]
        return TransactionView(transaction, view.block.ref, place.position, view.confirmations)

    def account(self, question: GetAccount) -> AccountView | None:
        tip = self._store.tip()
        number = tip.number if question.at_number is None else question.at_number
        block_hash = self._hash_at(number, tip)
        if block_hash is None:
            return None
        account = self._store.account_at(question.address, number)
        return AccountView(question.address, account, BlockRef(number, block_hash))

    def _hash_at(self, number: int, tip: BlockRef) -> bytes | None:
        """A number from outside may be any integer: SQLite takes only 64 bits of one."""
        return self._store.hash_at(number) if 0 <= number <= tip.number else None
