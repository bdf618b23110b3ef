"""Downloads from our kind of peer: `chain:get_blocks`, batch after batch (WIRE: extensions)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from actors.chain.messages import BlockOutcome, BlockVerdict
from actors.chain.room import Room
from actors.chain.sync import (
    BATCH_TIMEOUT_S,
    MAX_KNOWN_BATCHES,
    BatchFault,
    Expected,
    judge_batch,
    next_locator,
    room_bytes,
)
from actors.chain.wire import GET_BLOCKS_KIND, encode_locator
from actors.ledger.types import Block, BlockRef
from actors.messaging.messages import Response, SendRequest
from actors.peers.messages import PeerId
from actors.tcp.messages import ConnId

log = logging.getLogger(__name__)

ImportBlocks = Callable[[Sequence[Block]], Sequence[BlockVerdict]]


@dataclass(slots=True)
class _Download:
    """The one in progress.

    Attributes:
        peer: From whom.
        conn: Over which connection.
        start: Where an earlier download from it was broken off on a side branch.
        token: Of the outstanding request.
        claimed: What the peer claimed to have when that was sent.
        expected: What its answer has to fulfil.
        last: The last block received.
        known_batches: How many batches in a row held nothing new.
    """

    peer: PeerId
    conn: ConnId
    start: BlockRef | None
    token: int = 0
    claimed: int = 0
    expected: Expected = field(default_factory=Expected)
    last: BlockRef | None = None
    known_batches: int = 0


class Downloads:
    """One download at a time, from one peer after the other, until none claims more than we have.

    A claim costs nothing, so each answer is held against what an honest one would be: a peer that
    fails is broken off with, and all others have their turn before it has another.
    """

    def __init__(
        self,
        room: Room,
        import_blocks: ImportBlocks,
        ask_again: Callable[[PeerId], None],
    ) -> None:
        """Take capabilities besides the room's.

        Args:
            room: Shared with the other handlers.
            import_blocks: Takes a run of blocks that hangs together.
            ask_again: Called for a peer that failed and may do better later.
        """
        self._store, self._network, self._table = room.store, room.network, room.table
        self._to, self._me, self._tokens = room.to, room.me, room.tokens
        self._import, self._ask_again = import_blocks, ask_again
        self._active: _Download | None = None

    @property
    def busy(self) -> bool:
        return self._active is not None

    def forget(self) -> None:
        """The links are gone, and with them the answers."""
        self._active = None

    def seek(self) -> None:
        """Start a download if none is in progress and somebody has more than we."""
        if self._active is not None:
            return
        peer = self._table.next_above(self._store.tip().number)
        known = self._table.get(peer)
        if peer is None or known is None:
            return
        log.info("downloading from %s up to height %s", peer, known.height)
        self._active = _Download(peer, known.conn, self._side(known.reached) or self._avoided())
        self._request(self._active, known.height or 0)

    def on_response(self, response: Response) -> None:
        """Take a batch: ask for the next one first, so that it travels while this one is executed."""
        active = self._active
        if active is None or response.token != active.token:
            return
        blocks = judge_batch(response.payload, self._network, self._store.header, active.expected)
        if isinstance(blocks, BatchFault):
            self._give_up(active, blocks)
            return
        last = active.last = blocks[-1].ref
        stale = self._store.header(last.hash) is not None  # and with it all its ancestors
        active.known_batches = active.known_batches + 1 if stale else 0
        if active.known_batches > MAX_KNOWN_BATCHES:
            self._give_up(active, BatchFault.KNOWN)
            return
        known = self._table.get(active.peer)
        height = 0 if known is None else known.height or 0
        more = height > last.number
        if more and not self._is_invalidated(blocks):
            self._request(active, height, room_bytes(blocks, active.claimed))
        outcomes = {verdict.outcome for verdict in self._import(blocks)}
        if BlockOutcome.INVALID in outcomes:
            self._give_up(active, BatchFault.INVALID)
        elif BlockOutcome.INVALIDATED in outcomes:
            self._give_up(active, BatchFault.INVALIDATED)
        elif not more:
            self._active = None
            self.seek()

    def _request(self, active: _Download, claimed: int, spare_bytes: int = 0) -> None:
        last = active.last
        tip = self._store.tip().number
        locator = next_locator(tip, self._store.hash_at, last or active.start)
        active.token, active.claimed = next(self._tokens), claimed
        beyond = 0 if last is None else last.number
        active.expected = Expected(beyond, frozenset(locator), spare_bytes)
        self._to.messaging.tell(
            SendRequest(
                active.conn,
                GET_BLOCKS_KIND,
                encode_locator(locator),
                active.token,
                self._me,
                BATCH_TIMEOUT_S,
            )
        )

    def _give_up(self, active: _Download, fault: BatchFault) -> None:
        """Go on with another peer; this one counts again when it was asked again, after a while."""
        level = logging.INFO if fault is BatchFault.INVALIDATED else logging.WARNING
        log.log(level, "no more blocks from %s: it sent %s", active.peer, fault.value)
        self._active = None
        self._table.forget_height(active.peer, self._side(active.last))
        self._ask_again(active.peer)
        self.seek()

    def _avoided(self) -> BlockRef | None:
        """The highest block that the operator does not follow: who has it sends only what is above it."""
        highest = self._store.highest_invalidated()
        return None if highest is None else highest.ref

    def _is_invalidated(self, blocks: Sequence[Block]) -> bool:
        """Whether the operator does not follow these, as far as we know before we take them."""
        ends = (blocks[0].parent_hash, blocks[0].hash, blocks[-1].hash)
        headers = (self._store.header(block_hash) for block_hash in ends)
        return any(header is not None and header.status.is_invalidated for header in headers)

    def _side(self, ref: BlockRef | None) -> BlockRef | None:
        """The block, if it is a stored one of a side branch: better to go on from than our tip."""
        if ref is None or self._store.header(ref.hash) is None or self._store.is_canonical(ref):
            return None
        return ref
