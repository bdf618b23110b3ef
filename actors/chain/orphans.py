"""Gossiped blocks whose parent is unknown, kept for a while (WIRE: limits, orphans).

They passed the header checks: each cost its maker a proof of work. Must not live here: the search for
their ancestors, or the blocks that it finds (those are on disk).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from actors.ledger.types import Block
from actors.peers.messages import PeerId
from actors.tcp.messages import ConnId

MAX_ORPHANS = 100
MAX_ORPHANS_PER_PEER = 16
"""So that no peer can push out those of all others."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A block and whom it came from (None: our own user). Value."""

    block: Block
    peer: PeerId | None
    conn: ConnId | None


class Orphans:
    """The pool. A hundred entries: it is searched by looking at all of them."""

    def __init__(self) -> None:
        self._held: dict[bytes, Orphan] = {}

    def __len__(self) -> int:
        return len(self._held)

    def add(self, orphan: Orphan) -> None:
        """Hold one; above a limit the oldest of that peer, or of the heaviest peer, goes."""
        if orphan.block.hash in self._held:
            return
        self._held[orphan.block.hash] = orphan
        counts = Counter(held.peer for held in self._held.values())
        if counts[orphan.peer] > MAX_ORPHANS_PER_PEER:
            self._drop_oldest(orphan.peer)
        elif len(self._held) > MAX_ORPHANS:
            self._drop_oldest(counts.most_common(1)[0][0])

    def pop(self, block_hash: bytes) -> Orphan | None:
        return self._held.pop(block_hash, None)

    def stands_on(self, parent_hash: bytes) -> bool:
        """Whether one of them is a child of that block."""
        return any(held.block.parent_hash == parent_hash for held in self._held.values())

    def take_children(self, parent_hash: bytes) -> tuple[Block, ...]:
        """Remove and return those that stand on a block."""
        children = [o.block for o in self._held.values() if o.block.parent_hash == parent_hash]
        for child in children:
            del self._held[child.hash]
        return tuple(children)

    def highest(self, wanted: Callable[[Orphan], bool]) -> Orphan | None:
        """The one of the highest number among the wanted, the oldest of equals."""
        candidates = [orphan for orphan in self._held.values() if wanted(orphan)]
        return max(candidates, key=lambda orphan: orphan.block.number, default=None)

    def _drop_oldest(self, peer: PeerId | None) -> None:
        oldest = next(h for h, orphan in self._held.items() if orphan.peer == peer)
        del self._held[oldest]
