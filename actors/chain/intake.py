"""Every block goes through here: into the store, and the news of the tip to those who follow it.

What the store cannot take now gets a verdict that says nothing about the block (`outage`). Must not live
here: where blocks come from, or who is to blame for a bad one (`actor`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from actors.chain.importer import Importer
from actors.chain.messages import BlockOutcome, BlockVerdict, TipChanged, tip_moved
from actors.chain.orphans import Orphan
from actors.chain.outage import Outage
from actors.chain.room import Room
from actors.chain.signatures import Passed
from actors.chain.walkback import WalkBack
from actors.ledger.types import Block
from actors.runtime.events import Happened

log = logging.getLogger(__name__)

STORED = (BlockOutcome.CONNECTED, BlockOutcome.SIDE_BRANCH, BlockOutcome.INVALIDATED)


class Intake:
    """Takes blocks, and remembers what it has to tell of it.

    Attributes:
        unannounced: The tip moved by other ways than gossip: the network is told once it stands still.
    """

    def __init__(self, room: Room, importer: Importer, walk: WalkBack, outage: Outage) -> None:
        self._store, self._to = room.store, room.to
        self._importer, self._walk, self._outage = importer, walk, outage
        self._moves: list[TipChanged] = []
        """Of this message, committed and not yet told."""
        self.unannounced = False

    def take(self, held: Orphan, *, keep: bool) -> BlockVerdict:
        """Take a block that came alone, and hold it if its parent is unknown; with ``keep`` also if the store
        takes nothing now.
        """
        block = held.block
        verdict = self.take_run((block,))[0]
        if verdict.outcome is BlockOutcome.ORPHAN:
            verdict = self._hold(held, verdict)
        if verdict.outcome is BlockOutcome.UNSTORED and keep:
            self._outage.keep(held)
        return verdict

    def _hold(self, held: Orphan, verdict: BlockVerdict) -> BlockVerdict:
        with self._outage.noticed():
            violation = self._walk.hold(held)
            if violation is not None:
                return BlockVerdict(BlockOutcome.INVALID, verdict.hash, violation)
            return verdict
        return BlockVerdict(BlockOutcome.UNSTORED, verdict.hash)

    def take_run(self, blocks: Sequence[Block]) -> Sequence[BlockVerdict]:
        """Take blocks, and see to what was waiting for them."""
        verdicts = self.add(blocks)
        with self._outage.noticed():
            for block, verdict in zip(blocks, verdicts, strict=True):
                if verdict.outcome in STORED:
                    self._walk.connect(block.hash)
        return verdicts

    def add(self, blocks: Sequence[Block], passed: Passed = frozenset()) -> Sequence[BlockVerdict]:
        """Store blocks and move the tip; who is to know is told when the message is dealt with."""
        if not self._outage.is_on:
            with self._outage.noticed():
                imported = self._importer.add(blocks, passed=passed)
                if imported.change is not None:
                    self.note_moved(imported.change)
                self._walk.on_stored()
                return imported.verdicts
        return [BlockVerdict(BlockOutcome.UNSTORED, block.hash) for block in blocks]

    def rehearse(self, block: Block) -> BlockVerdict:
        """What would become of a block; nothing is changed."""
        if not self._outage.is_on:
            with self._outage.noticed():
                verdict = self._importer.add((block,), keep=False).verdicts[0]
                if verdict.outcome is BlockOutcome.CONNECTED:
                    return BlockVerdict(BlockOutcome.VALID, block.hash)
                return verdict
        return BlockVerdict(BlockOutcome.UNSTORED, block.hash)

    def try_again(self) -> None:
        """See whether the store takes something, and the blocks that were kept first of all."""
        kept = self._outage.begin_try()
        with self._outage.noticed():
            self._store.require_room()
        for held in kept:
            self.take(held, keep=True)

    def note_moved(self, change: TipChanged) -> None:
        """A commit moved the tip."""
        level = logging.INFO if change.disconnected else logging.DEBUG
        log.log(level, "tip %d %.8s", change.tip.number, change.tip.hash.hex())
        self.unannounced = True
        self._moves.append(change)

    def tell_moves(self) -> None:
        """Tell those who follow the tip what became of it; the pool at once, whatever transactions wait there:
        they are judged by the newest chain.
        """
        for change in self._moves:
            self._to.mempool.tell_ahead(change)
            self._to.miner.tell(change)
            moved = tip_moved(change)
            blocks = len(moved.connected) + len(moved.disconnected)
            self._to.events.tell(Happened(moved, 1 + blocks))
        self._moves.clear()
