"""Batches of blocks on their way into the store: their signatures are verified beside the actor, by as many
threads as there are cores, while batches before them are executed and the next one travels.

They are imported in the order in which they came. Must not live here: where they come from.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from actors.chain.room import Verified
from actors.chain.signatures import Passed, Signatures
from actors.chain.tree import Header, Status
from actors.ledger.types import Block, BlockRef
from actors.peers.messages import PeerId
from actors.runtime.address import Address

log = logging.getLogger(__name__)

MAX_DOWNLOADED = 4
"""Batches of peers in the line before no more are asked for: what is verified while one is executed, and
some more for when an answer is late. A batch is 128 blocks or 512 KiB, 2 MiB of memory when it is decoded."""
MAX_CONNECTING = 2
"""Batches of the walk back in the line: the next one is on disk, and never late."""


@dataclass(slots=True, eq=False)
class Batch:
    """A run of blocks; ``source`` is the peer that sent them, None: the walk back found them.

    Attributes:
        number: No two alike, so that a verification of an earlier incarnation's is none of ours.
        passed: Whose signatures are good; None: they are being verified.
    """

    number: int
    blocks: tuple[Block, ...]
    source: PeerId | None
    passed: Passed | None = None


class Line:
    """First in, first out, whichever is verified first."""

    def __init__(
        self, signatures: Signatures, me: Address[Verified], tokens: Iterator[int]
    ) -> None:
        """Verify by ``signatures``, tell ``me``, and number batches by ``tokens``, no two alike."""
        self._signatures, self._me, self._tokens = signatures, me, tokens
        self._batches: deque[Batch] = deque()
        self._headers: dict[bytes, Header] = {}
        """Of all blocks in the line, as if they were stored."""

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def blocks(self) -> int:
        return len(self._headers)

    @property
    def is_ready(self) -> bool:
        """Whether the first batch can be imported."""
        return bool(self._batches) and self._batches[0].passed is not None

    @property
    def downloaded(self) -> int:
        """How many batches of peers are in it."""
        return sum(batch.source is not None for batch in self._batches)

    @property
    def connecting(self) -> int:
        """How many batches of the walk back are in it."""
        return len(self._batches) - self.downloaded

    def last(self) -> BlockRef | None:
        """The last block of the last batch of a peer."""
        sent = (b.blocks[-1].ref for b in reversed(self._batches) if b.source is not None)
        return next(sent, None)

    def header(self, block_hash: bytes) -> Header | None:
        """A block in the line, without its transactions."""
        return self._headers.get(block_hash)

    def run_below(self, block_hash: bytes) -> Iterator[BlockRef]:
        """A block in the line and its ancestors there, newest first."""
        while (header := self._headers.get(block_hash)) is not None:
            yield header.ref
            block_hash = header.parent_hash

    def add(self, blocks: Sequence[Block], source: PeerId | None) -> None:
        """Put a batch at the end and begin to verify it; the actor is told :class:`Verified`.

        The parent of each block is stored, or in the line before it.
        """
        batch = Batch(next(self._tokens), tuple(blocks), source)
        self._batches.append(batch)
        for block in batch.blocks:
            header = Header(block.hash, block.number, block.parent_hash, Status.STORED)
            self._headers[block.hash] = header
        me, number = self._me, batch.number
        self._signatures.begin(batch.blocks, lambda result: me.tell(Verified(number, result)))

    def on_verified(self, verified: Verified) -> None:
        """Take the outcome of a batch. One that could not be had is left to the import: an importer that
        is not told that a signature is good looks at it itself.
        """
        for batch in self._batches:
            if batch.number == verified.number:
                if isinstance(verified.result, Exception):
                    log.error("a batch is verified alone: the team failed: %r", verified.result)
                    batch.passed = frozenset()
                else:
                    batch.passed = verified.result

    def pop(self) -> Batch:
        """Take the first batch out, which is ready."""
        batch = self._batches.popleft()
        for block in batch.blocks:
            self._headers.pop(block.hash, None)
        return batch

    def put_back(self, batch: Batch) -> None:
        """The batch that was taken out last is the first again."""
        self._batches.appendleft(batch)
        for block in batch.blocks:
            header = Header(block.hash, block.number, block.parent_hash, Status.STORED)
            self._headers[block.hash] = header

    def drop_above(self, refused: set[bytes]) -> set[bytes]:
        """Take out the batches that stand on refused blocks: these, and what was dropped, by hash."""
        kept: deque[Batch] = deque()
        for batch in self._batches:
            if batch.blocks[0].parent_hash not in refused or batch.source is None:
                kept.append(batch)
                continue
            refused |= {block.hash for block in batch.blocks}
            for block in batch.blocks:
                self._headers.pop(block.hash, None)
        self._batches = kept
        return refused
