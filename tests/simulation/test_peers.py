"""Whole nodes that meet, lose and find each other: one peer for each node, and a book that outlives a crash."""

from __future__ import annotations

import pytest

from actors.peers.messages import ListPeers, PeerInfo
from actors.simulation.node import SimNode
from actors.simulation.world import World

SEEDS = range(12)


def peers_of(node: SimNode) -> dict[str, PeerInfo]:
    return {info.peer: info for info in node.world.pump.ask(node.addresses.peers, ListPeers())}


@pytest.mark.parametrize("seed", SEEDS)
def test_two_nodes_that_dial_each_other_at_once_are_one_peer_each_and_stay_linked(
    seed: int,
) -> None:
    world = World(seed, nodes=2)
    one, other = world.nodes
    world.start()
    before = {node.name: peers_of(node) for node in world.nodes}
    assert {name: set(peers) for name, peers in before.items()} == {
        one.name: {other.name},
        other.name: {one.name},
    }
    world.run_for(300.0)
    for node in world.nodes:
        (was,), (now,) = before[node.name].values(), peers_of(node).values()
        assert len(was.conns) == 2
        assert now.conns == was.conns
        assert now.connected_s >= 300.0
    one.mine()
    world.run_for(120.0)
    one.rest()
    assert world.run_until_agreed(60.0)
    assert other.tip().number > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_that_was_cut_off_its_power_finds_its_peers_without_a_bootstrap_address(
    seed: int,
) -> None:
    world = World(seed, nodes=4)
    node, *others = world.nodes
    for other in others:
        other.bootstrap = (node.name,)
    node.bootstrap = ()
    world.start()
    world.run_for(60.0)
    assert set(peers_of(node)) == {other.name for other in others}
    node.kill()
    for other in others:
        other.kill()
        other.bootstrap = ()
        other.book.lines.clear()
        other.start()
    world.run_for(60.0)
    assert {len(peers_of(other)) for other in others} == {0}
    node.start()
    world.run_for(60.0)
    assert set(peers_of(node)) == {other.name for other in others}
    assert [peers_of(other)[node.name].initiated for other in others] == [False] * 3
