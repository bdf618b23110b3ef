"""Requests for blocks: the answer is the canonical chain behind the newest hash of ours, or none."""

from __future__ import annotations

from functools import cache

from actors.chain.importer import Importer
from actors.chain.serving import Serving
from actors.chain.store import Store
from actors.chain.wire import MAX_BATCH_BLOCKS, decode_batch, decode_locator, encode_locator
from actors.ledger.types import Block
from tests.fuzz.draw import Draw
from tests.support.ledger import EASY_MAIN, child

LENGTH, FORK, SIDE_LENGTH = 150, 140, 5
MINER, OTHER = b"\1" * 32, b"\2" * 32


def one_input(data: bytes) -> None:
    serving, chain, side = stage()
    draw = Draw(data)
    if not draw.below(2):
        serving.blocks_after(draw.rest())
        serving.look_up(data[1:])
        return
    known = {block.hash: block for block in (*chain, *side)}
    hashes = [pick(draw, chain, side) for _ in range(draw.below(36))]
    request = encode_locator(hashes)
    answer = serving.blocks_after(request)
    assert (answer is None) == (decode_locator(request) is None)
    if answer is None:
        return
    # The first hash is of a download under way, and goes before the others.
    numbers = [known[each].number if known.get(each) in chain else None for each in hashes]
    behind = [number for number in numbers[1:] if number is not None]
    first = numbers[0] if numbers[0] is not None else max(behind, default=None)
    wanted = () if first is None else chain[first + 1 : first + 1 + MAX_BATCH_BLOCKS]
    assert decode_batch(answer) == tuple(wanted)
    for block_hash in hashes:
        found = serving.look_up(block_hash)
        assert found == (known[block_hash].raw if block_hash in known else None)


def pick(draw: Draw, chain: tuple[Block, ...], side: tuple[Block, ...]) -> bytes:
    """A hash of the chain, of the side branch, or of nothing."""
    match draw.below(4):
        case 0:
            return draw.take(32).ljust(32, b"\0")
        case 1:
            return draw.pick(side).hash
        case _:
            return draw.pick(chain).hash


@cache
def stage() -> tuple[Serving, tuple[Block, ...], tuple[Block, ...]]:
    """A store that is only read, its canonical chain with genesis, and a side branch."""
    store = Store.open(None, EASY_MAIN)
    chain, side = [EASY_MAIN.genesis], list[Block]()
    for _ in range(LENGTH):
        chain.append(child(chain[-1].ref, MINER))
    for _ in range(SIDE_LENGTH):
        side.append(child((side or chain[: FORK + 1])[-1].ref, OTHER))
    importer = Importer(store, EASY_MAIN)
    importer.add(chain[1:])
    importer.add(side)
    return Serving(store.reader()), tuple(chain), tuple(side)
