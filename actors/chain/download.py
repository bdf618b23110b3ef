"""Downloads from our kind of peer: `chain:get_blocks`, batch after batch (WIRE: extensions)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from actors.chain.locator import make_locator
from actors.chain.messages import BlockOutcome, BlockVerdict
from actors.chain.room import Room
from actors.chain.sync import BATCH_TIMEOUT_S, BatchFault, judge_batch
from actors.chain.wire import GET_BLOCKS_KIND, encode_locator
from actors.ledger.types import Block, BlockRef
from actors.messaging.messages import Response, SendRequest
from actors.peers.messages import PeerId
from actors.tcp.messages import ConnId

log = logging.getLogger(__name__)

ImportBlocks = Callable[[Sequence[Block]], Sequence[BlockVerdict]]


@dataclass(slots=True)
class _Download:
    """The one in progress: ``last`` is the last block received, ``token`` the outstanding request."""

    peer: PeerId
    conn: ConnId
    token: int = 0
    last: BlockRef | None = None


class Downloads:
    """One download at a time, from the peer with the highest tip, until none is above ours."""

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
        peer = self._table.highest_above(self._store.tip().number)
        known = self._table.get(peer)
        if peer is None or known is None:
            return
        log.info("downloading from %s up to height %s", peer, known.height)
        self._active = _Download(peer, known.conn)
        self._request(self._active)

    def on_response(self, response: Response) -> None:
        """Take a batch: ask for the next one first, so that it travels while this one is executed."""
        active = self._active
        if active is None or response.token != active.token:
            return
        beyond = active.last.number if active.last is not None else 0
        blocks = judge_batch(response.payload, self._network, self._store.header, beyond)
        if isinstance(blocks, BatchFault):
            self._give_up(active, blocks)
            return
        active.last = blocks[-1].ref
        known = self._table.get(active.peer)
        more = known is not None and (known.height or 0) > active.last.number
        if more:
            self._request(active)
        verdicts = self._import(blocks)
        if any(verdict.outcome is BlockOutcome.INVALID for verdict in verdicts):
            self._give_up(active, BatchFault.INVALID)
        elif not more:
            self._active = None
            self.seek()

    def _request(self, active: _Download) -> None:
        active.token = next(self._tokens)
        start = None if active.last is None else active.last.hash
        locator = make_locator(self._store.tip().number, self._store.hash_at, start)
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
        """Go on with another peer; this one counts again when it has news, or after a while."""
        log.warning("no more blocks from %s: it sent %s", active.peer, fault.value)
        self._active = None
        self._table.forget_height(active.peer)
        if fault in (BatchFault.NO_ANSWER, BatchFault.EMPTY):
            self._ask_again(active.peer)
        self.seek()
