"""One of several nodes is told not to follow a block of all others, and then to follow it again."""

from __future__ import annotations

import random

import pytest

from actors.chain.messages import InvalidateBlock, ReconsiderBlock, SteerOutcome
from actors.simulation.world import World

SEEDS = range(8)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_that_invalidates_and_reconsiders_converges_with_the_others(seed: int) -> None:
    choices = random.Random(seed)
    world = World(seed, nodes=4, break_share=choices.choice((0.0, 0.01)))
    world.wire.legacy = {world.nodes[3].name} if seed % 2 else set()
    world.start()
    steered, miner = world.nodes[0], world.nodes[1]
    miner.mine()
    world.run_for(60.0)
    miner.pay(steered.key.public, 30)
    world.run_for(60.0)
    depth = choices.randrange(1, 6)
    refused = steered.store.hash_at(max(1, steered.tip().number - depth))
    assert refused is not None
    verdict = world.pump.ask(steered.addresses.chain, InvalidateBlock(refused))
    assert verdict.outcome is SteerOutcome.DONE
    assert verdict.disconnected > 0
    fork = verdict.tip.number
    steered.mine()
    world.run_for(120.0)
    if choices.random() < 0.5:
        steered.kill()
        world.run_for(20.0)
        steered.start()
        world.run_for(60.0)
    header = steered.store.header(refused)
    assert header is not None
    assert not steered.store.is_canonical(header.ref), "it stays off, also after a restart"
    assert steered.tip().number > fork, "and mines on what is left"
    steered.rest()
    assert world.pump.ask(steered.addresses.chain, ReconsiderBlock(refused)).outcome is (
        SteerOutcome.DONE
    )
    assert world.run_until_agreed(300.0)
    miner.rest()
    assert world.run_until_agreed(60.0)
    world.check()
