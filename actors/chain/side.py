"""How much of side branches is taken from gossip: a block that leads nowhere now costs its maker a proof of
work, and us its place on the disk for good.

Nothing is lost by refusing one: should its branch become the longest, then its blocks are fetched from whoever
has it, as those of any branch that is found late. What is fetched so is not limited here: it promises more
than we have, and each block of it has its own proof of work. Must not live here: storing (`importer`).
"""

from __future__ import annotations

from collections import OrderedDict

from actors.chain.room import Room
from actors.config import KIB, MIB
from actors.ledger.types import Block
from actors.ledger.work import has_work
from actors.peers.messages import PeerId
from actors.runtime.pace import Bucket

OF_ONE = (2 * KIB, 4 * MIB)
"""Bytes a second of one peer, and at once: some thousand blocks of ten transactions, and one every two seconds.
Where forks are honest, there are fewer by far."""
OF_ALL = (16 * KIB, 64 * MIB)
"""The same of all peers: a gigabyte and a half a day, however many they are and come again."""
MAX_REMEMBERED = 1_024
"""Peers whose share is remembered: who left has it still when he comes back."""


class SideBranches:
    """Counts what is taken."""

    def __init__(self, room: Room) -> None:
        self._store, self._network, self._clock = room.store, room.network, room.clock
        self._all = Bucket(*OF_ALL, self._clock.now_s())
        self._of: OrderedDict[PeerId, Bucket] = OrderedDict()

    def has_room_for(self, block: Block, peer: PeerId) -> bool:
        """Whether to store a gossiped block, if it is one of a side branch that is not the longest."""
        tip = self._store.tip()
        if block.parent_hash == tip.hash or not has_work(block.hash, self._network.difficulty):
            return True  # it moves the tip, or breaks a rule
        if self._store.header(block.hash) is not None:
            return True
        parent = self._store.header(block.parent_hash)
        if parent is None or (parent.status.is_good and block.number > tip.number):
            return True  # it waits among the orphans, moves the tip, or breaks a rule
        now_s, size_bytes = self._clock.now_s(), len(block.raw)
        return self._bucket(peer, now_s).take(now_s, size_bytes) and self._all.take(
            now_s, size_bytes
        )

    def _bucket(self, peer: PeerId, now_s: float) -> Bucket:
        bucket = self._of.get(peer)
        if bucket is None:
            bucket = self._of[peer] = Bucket(*OF_ONE, now_s)
            if len(self._of) > MAX_REMEMBERED:
                self._of.popitem(last=False)
        return bucket
