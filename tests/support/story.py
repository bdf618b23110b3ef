"""A chain that grows and forks by a seed, and the state after each of its blocks by the rules alone.

What a node makes of the same blocks is held against it. Must not live here: nodes, stores, files.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from actors.ledger.network import MAIN
from actors.ledger.state import Applied, apply_block
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block, BlockRef
from tests.bench.chains import Maker

STORY_NETWORK = replace(MAIN, name="story", difficulty=0)
"""No proof of work: what a block costs its miner is of no interest here."""
ACCOUNTS = 40
FORK_SHARE = 0.3
DEEPEST_FORK = 10
MOST_AT_ONCE = 5
MOST_TRANSACTIONS = 10


class Story:
    """Valid blocks in the order in which a node hears of them; the newest is always the longest's tip."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._maker = Maker(STORY_NETWORK, ACCOUNTS, seed)
        self._before: deque[Maker] = deque(maxlen=DEEPEST_FORK)
        genesis = STORY_NETWORK.genesis.ref
        self._accounts: dict[bytes, Mapping[bytes, Account]] = {genesis.hash: {}}
        self._parents: dict[bytes, bytes] = {}
        self.forks = 0

    @property
    def tip(self) -> BlockRef:
        return self._maker.tip

    def next(self) -> tuple[Block, ...]:
        """Some blocks on the tip, or a branch that is longer by one."""
        length = self._random.randint(1, MOST_AT_ONCE)
        if self._before and self._random.random() < FORK_SHARE:
            depth = self._random.randint(1, len(self._before))
            for _ in range(depth):
                self._maker = self._before.pop()
            self._maker = self._maker.fork(self._random.getrandbits(64))
            self.forks += 1
            length = depth + 1
        return tuple(self._block() for _ in range(length))

    def accounts(self, block_hash: bytes) -> Mapping[bytes, Account] | None:
        """The state after a block of the story; None: it is none."""
        return self._accounts.get(block_hash)

    def ancestor(self, ref: BlockRef, number: int) -> bytes:
        """The hash of the block of that number below a block of the story."""
        block_hash = ref.hash
        for _ in range(ref.number - number):
            block_hash = self._parents[block_hash]
        return block_hash

    def _block(self) -> Block:
        self._before.append(self._maker.fork(self._random.getrandbits(64)))
        parent = self._maker.tip
        block = self._maker.block(self._random.randint(0, MOST_TRANSACTIONS))
        before = self._accounts[parent.hash]
        applied = apply_block(
            STORY_NETWORK,
            parent,
            lambda address: before.get(address, EMPTY_ACCOUNT),
            block,
            signature_known=lambda _id: True,
        )
        assert isinstance(applied, Applied), applied
        self._accounts[block.hash] = {**before, **applied.accounts}
        self._parents[block.hash] = parent.hash
        return block
