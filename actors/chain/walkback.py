"""The walk back: ancestors of an orphan, one search at a time (WIRE: field, 6, and extensions).

What is found is kept on disk until an ancestor is known; then the actor connects it upwards. Pending
blocks form lines: a root whose parent is wanted, and all that stands on it. A line whose search ended in
vain waits for its next turn.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from actors.chain.line import MAX_CONNECTING, Line
from actors.chain.orphans import Orphan, Orphans
from actors.chain.room import Room
from actors.chain.sync import YIELDING_ATTEMPT, Walk, judge_found, search_at
from actors.chain.tree import Header, Status
from actors.chain.wire import MAX_BATCH_BLOCKS, MAX_BATCH_BYTES
from actors.ledger.types import Block
from actors.ledger.violation import Rule, Violation
from actors.peers.messages import DropPeer
from actors.runtime.restraint import Restraint
from actors.search.messages import SearchEnded, StartSearch
from actors.tcp.messages import CloseReason, ConnId

log = logging.getLogger(__name__)

MAX_LINES = 16
"""That wait for a turn. Each took a walk that ended in vain, two minutes: more of them are a liar's, but for those
that a start finds: a repair leaves one for each gap."""
COMPARED_BLOCKS = 1_000
"""Lines are compared by their work, which is their blocks, up to so many: beyond, all count the same."""


class WalkBack:
    """Holds orphans, and walks back from one at a time: from new ones, by peer, and from waiting lines in turns.

    Each waiting line has one turn for every new peer and every new block of a line, so none keeps
    another from it, and a line that nobody can complete is not searched for again and again. A turn is in
    parts: while others wait, a walk that finds nothing lets them go first.
    """

    def __init__(
        self, room: Room, line: Line, continue_soon: Callable[[], None], max_pending: int
    ) -> None:
        """Take capabilities besides the room's.

        Args:
            room: Shared with the other handlers.
            line: Where blocks go when their ancestors are known.
            continue_soon: Called when there are some: :meth:`line_up` shall be in a turn of its own.
            max_pending: How many blocks may wait on disk.
        """
        self._store, self._network, self._table = room.store, room.network, room.table
        self._to, self._me, self._tokens = room.to, room.me, room.tokens
        self._line, self._continue_soon, self._max_pending = line, continue_soon, max_pending
        self._clock, self._said = room.clock, Restraint(log)
        self._bases: deque[bytes] = deque()
        """Blocks whose held children are to be lined up: stored, or in the line before them."""
        self._walk: Walk | None = None
        self._lines: dict[bytes, int | None] = {}
        """The roots of the waiting lines, the next in turn first, and with which attempt it goes on. None: it
        had its turn on the last news. Some may be pending no more."""
        self._most_lines = MAX_LINES
        self._line_is_next = False
        self._conn: ConnId | None = None
        self.orphans = Orphans()

    @property
    def busy(self) -> bool:
        return self._walk is not None

    def left(self) -> int:
        """How many blocks are to be found if the branch leaves ours at the tip: the fewest."""
        height = self._store.tip().number
        return 0 if self._walk is None else max(1, self._walk.number - height)

    def forget(self) -> None:
        """The links are gone; what was found stays on disk, and its line is the next in turn."""
        if self._walk is not None:
            self._lines = {self._walk.child: None, **self._lines}
        self._walk = self._conn = None

    def start(self) -> None:
        """Go on with what an earlier run or a repair left behind, the newest first."""
        self._lines = dict.fromkeys(self._store.pending_roots(), 0)
        self._most_lines = max(MAX_LINES, len(self._lines))
        self.resume(None)

    def hold(self, orphan: Orphan) -> Violation | None:
        """Keep a block whose parent is unknown; on disk at once if it stands on a walk's blocks.

        Such a walk may have given up: then the peer that has the block is the one to go on with.

        Returns:
            What is wrong with the block, if its parent is pending and has another number.
        """
        block, parent = orphan.block, self._store.pending_header(orphan.block.parent_hash)
        if parent is not None and block.number != parent.number + 1:
            return Violation(Rule.NUMBER, f"number {block.number} does not follow {parent.number}")
        if self._store.pending_header(block.hash) is None:
            if parent is None or self._is_full():
                self.orphans.add(orphan)
                return None
            with self._store.transaction():
                self._store.add_pending(block)
        if self._walk is None:
            self._walk_on(_header(block), orphan.conn)
        else:
            self._lines = {root: attempt or 0 for root, attempt in self._lines.items()}
        return None

    def seek(self) -> None:
        """Start a walk if none is under way: from a new orphan and from a waiting line in turns."""
        if self._walk is not None:
            return
        if self._line_is_next:
            _ = self._seek_line() or self._seek_orphan()
        else:
            _ = self._seek_orphan() or self._seek_line()

    def _seek_line(self) -> bool:
        """Give the next waiting line its turn."""
        for root, attempt in tuple(self._lines.items()):
            if attempt is None:
                continue
            del self._lines[root]
            header = self._store.pending_header(root)
            if header is not None:
                self._say("walking back on from block %d", header.number)
                self._line_is_next = False
                self._walk_on(header, self._conn, attempt)
                return True
        return False

    def _seek_orphan(self) -> bool:
        """Begin a line with an orphan that promises a longer chain."""
        orphan = self.orphans.take_turn(self._promising())
        if orphan is None:
            return False
        self._line_is_next = True
        if self._keep(orphan.block, orphan.block.hash):
            self._say("walking back from block %d", orphan.block.number)
            self._walk_on(_header(orphan.block), orphan.conn)
        return True

    def _promising(self) -> Callable[[Orphan], bool]:
        """Which orphans are worth a walk; those of our kind of peer are left to the download."""
        height = self._store.tip().number
        return lambda held: held.block.number > height and not self._table.is_troupe(held.peer)

    def resume(self, conn: ConnId | None) -> None:
        """Give every waiting line a turn, and the walk under way another start; ``conn`` is new."""
        self._lines = dict.fromkeys(self._lines, 0)
        self._conn, self._line_is_next = conn, True
        if self._walk is None:
            self._seek_line()
        elif self._walk.attempt > 0:
            self._search(replace(self._walk, conn=conn, attempt=0))

    # -- upwards again ----------------------------------------------------------------------------

    @property
    def is_connecting(self) -> bool:
        """Whether held blocks are on their way into the store, or are to be."""
        return bool(self._bases) or self._line.connecting > 0

    @property
    def can_line_up(self) -> bool:
        return bool(self._bases) and self._line.connecting < MAX_CONNECTING

    def connect(self, base: bytes) -> None:
        """See to the held blocks, if any, that stand on one that is stored now."""
        is_awaited = self._store.pending_count() > 0 and self._store.is_awaited(base)
        if is_awaited or self.orphans.stands_on(base):
            self._bases.append(base)
            self._continue_soon()

    def line_up(self) -> None:
        """Put about as many held blocks into the line as a download brings at once, if it has room for them.

        Those that are in it already are passed by: another block may stand on them.
        """
        if not self.can_line_up:
            return
        batch: list[Block] = []
        size_bytes = 0
        while self._bases and len(batch) < MAX_BATCH_BLOCKS and size_bytes < MAX_BATCH_BYTES:
            children = self._take_children(self._bases.popleft())
            self._bases.extend(child.hash for child in children)
            fresh = [child for child in children if self._line.header(child.hash) is None]
            batch += fresh
            size_bytes += sum(len(child.raw) for child in fresh)
        if batch:
            self._line.add(batch, None)

    def _take_children(self, base: bytes) -> tuple[Block, ...]:
        """The held blocks that stand on one. Pending ones stay on disk until they are imported."""
        pending = self._store.pending_children(base)  # first: where it fails, no orphan is lost
        return (*self.orphans.take_children(base), *pending)

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
            self.connect(walk.wanted)

    def on_ended(self, ended: SearchEnded) -> int:
        """Take the answer to the search of the moment, or ask somebody else; how many blocks it brought."""
        walk = self._walk
        if walk is None or ended.token != walk.token:
            return 0
        if ended.answer is None:
            self._search(replace(walk, attempt=walk.attempt + 1))
            return 0
        block = judge_found(walk, ended.answer, self._network)
        if block is None:
            self._abandon(walk.child, "a block that can be no ancestor")
        elif self._keep(block, walk.child):
            self._walk_on(_header(block), ended.conn)
            return 1
        return 0

    def _walk_on(self, at: Header, conn: ConnId | None, attempt: int = 0) -> None:
        """Go down from a pending block over what we hold already, then search for what we do not."""
        self._walk = None
        while True:
            at = self._store.pending_root(at.hash) or at
            self._lines.pop(at.hash, None)
            parent = self.orphans.get(at.parent_hash)
            if parent is None:
                break
            if parent.block.number != at.number - 1:
                self._abandon(at.hash, "a block that can be no ancestor")
                return
            if not self._keep(parent.block, at.hash):
                return
            at = _header(parent.block)
        if self._store.header(at.parent_hash) is not None:
            self.connect(at.parent_hash)
        elif at.number <= 1:
            self._abandon(at.hash, "another genesis")
            peer = self._table.owner(conn)
            if peer is not None:
                self._to.peers.tell(DropPeer(peer, CloseReason.OTHER_NETWORK, conn))
        else:
            walk = Walk(at.hash, at.parent_hash, at.number - 1, conn, 0, attempt)
            self._search(walk, is_first=True)

    def _search(self, walk: Walk, *, is_first: bool = False) -> None:
        whom = search_at(walk, self._table.another(walk.conn))
        if whom is None:
            self._say("nobody has block %d of the walk back", walk.number)
            self._walk = None
            self._wait(walk.child, None)
            self.seek()
            return
        if walk.attempt >= YIELDING_ATTEMPT and not is_first and self._others_wait():
            self._walk = None
            self.seek()
            if self._walk is None or self._walk.child != walk.child:
                self._wait(walk.child, walk.attempt)
            return
        only, timeout_s = whom
        self._walk = walk = replace(walk, token=next(self._tokens))
        self._to.search.tell(
            StartSearch(walk.token, "block", walk.wanted, self._me, only, timeout_s)
        )

    def _others_wait(self) -> bool:
        has_turn = any(attempt is not None for attempt in self._lines.values())
        return has_turn or self.orphans.wait(self._promising())

    def _wait(self, root: bytes, attempt: int | None) -> None:
        """A line waits for its next turn."""
        self._lines[root] = attempt
        while len(self._lines) > self._most_lines:
            self._drop_shortest()

    def _is_full(self) -> bool:
        return self._store.pending_count() >= self._max_pending

    def _keep(self, block: Block, root: bytes) -> bool:
        """Put a block on disk for the line of ``root``, in place of waiting lines if there are too many.

        False: that line alone is too long, and given up. One that the disk does not take stays an orphan.
        """
        while self._is_full():
            if not self._lines:
                self.orphans.pop(block.hash)
                self._abandon(root, "a chain longer than what may wait on disk")
                return False
            self._drop_shortest()
        with self._store.unhurried(), self._store.transaction():
            self._store.add_pending(block)
        self.orphans.pop(block.hash)
        return True

    def _drop_shortest(self) -> None:
        """Forget the waiting line with the least work in it, the next in turn of equals."""
        lengths = {root: self._store.line_length(root, COMPARED_BLOCKS) for root in self._lines}
        root = min(lengths, key=lengths.__getitem__)
        self._say("a line of the walk back is given up for others")
        del self._lines[root]
        with self._store.transaction():
            self._store.remove_line(root)

    def _say(self, text: str, *told: object) -> None:
        self._said.info(self._clock.now_s(), text, *told)

    def _abandon(self, root: bytes, reason: str) -> None:
        """Forget a line, and no other: what of it was sound comes again."""
        self._said.warning(self._clock.now_s(), "the walk back ended: it met %s", reason)
        self._walk = None
        with self._store.transaction():
            self._store.remove_line(root)
        self.seek()


def _header(block: Block) -> Header:
    return Header(block.hash, block.number, block.parent_hash, Status.STORED)
