"""What a peer is served equals what a walk over its locator, hash by hash, finds."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.chain.importer import Importer
from actors.chain.serving import Serving
from actors.chain.store import Reader, Store
from actors.chain.wire import MAX_BATCH_BLOCKS, encode_batch, encode_locator
from tests.property.test_fork_choice import GENESIS, grow, trees
from tests.support.chains import EASY

# Each hash of a locator is that of a block, named by its index among all, or of none.
locators = st.lists(st.one_of(st.integers(0, 12), st.none()), min_size=1, max_size=32)


def served_one_by_one(store: Reader, locator: Sequence[bytes]) -> bytes:
    """The blocks after the first of the hashes that is canonical."""
    for block_hash in locator:
        header = store.header(block_hash)
        if header is not None and store.is_canonical(header.ref):
            first = header.number + 1
            return encode_batch(store.canonical_raws(first, first + MAX_BATCH_BLOCKS - 1))
    return b""


@settings(deadline=None, max_examples=60)
@given(trees, st.one_of(st.integers(0, 12), st.none()), locators)
def test_a_locator_is_served_from_the_newest_of_its_hashes_that_is_canonical(
    shape: list[tuple[int, int]], received: int | None, named: list[int | None]
) -> None:
    """Newest first, but for what goes in front: the last block received, of whatever branch."""
    store = Store.open(None, EASY)
    tree = grow(shape)
    Importer(store, EASY).add(tree)
    blocks = [GENESIS, *tree]
    chosen = [blocks[index % len(blocks)] for index in named if index is not None]
    hashes = [block.hash for block in sorted(chosen, key=lambda each: -each.number)]
    hashes += [bytes([n]) * 32 for n in range(named.count(None))]
    if received is not None:
        hashes.insert(0, blocks[received % len(blocks)].hash)
    locator = hashes[:32]
    assert Serving(store).blocks_after(encode_locator(locator)) == served_one_by_one(store, locator)
