"""The walk back: ancestors of an orphan, one search at a time (WIRE: field, 6, and extensions).

What is found is kept on disk until an ancestor is known; then the actor connects it upwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from actors.chain.orphans import Orphan, Orphans
from actors.chain.room import Room
from actors.chain.sync import Walk, judge_found, search_at
from actors.chain.tree import Header, Status
from actors.ledger.types import Block
from actors.peers.messages import DropPeer
from actors.search.messages import SearchEnded, StartSearch
from actors.tcp.messages import CloseReason, ConnId

log = logging.getLogger(__name__)


class WalkBack:
    """Holds orphans, and walks back from the highest of them: one walk at a time."""

    def __init__(self, room: Room, connect: Callable[[bytes], None], max_pending: int) -> None:
        """Take capabilities besides the room's.

        Args:
            room: Shared with the other handlers.
            connect: Called with a stored block whose children are pending or orphans.
            max_pending: How many blocks may wait on disk.
        """
        self._store, self._network, self._table = room.store, room.network, room.table
        self._to, self._me, self._tokens = room.to, room.me, room.tokens
        self._connect, self._max_pending = connect, max_pending
        self._walk: Walk | None = None
        self.orphans = Orphans()

    @property
    def busy(self) -> bool:
        return self._walk is not None

    def forget(self) -> None:
        """The links are gone; what was found stays on disk for the next walk."""
        self._walk = None

    def hold(self, orphan: Orphan) -> None:
        """Keep a block whose parent is unknown; on disk at once if it stands on a walk's blocks.

        Such a walk may have given up: then the peer that has the block is the one to go on with.
        """
        block, pending = orphan.block, self._store.is_pending
        if pending(block.hash) or (pending(block.parent_hash) and self._keep(block)):
            if self._walk is None:
                self._walk_on(_header(block), orphan.conn)
        else:
            self.orphans.add(orphan)

    def seek(self) -> None:
        """Start a walk if none is under way and an orphan promises a longer chain.

        Those of our kind of peer are left to the download.
        """
        if self._walk is not None:
            return
        height = self._store.tip().number
        orphan = self.orphans.highest(
            lambda held: held.block.number > height and not self._table.is_troupe(held.peer)
        )
        if orphan is None:
            return
        self.orphans.pop(orphan.block.hash)
        if self._keep(orphan.block):
            log.info("walking back from block %d", orphan.block.number)
            self._walk_on(_header(orphan.block), orphan.conn)

    def resume(self, conn: ConnId | None) -> None:
        """Go on with a walk that an earlier run, or a lost link, left behind; ``conn`` is new."""
        lowest = self._store.lowest_pending()
        if self._walk is not None and self._walk.attempt > 0:
            self._search(replace(self._walk, conn=conn, attempt=0))
        elif self._walk is None and lowest is not None:
            self._walk_on(lowest, conn)

    def take_children(self, base: bytes) -> tuple[Block, ...]:
        """The held blocks that stand on one. Pending ones stay on disk until they are imported."""
        return (*self.orphans.take_children(base), *self._store.pending_children(base))

    def refuse(self, block_hashes: Iterable[bytes | None]) -> None:
        """Forget pending blocks whose parent turned out to be none."""
        refused = [block_hash for block_hash in block_hashes if block_hash is not None]
        if refused:
            with self._store.transaction():
                self._store.remove_pending(refused)

    def on_stored(self) -> None:
        """Blocks were stored by other ways: perhaps the wanted one was among them."""
        walk = self._walk
        if walk is not None and self._store.header(walk.wanted) is not None:
            self._walk = None
            self._connect(walk.wanted)

    def on_ended(self, ended: SearchEnded) -> None:
        """Take the answer to the search of the moment, or ask somebody else."""
        walk = self._walk
        if walk is None or ended.token != walk.token:
            return
        if ended.answer is None:
            self._search(replace(walk, attempt=walk.attempt + 1))
            return
        block = judge_found(walk, ended.answer, self._network)
        if block is None:
            self._abandon("a block that can be no ancestor")
        elif self._keep(block):
            self._walk_on(_header(block), ended.conn)

    def _walk_on(self, at: Header, conn: ConnId | None) -> None:
        """Go down from a pending block over what we hold already, then search for what we do not."""
        self._walk = None
        while True:
            at = self._store.pending_root(at.hash) or at
            parent = self.orphans.pop(at.parent_hash)
            if parent is None or parent.block.number != at.number - 1:
                break
            if not self._keep(parent.block):
                return
            at = _header(parent.block)
        if self._store.header(at.parent_hash) is not None:
            self._connect(at.parent_hash)
        elif at.number <= 1:
            self._abandon("another genesis")
            peer = self._table.owner(conn)
            if peer is not None:
                self._to.peers.tell(DropPeer(peer, CloseReason.OTHER_NETWORK))
        else:
            self._search(Walk(at.parent_hash, at.number - 1, conn, token=0))

    def _search(self, walk: Walk) -> None:
        whom = search_at(walk, self._table.another(walk.conn))
        if whom is None:
            log.info("nobody has block %d of the walk back", walk.number)
            self._walk = None
            self.seek()
            return
        only, timeout_s = whom
        self._walk = walk = replace(walk, token=next(self._tokens))
        self._to.search.tell(
            StartSearch(walk.token, "block", walk.wanted, self._me, only, timeout_s)
        )

    def _keep(self, block: Block) -> bool:
        """Put a block on disk; False: there are too many, and all are given up."""
        if self._store.pending_at_most() >= self._max_pending:
            self._abandon("a chain longer than what may wait on disk")
            return False
        with self._store.transaction():
            self._store.add_pending(block)
        return True

    def _abandon(self, reason: str) -> None:
        """Forget all that is pending: what of it was sound comes again."""
        log.warning("the walk back ended: it met %s", reason)
        self._walk = None
        with self._store.transaction():
            self._store.clear_pending()
        self.seek()


def _header(block: Block) -> Header:
    return Header(block.hash, block.number, block.parent_hash, Status.STORED)
