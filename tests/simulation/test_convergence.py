"""Five nodes, a partition, a crash and breaking connections: after healing all stand on one tip.

In half of the worlds one or two of the nodes behave like the nodes in the field: blocks are then
obtained by walking back from a gossiped tip.

``TROUPE_SEEDS`` sets how many seeds are played (200), ``TROUPE_SEED`` plays a single one again.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.support.world import SimNode, World

DEFAULT_SEEDS = 200
BATCHES = 10
"""The seeds are played in so many tests, so that a failure shows early and names its seed."""

SEED = os.environ.get("TROUPE_SEED")
SEEDS = [int(SEED)] if SEED else list(range(int(os.environ.get("TROUPE_SEEDS", DEFAULT_SEEDS))))


def pay_at_random(world: World, choices: random.Random) -> None:
    """Some transfers between living nodes, now and then of more than there is."""
    living = [node for node in world.nodes if node.alive]
    for _ in range(choices.randrange(4)):
        payer, payee = choices.choice(living), choices.choice(world.nodes)
        payer.pay(payee.key.public, choices.choice((0, 1, 30, 10_000)))


def live_through(world: World, choices: random.Random, seconds: int) -> None:
    for _ in range(seconds // 10):
        pay_at_random(world, choices)
        world.run_for(10.0)


def play(seed: int) -> World:
    """One scenario, drawn from the seed, up to the moment after healing."""
    choices = random.Random(seed)
    world = World(seed, break_share=choices.choice((0.0, 0.0, 0.002, 0.01)))
    old = choices.sample(world.nodes, choices.choice((0, 0, 1, 2)))
    world.wire.legacy = {node.name for node in old}
    world.start()
    for node in world.nodes:
        node.mine()
    live_through(world, choices, 40)
    side = choices.sample(world.nodes, choices.randrange(1, 4))
    world.wire.partition({node.name: 1 for node in side})
    live_through(world, choices, 20)
    victim = choices.choice(world.nodes)
    victim.kill()
    live_through(world, choices, 30)
    victim.start()
    if choices.random() < 0.5:
        victim.mine()
    live_through(world, choices, 20)
    world.wire.heal()
    world.wire.break_share = 0.0
    return world


def converge(world: World) -> bool:
    """One miner settles ties: the longest chain is then unique, and everybody's."""
    last: SimNode = world.nodes[0]
    for node in world.nodes:
        if node is not last:
            node.rest()
    last.mine()
    if not world.run_until_agreed(300.0):
        return False
    last.rest()
    return world.run_until_agreed(60.0)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_nodes_converge_after_a_partition_and_a_crash(batch: int) -> None:
    for seed in SEEDS[batch::BATCHES]:
        world = play(seed)
        agreed = converge(world)
        heights = [node.tip().number for node in world.nodes]
        again = f"play it again with TROUPE_SEED={seed}"
        assert agreed, f"seed {seed} did not converge, heights {heights}; {again}"
        try:
            world.check()
        except AssertionError as error:
            error.add_note(f"seed {seed}; {again}")
            raise
        assert min(heights) > 0, f"seed {seed} mined nothing; {again}"


def test_a_seed_replays_exactly() -> None:
    first, second = play(11), play(11)
    assert [node.tip() for node in first.nodes] == [node.tip() for node in second.nodes]
    assert first.clock.now_s() == second.clock.now_s()
    for one, other in zip(first.nodes, second.nodes, strict=True):
        assert one.journal.lines == other.journal.lines
        assert [b.raw for b in one.blocks()] == [b.raw for b in other.blocks()]


def test_the_scenarios_hold_what_they_are_for() -> None:
    worlds = [play(seed) for seed in range(10)]
    assert all(converge(world) for world in worlds)
    transactions = [t for world in worlds for b in world.nodes[0].blocks() for t in b.transactions]
    forks = sum(node.store.side_blocks() for world in worlds for node in world.nodes)
    assert len(transactions) > 10
    assert forks > 10
    assert any(world.wire.legacy for world in worlds)


def test_seeds_differ() -> None:
    assert len({play(seed).nodes[0].tip() for seed in range(5)}) == 5
