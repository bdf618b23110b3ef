"""What falls together stands up together, in the composition that every node is built by."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from actors.node import LINK_ROOMS, START_ORDER, STATE_ROOMS
from actors.runtime.address import Address
from actors.runtime.supervisor import ListActors
from tests.support.world import SimNode, World

POISON = "no message of any room"


@pytest.fixture(autouse=True)
def _quiet_falls() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def restarts(node: SimNode) -> dict[str, int]:
    assert node.supervisor is not None
    reports = node.world.pump.ask(node.supervisor.address, ListActors())
    return {report.name: report.restarts for report in reports}


def fell(node: SimNode, name: str) -> None:
    """Make an actor fall over a message that nobody sends."""
    address: Address[object] = getattr(node.addresses, name)
    address.tell(POISON)
    node.world.run_for(1.0)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("chain", STATE_ROOMS),
        ("mempool", ("mempool",)),
        ("miner", ("miner",)),
        ("gossip", ("gossip",)),
        ("search", ("search",)),
        ("events", ("events",)),
        *((name, LINK_ROOMS) for name in LINK_ROOMS),
    ],
)
def test_a_fall_restarts_the_rooms_that_belong_together(name: str, group: tuple[str, ...]) -> None:
    world = World(3, nodes=2)
    world.start()
    fell(world.nodes[0], name)
    assert restarts(world.nodes[0]) == {each: int(each in group) for each in START_ORDER}


@pytest.mark.parametrize("name", START_ORDER)
def test_a_node_goes_on_with_its_peers_after_any_fall(name: str) -> None:
    world = World(5, nodes=3, mean_block_s=5.0)
    world.start()
    for node in world.nodes:
        node.mine()
    world.run_for(30.0)
    fell(world.nodes[0], name)
    before = world.nodes[0].tip().number
    world.run_for(60.0)
    for node in world.nodes[1:]:
        node.rest()
    assert world.run_until_agreed(120.0)
    assert world.nodes[0].tip().number > before
