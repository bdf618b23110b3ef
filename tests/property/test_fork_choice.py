"""Properties of the chain as a whole, for any tree of blocks and any order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.chain.store import Store, decode_stored
from actors.ledger.types import Block, Transaction
from tests.support.chain_stage import ChainStage
from tests.support.chains import ALICE, BOB, CAROL, EASY, mine, transfer

GENESIS = EASY.genesis
MINERS = (ALICE, BOB, CAROL)

Shape = list[tuple[int, int]]
# A tree: each block names its parent (an index among those before it, modulo) and its miner.
trees = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 2)), min_size=1, max_size=12)


def grow(shape: Shape) -> list[Block]:
    """Blocks, each after its parent; some carry a transfer that may or may not be valid there."""
    blocks = [GENESIS]
    for seed, (parent, miner) in enumerate(shape):
        payments: list[Transaction] = []
        if parent % 3 == 0:
            payments.append(transfer(MINERS[miner], MINERS[(miner + 1) % 3].public, 0, parent))
        at = blocks[parent % len(blocks)]
        coinbase = MINERS[miner].public
        blocks.append(mine(EASY, at.ref, coinbase, payments, first_nonce=1_000 * seed))
    return blocks[1:]


def settle(arrivals: Sequence[Block]) -> ChainStage:
    chain = ChainStage()
    for block in arrivals:
        chain.gossiped(block)
    return chain


def longest_valid(blocks: Sequence[Block]) -> set[bytes]:
    """The heads of the longest valid branches, by a chain of its own for each branch."""
    by_hash = {block.hash: block for block in blocks}
    heights: dict[bytes, int] = {GENESIS.hash: 0}
    for head in blocks:
        branch = [head]
        while branch[-1].parent_hash in by_hash:
            branch.append(by_hash[branch[-1].parent_hash])
        chain = ChainStage(*reversed(branch))
        heights[chain.info().tip.hash] = chain.info().tip.number
        chain.store.close()
    best = max(heights.values())
    return {head for head, height in heights.items() if height == best}


def rows(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """All that the state consists of."""
    return {
        table: store._db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
        for table in ("accounts", "transactions")
    }


@settings(deadline=None, max_examples=40)
@given(trees, st.randoms(use_true_random=False))
def test_the_tip_is_a_longest_valid_one_in_whatever_order_blocks_arrive(
    shape: Shape, rng: Random
) -> None:
    blocks = grow(shape)
    arrivals = list(blocks)
    rng.shuffle(arrivals)
    chain = settle(arrivals)
    assert chain.info().tip.hash in longest_valid(blocks)


@settings(deadline=None, max_examples=40)
@given(trees, st.randoms(use_true_random=False))
def test_with_a_unique_longest_chain_order_makes_no_difference_to_anything(
    shape: Shape, rng: Random
) -> None:
    blocks = grow(shape)
    best = longest_valid(blocks)
    if len(best) > 1:
        return
    states = []
    for _ in range(2):
        arrivals = list(blocks)
        rng.shuffle(arrivals)
        chain = settle(arrivals)
        states.append((chain.info().tip, rows(chain.store)))
    assert states[0] == states[1]
    assert {states[0][0].hash} == best


@settings(deadline=None, max_examples=40)
@given(trees)
def test_all_balances_sum_up_to_reward_times_height(shape: Shape) -> None:
    chain = settle(grow(shape))
    info = chain.info()
    total = sum(chain.store.account(miner.public).balance for miner in MINERS)
    assert total == info.supply == EASY.block_reward * info.tip.number


@settings(deadline=None, max_examples=40)
@given(trees, st.integers(0, 12))
def test_connecting_and_disconnecting_again_leaves_the_state_as_it_was(
    shape: Shape, height: int
) -> None:
    chain = settle(grow(shape))
    tip = chain.info().tip
    fork = min(height, tip.number)
    straight = ChainStage(*map(decode_stored, chain.store.canonical_raws(1, fork)))
    with chain.store.transaction():
        chain.store.disconnect_above(fork)
    assert rows(chain.store) == rows(straight.store)
    assert chain.store.tip() == straight.store.tip()
