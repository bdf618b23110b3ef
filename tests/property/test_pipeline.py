"""Properties of the sync's pipeline: whatever is verified and answered first, the outcome is the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.chain.importer import Importer
from actors.chain.line import Line
from actors.chain.room import Verified
from actors.chain.signatures import Signatures
from actors.chain.store import Store
from actors.chain.sync import ASK_AGAIN_S
from actors.ledger.types import Block
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from tests.property.test_fork_choice import Shape, grow, longest_valid, rows, trees
from tests.support.chain_stage import A, B, C, ChainStage
from tests.support.chains import EASY
from tests.support.held_team import HeldTeam
from tests.support.probe import Probe
from tests.support.sync_peers import SyncPeers

PEERS = (A, B, C)


def pipelined(blocks: Sequence[Block], cuts: set[int], rng: Random) -> Store:
    """Import in batches that end behind the ``cuts``, verified in any order."""
    store, team, pump = Store.open(None, EASY), HeldTeam(), Pump(1, FakeClock())
    signatures, told = Signatures(EASY, team), Probe(pump)
    importer, line = Importer(store, EASY, signatures), Line(signatures, told.address, count())
    first = 0
    for end in sorted({cut % len(blocks) + 1 for cut in cuts} | {len(blocks)}):
        line.add(blocks[first:end], A)
        first = end
    while len(team):
        team.release(rng.randrange(len(team)))
    pump.run_until_idle()
    for verified in told.of(Verified):
        line.on_verified(verified)
        while line.is_ready:
            batch = line.pop()
            assert batch.passed is not None
            importer.add(batch.blocks, passed=batch.passed)
    assert len(line) == 0
    return store


def one_by_one(blocks: Sequence[Block]) -> Store:
    store = Store.open(None, EASY)
    importer = Importer(store, EASY)
    for block in blocks:
        importer.add((block,))
    return store


@settings(deadline=None, max_examples=60)
@given(trees, st.sets(st.integers(0, 11)), st.randoms(use_true_random=False))
def test_batches_through_the_line_leave_what_blocks_one_by_one_do(
    shape: Shape, cuts: set[int], rng: Random
) -> None:
    blocks = grow(shape)
    batched, single = pipelined(blocks, cuts, rng), one_by_one(blocks)
    assert batched.tip() == single.tip()
    assert rows(batched) == rows(single)


def branch(blocks: Sequence[Block], head: Block) -> tuple[Block, ...]:
    by_hash = {block.hash: block for block in blocks}
    found = [head]
    while found[-1].parent_hash in by_hash:
        found.append(by_hash[found[-1].parent_hash])
    return tuple(reversed(found))


def take_random_steps(chain: ChainStage, peers: SyncPeers, team: HeldTeam, rng: Random) -> None:
    """Answer and verify, one or the other, until nothing is left to do."""
    while (waiting := sorted(peers.waiting)) or len(team):
        if waiting and (not len(team) or rng.random() < 0.5):
            peers.answer(rng.choice(waiting))
        else:
            team.release(rng.randrange(len(team)))
            chain.pump.run_until_idle()
        if rng.random() < 0.2:
            chain.pump.run_for(2.0)


@settings(deadline=None, max_examples=60)
@given(
    trees, st.lists(st.integers(0, 100), min_size=3, max_size=3), st.randoms(use_true_random=False)
)
def test_a_sync_ends_on_the_best_chain_that_a_peer_has(
    shape: Shape, heads: list[int], rng: Random
) -> None:
    blocks = grow(shape)
    chains = [branch(blocks, blocks[head % len(blocks)]) for head in heads]
    team = HeldTeam()
    chain = ChainStage(signatures=Signatures(EASY, team))
    peers = SyncPeers(chain)
    for peer, theirs in zip(PEERS, chains, strict=True):
        peers.join(peer, *theirs)
    take_random_steps(chain, peers, team, rng)
    chain.pump.run_for(ASK_AGAIN_S)
    everything = {block.hash: block for theirs in chains for block in theirs}
    assert chain.info().tip.hash in longest_valid(tuple(everything.values()))
