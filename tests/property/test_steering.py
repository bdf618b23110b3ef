"""Properties of the fork choice under an operator's word, for any tree, order and sequence of words."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.chain.messages import InvalidateBlock, ListTips, ReconsiderBlock, TipStatus
from actors.chain.store import decode_stored
from actors.ledger.types import Block
from tests.property.test_fork_choice import GENESIS, grow, longest_valid, rows, settle, trees
from tests.support.chain_stage import ChainStage

Words = list[tuple[bool, int]]
# Each invalidates (True) or reconsiders a block, named by its index among all, modulo.
words = st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=8)


def steer(chain: ChainStage, blocks: Sequence[Block], said: Words) -> set[bytes]:
    """Say the words; the hashes that are marked in the end, by a reckoning of its own."""
    by_hash = {block.hash: block for block in blocks}
    marked: set[bytes] = set()
    for invalidates, index in said:
        block = blocks[index % len(blocks)]
        word = InvalidateBlock if invalidates else ReconsiderBlock
        chain.pump.ask(chain.chain, word(block.hash))
        chain.pump.run_until_idle()
        if invalidates:
            marked.add(block.hash)
        else:
            marked -= {ancestor.hash for ancestor in line(block, by_hash)}
    return marked


def line(block: Block, by_hash: dict[bytes, Block]) -> list[Block]:
    """A block and its ancestors but genesis."""
    found = [block]
    while found[-1].parent_hash != GENESIS.hash:
        found.append(by_hash[found[-1].parent_hash])
    return found


@settings(deadline=None, max_examples=40)
@given(trees, words, st.integers(0, 12))
def test_the_tip_is_a_longest_valid_one_of_what_may_be_followed(
    shape: list[tuple[int, int]], said: Words, early: int
) -> None:
    """Some blocks come before the words, the others behind them."""
    blocks = grow(shape)
    early = max(1, early)
    chain = settle(blocks[:early])
    marked = steer(chain, blocks[:early], said)
    for block in blocks[early:]:
        chain.gossiped(block)
    by_hash = {block.hash: block for block in blocks}
    followed = [b for b in blocks if not marked & {each.hash for each in line(b, by_hash)}]
    tip = chain.info().tip
    assert tip.hash in (longest_valid(followed) if followed else {GENESIS.hash})
    straight = ChainStage(*map(decode_stored, chain.store.canonical_raws(1, tip.number)))
    assert rows(chain.store) == rows(straight.store)


@settings(deadline=None, max_examples=40)
@given(trees, words)
def test_taking_every_word_back_leaves_the_chain_that_it_would_have_been(
    shape: list[tuple[int, int]], said: Words
) -> None:
    blocks = grow(shape)
    silent, steered = settle(blocks), settle(blocks)
    steer(steered, blocks, said)
    steer(steered, blocks, [(False, index) for index in range(len(blocks))])
    assert steered.info() == silent.info()
    assert rows(steered.store) == rows(silent.store)


@settings(deadline=None, max_examples=40)
@given(trees, words)
def test_the_tips_are_the_ends_of_all_branches_and_the_canonical_one(
    shape: list[tuple[int, int]], said: Words
) -> None:
    blocks = grow(shape)
    chain = settle(blocks)
    steer(chain, blocks, said)
    listed = chain.pump.ask(chain.reader, ListTips(50)).tips
    parents = {block.parent_hash for block in blocks}
    tip = chain.info().tip
    assert {view.tip.hash for view in listed} == {
        block.hash for block in blocks if block.hash not in parents
    } | {tip.hash}
    assert [v.tip for v in listed if v.status is TipStatus.CANONICAL] == [tip]
    assert all(chain.store.is_canonical(view.fork) for view in listed)
