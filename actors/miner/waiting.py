"""Who waits for the miner: values and a queue that the actor keeps between two messages."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass

from actors.chain.messages import BlockOutcome
from actors.ledger.types import Block, BlockRef
from actors.miner.messages import BlockTemplate, MinerRefusal
from actors.miner.template import seal

MAX_WAITING_GENERATES = 64
"""Each waits for the blocks before it; a run of blocks is asked for one by one anyway."""


@dataclass(frozen=True, slots=True)
class Generate:
    """Somebody waits for a block to this coinbase."""

    coinbase: bytes
    token: object
    answer: Future[BlockRef | MinerRefusal]


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A found block that the chain has not yet judged, and who waits for it."""

    block: Block
    generate: Generate | None


@dataclass(frozen=True, slots=True)
class Sought:
    """Somebody waits for a template to this coinbase, while the mempool looks for candidates."""

    coinbase: bytes
    answer: Future[BlockTemplate | MinerRefusal]


class Queue:
    """Those who wait for blocks; the miner is at the first one's."""

    def __init__(self) -> None:
        self._waiting: deque[Generate] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return len(self) >= MAX_WAITING_GENERATES

    @property
    def first(self) -> Generate | None:
        return self._waiting[0] if self._waiting else None

    def join(self, generate: Generate) -> None:
        self._waiting.append(generate)

    def put_first(self, generate: Generate) -> None:
        self._waiting.appendleft(generate)

    def take_first(self, coinbase: bytes) -> Generate | None:
        """Take out the first, if this coinbase is his."""
        first = self.first
        return self._waiting.popleft() if first is not None and first.coinbase == coinbase else None

    def judged(self, handed_in: HandedIn, outcome: BlockOutcome) -> None:
        """Answer who waits for a block that the chain has judged. One that only came too late, or is not
        followed, is none of his: he is the next in turn for another.
        """
        generate = handed_in.generate
        if generate is None:
            return
        if outcome is BlockOutcome.CONNECTED:
            generate.answer.set_result(handed_in.block.ref)
        elif outcome is BlockOutcome.INVALID:
            generate.answer.set_result(MinerRefusal.BLOCK_REJECTED)
        elif outcome is BlockOutcome.UNSTORED:
            generate.answer.set_result(MinerRefusal.UNSTORED)
        else:
            self.put_first(generate)

    def leave(self, token: object) -> bool:
        """Let go whoever waits under this token; whether the first was among them."""
        first, staying = self.first, deque[Generate]()
        for each in self._waiting:
            if each.token == token:
                each.answer.set_result(MinerRefusal.STOPPED)
            else:
                staying.append(each)
        self._waiting = staying
        return first is not None and first.token == token

    def clear(self, refusal: MinerRefusal = MinerRefusal.STOPPED) -> None:
        """Let all go."""
        while self._waiting:
            self._waiting.popleft().answer.set_result(refusal)


class Passed:
    """The last found block that the operator wants not to be followed: the scan goes on behind its nonce.

    A block holds no time: from the first nonce on, the same template would give the same block again.
    """

    def __init__(self) -> None:
        self._block: Block | None = None

    def note(self, block: Block) -> None:
        """Remember it."""
        self._block = block

    def next_nonce(self, draft: Block) -> int:
        """The first nonce to try for a template."""
        passed = self._block
        if passed is None or passed != seal(draft, passed.nonce):
            return 0
        return passed.nonce + 1
