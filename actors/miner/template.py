"""From candidates to a block to be solved, and from a nonce to the solved block.

Must not live here: which transactions are preferred (``mempool``), or the search for the nonce.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from actors.ledger.build import build_block
from actors.ledger.codec import block_prefix_suffix, make_block
from actors.ledger.network import Network
from actors.ledger.types import Account, Block, BlockRef, Transaction
from actors.miner.messages import BlockTemplate, MinerRefusal
from actors.miner.scan import Template


def judge_coinbase(network: Network, coinbase: bytes) -> MinerRefusal | None:
    """Why no block is made for this coinbase; None: it may be."""
    if not coinbase:
        return MinerRefusal.NO_COINBASE
    if not network.scheme.is_standard_address(coinbase):
        return MinerRefusal.BAD_COINBASE
    return None


def draft_block(
    network: Network,
    parent: BlockRef,
    accounts_at: Callable[[bytes, int], Account],
    coinbase: bytes,
    candidates: Iterable[Transaction],
) -> Block:
    """The block to solve on ``parent``, at nonce 0, with those candidates that are valid there.

    The candidates are the mempool's, which has held them to policy and verified their signatures. The store
    may be a commit ahead of the parent that we were told of: accounts are read as of that one.
    """
    block, _ = build_block(
        network,
        parent,
        lambda address: accounts_at(address, parent.number),
        coinbase,
        candidates,
        vetted=lambda _tx_id: True,
    )
    return block


def template_of(block: Block, difficulty: int) -> Template:
    """What is to be scanned for a drafted block."""
    prefix, suffix = block_prefix_suffix(
        block.number, block.parent_hash, block.coinbase, block.transactions
    )
    return Template(prefix, suffix, difficulty)


def shown_template(block: Block, parent: BlockRef, difficulty: int) -> BlockTemplate:
    """A drafted block as a miner outside of the node needs it."""
    template = template_of(block, difficulty)
    return BlockTemplate(parent, block, difficulty, template.prefix, template.suffix)


def seal(block: Block, nonce: int) -> Block:
    """The drafted block with a nonce; its hash, computed anew, tells whether that solves it."""
    return make_block(block.number, nonce, block.parent_hash, block.coinbase, block.transactions)
