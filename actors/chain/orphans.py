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
        self._turns: dict[PeerId | None, int] = {}
        """Of the peers that hold some, which turn they had last."""
        self._last_turn = 0

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

    def get(self, block_hash: bytes) -> Orphan | None:
        return self._held.get(block_hash)

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

    def wait(self, wanted: Callable[[Orphan], bool]) -> bool:
        """Whether there is one of the wanted."""
        return any(map(wanted, self._held.values()))

    def take_turn(self, wanted: Callable[[Orphan], bool]) -> Orphan | None:
        """One of the wanted, of the peer whose turn was longest ago: its highest, the oldest of equals.

        A number costs nothing: by that alone, whoever makes up the highest would have all the turns.
        """
        candidates = [orphan for orphan in self._held.values() if wanted(orphan)]
        if not candidates:
            return None
        holders = {orphan.peer for orphan in self._held.values()}
        self._turns = {peer: turn for peer, turn in self._turns.items() if peer in holders}
        peer = min(candidates, key=lambda orphan: self._turns.get(orphan.peer, 0)).peer
        self._last_turn += 1
        self._turns[peer] = self._last_turn
        its = (orphan for orphan in candidates if orphan.peer == peer)
        return max(its, key=lambda orphan: orphan.block.number)

    def _drop_oldest(self, peer: PeerId | None) -> None:
        oldest = next(h for h, orphan in self._held.items() if orphan.peer == peer)
        del self._held[oldest]
