"""What others ask of the chain: peers their requests, the search room its look-ups, people their views.

All of it reads the store and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import assert_never

from actors.chain.messages import (
    AccountsPage,
    AccountView,
    BlockDigest,
    BlockView,
    GetAccount,
    GetBlock,
    GetTransaction,
    HistoryPruned,
    ListAccounts,
    ListBlocks,
    ListTips,
    ReaderCommand,
    TipsPage,
    TipStatus,
    TipView,
    TransactionView,
    digest_of,
)
from actors.chain.schema import REMEDY, StoreError
from actors.chain.store import Reader, decode_stored
from actors.chain.tree import Header, Status, parent_of
from actors.chain.wire import MAX_BATCH_BLOCKS, decode_locator, encode_batch
from actors.ledger.types import EMPTY_ACCOUNT, HASH_BYTES, BlockRef

MAX_LISTED_BLOCKS = MAX_LISTED_ACCOUNTS = MAX_LISTED_TIPS = 1_000
"""ADMIN_API: the cap of a page."""
MAX_WALKED_BLOCKS = 10_000
"""Of side branches, for one page of tips: 0.2 s. A branch begun is walked to its end."""

_TIP_STATUSES = {
    Status.STORED: TipStatus.UNEXECUTED,
    Status.VALID: TipStatus.VALID,
    Status.INVALID: TipStatus.INVALID,
    Status.INVALIDATED_STORED: TipStatus.INVALIDATED,
    Status.INVALIDATED_VALID: TipStatus.INVALIDATED,
}


class Serving:
    """Answers from the store."""

    def __init__(self, store: Reader, note: Callable[[StoreError], None] | None = None) -> None:
        """``note`` is told of the damaged block that an answer to a peer ends before; None: it is raised."""
        self._store, self._note = store, note

    def blocks_after(self, request: bytes) -> bytes | None:
        """The answer to `chain:get_blocks`; None: the request is malformed and gets none.

        It ends before the first block that is damaged: whoever asks has those before it, and gets the rest
        from others.
        """
        locator = decode_locator(request)
        if locator is None:
            return None
        common = self._store.newest_canonical(locator[:1])  # of a download under way it is this one
        if common is None:
            common = self._store.newest_canonical(locator[1:])
        if common is None:
            return b""
        raws = self._store.canonical_raws(common + 1, common + MAX_BATCH_BLOCKS)
        return encode_batch(self._sound(raws))

    def _sound(self, raws: Iterable[bytes]) -> Iterator[bytes]:
        """Those before the first that is damaged."""
        try:
            yield from raws
        except StoreError as error:
            if self._note is None:
                raise
            self._note(error)

    def look_up(self, query: bytes) -> bytes | None:
        """The block of a hash, of any connected branch that may be followed."""
        header = self._store.header(query) if len(query) == HASH_BYTES else None
        if header is None or not header.status.is_good:
            return None
        return self._store.raw(query)

    def answer(self, question: ReaderCommand) -> object:
        """The view that somebody asks for."""
        match question:
            case GetBlock():
                return self.block(question)
            case ListBlocks():
                return self.blocks(question)
            case GetTransaction(tx_id):
                return self.transaction(tx_id)
            case GetAccount():
                return self.account(question)
            case ListAccounts():
                return self.accounts(question)
            case ListTips():
                return self.tips(question)
            case _:
                assert_never(question)

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

    def blocks(self, question: ListBlocks) -> tuple[BlockDigest, ...]:
        """Each block is let go before the next one is read: a page may be of a thousand large ones."""
        tip = self._store.tip()
        last = tip.number if question.start is None else min(question.start, tip.number)
        count = max(0, min(question.limit, MAX_LISTED_BLOCKS))
        raws = self._store.canonical_raws(max(0, last - count + 1), last) if count else ()
        return tuple(digest_of(decode_stored(raw)) for raw in raws)[::-1]

    def transaction(self, tx_id: bytes) -> TransactionView | None:
        place = self._store.transaction_place(tx_id)
        view = None if place is None else self.block(GetBlock(number=place.number))
        if place is None or view is None:
            return None
        found = view.block.transactions[place.position : place.position + 1]
        if not found or found[0].id != tx_id:
            message = f"the index of transactions is damaged: {REMEDY}"
            raise StoreError(message)
        return TransactionView(found[0], view.block.ref, place.position, view.confirmations)

    def account(self, question: GetAccount) -> AccountView | HistoryPruned | None:
        tip = self._store.tip()
        number = tip.number if question.at_number is None else question.at_number
        block_hash = self._hash_at(number, tip)
        if block_hash is None:
            return None
        if (pruned := self._pruned(number)) is not None:
            return pruned
        account = self._store.account_at(question.address, number)
        return AccountView(question.address, account, BlockRef(number, block_hash))

    def accounts(self, question: ListAccounts) -> AccountsPage | HistoryPruned | None:
        at = self._canonical(question.at)
        if at is None:
            return None
        if (pruned := self._pruned(at.number)) is not None:
            return pruned
        limit = max(1, min(question.limit, MAX_LISTED_ACCOUNTS))
        addresses = self._store.addresses(question.start, limit + 1)
        views = [
            AccountView(address, self._store.account_at(address, at.number), at)
            for address in addresses[:limit]
        ]
        shown = tuple(view for view in views if view.account != EMPTY_ACCOUNT)
        return AccountsPage(at, shown, addresses[limit] if len(addresses) > limit else None)

    def _pruned(self, number: int) -> HistoryPruned | None:
        """Whether accounts as of this block are gone."""
        start = self._store.history_start()
        return HistoryPruned(start) if number < start else None

    def _canonical(self, at: int | BlockRef | None) -> BlockRef | None:
        """The canonical block that is meant, if it is one."""
        tip = self._store.tip()
        if at is None:
            return tip
        number = at if isinstance(at, int) else at.number
        block_hash = self._hash_at(number, tip)
        if block_hash is None or (isinstance(at, BlockRef) and at.hash != block_hash):
            return None
        return BlockRef(number, block_hash)

    def tips(self, question: ListTips) -> TipsPage:
        limit = max(1, min(question.limit, MAX_LISTED_TIPS))
        found = self._store.tips(question.start, limit + 1)
        forks: dict[bytes, BlockRef] = {}
        views: list[TipView] = []
        for place, header in found:
            if len(views) == limit or len(forks) >= MAX_WALKED_BLOCKS:
                return TipsPage(tuple(views), place)
            fork = self._fork(header, forks)
            status = _TIP_STATUSES[header.status]
            if fork == header.ref:
                status = TipStatus.CANONICAL
            views.append(TipView(header.ref, status, fork))
        return TipsPage(tuple(views), None)

    def _fork(self, header: Header, forks: dict[bytes, BlockRef]) -> BlockRef:
        """The canonical block that a branch stands on; ``forks`` has those of all blocks walked over."""
        walked: list[bytes] = []
        at = header
        while at.hash not in forks and not self._store.is_canonical(at.ref):
            walked.append(at.hash)
            at = parent_of(at, self._store.header)
        fork = forks.get(at.hash, at.ref)
        forks.update(dict.fromkeys(walked, fork))
        return fork

    def _hash_at(self, number: int, tip: BlockRef) -> bytes | None:
        """A number from outside may be any integer: SQLite takes only 64 bits of one."""
        return self._store.hash_at(number) if 0 <= number <= tip.number else None
