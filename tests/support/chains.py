"""Chains for tests: easy networks, keys, signed transfers, and blocks with real proof of work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from actors.ledger.codec import make_block
from actors.ledger.keys import ED25519
from actors.ledger.network import DEV, Network
from actors.ledger.types import Block, BlockRef, Transaction
from actors.ledger.work import has_work
from tests.support.ledger import key, transfer

__all__ = ["ALICE", "BOB", "CAROL", "EASY", "EASY_OTHER", "key", "mine", "mine_chain", "transfer"]

EASY = replace(DEV, name="easy", difficulty=1, block_reward=100)
"""One hex digit of work: sixteen hashes a block."""
EASY_OTHER = replace(EASY, name="other", genesis_coinbase=b"o" * 32)
"""The same rules on another genesis."""

ALICE = key(ED25519, "alice")
BOB = key(ED25519, "bob")
CAROL = key(ED25519, "carol")


def mine(
    network: Network,
    parent: BlockRef,
    coinbase: bytes = ALICE.public,
    transactions: Iterable[Transaction] = (),
    *,
    first_nonce: int = 0,
) -> Block:
    """A block on ``parent`` with the network's proof of work; what is in it is not looked at."""
    included = tuple(transactions)
    nonce = first_nonce
    while True:
        block = make_block(parent.number + 1, nonce, parent.hash, coinbase, included)
        if has_work(block.hash, network.difficulty):
            return block
        nonce += 1


def mine_chain(
    network: Network, parent: BlockRef, length: int, coinbase: bytes = ALICE.public
) -> tuple[Block, ...]:
    """A run of empty blocks; another coinbase makes another branch."""
    blocks: list[Block] = []
    for _ in range(length):
        blocks.append(mine(network, parent, coinbase))
        parent = blocks[-1].ref
    return tuple(blocks)


def workless(network: Network, parent: BlockRef, coinbase: bytes = ALICE.public) -> Block:
    """A block that lacks the proof of work."""
    nonce = 0
    while has_work(
        (block := make_block(parent.number + 1, nonce, parent.hash, coinbase, ())).hash,
        network.difficulty,
    ):
        nonce += 1
    return block


def raws(blocks: Sequence[Block]) -> tuple[bytes, ...]:
    """The bytes of blocks, in their order."""
    return tuple(block.raw for block in blocks)
