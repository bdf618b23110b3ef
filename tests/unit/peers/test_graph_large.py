"""A crawl learns the same as a search of the whole graph, however answers are ordered, within its bounds."""

from __future__ import annotations

import random
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from actors.peers.graph import MAX_EDGES, Graph
from actors.peers.messages import NodeState, PeerId, Topology

NODES = 1_000

Net = dict[PeerId, list[PeerId]]


def net_of(nodes: int, degree: int, rng: random.Random) -> Net:
    """Each node knows so many others; node 0 is ours."""
    names = [PeerId(f"n{number}:1") for number in range(nodes)]
    return {
        name: rng.sample([each for each in names if each != name], min(degree, nodes - 1))
        for name in names
    }


def distances(net: Net, own: PeerId) -> dict[PeerId, int]:
    found, ahead = {own: 0}, deque([own])
    while ahead:
        name = ahead.popleft()
        for other in net[name]:
            if other not in found:
                found[other] = found[name] + 1
                ahead.append(other)
    return found


def crawl(
    net: Net, own: PeerId, *, depth: int, max_nodes: int, rng: random.Random
) -> tuple[Topology, list[PeerId]]:
    """Ask whoever is to be asked; answers come in any order. Who was asked, too."""
    graph = Graph(
        own, net[own], depth=depth, max_nodes=max_nodes, may_ask=lambda _address: True, wall_s=1.0
    )
    waiting, asked = list[PeerId](), list[PeerId]()
    while True:
        while (address := graph.next_to_ask()) is not None:
            waiting.append(address)
            asked.append(address)
        if not waiting:
            break
        name = waiting.pop(rng.randrange(len(waiting)))
        graph.heard(name, net[name], 2.0)
    assert graph.complete
    return graph.result(), asked


@given(
    nodes=st.integers(2, 40),
    degree=st.integers(0, 5),
    depth=st.integers(1, 5),
    seed=st.integers(0, 2**32),
)
def test_distances_are_the_shortest_and_all_within_the_depth_are_asked_once(
    nodes: int, degree: int, depth: int, seed: int
) -> None:
    rng = random.Random(seed)
    net, own = net_of(nodes, degree, rng), PeerId("n0:1")
    topology, asked = crawl(net, own, depth=depth, max_nodes=NODES, rng=rng)
    true = distances(net, own)
    shown = {node.address: node.distance for node in topology.nodes}
    assert shown == {name: away for name, away in true.items() if away <= depth + 1}
    assert sorted(asked) == sorted(name for name, away in true.items() if 0 < away <= depth)
    assert not topology.truncated


def test_a_net_of_a_thousand_nodes_is_crawled_whole() -> None:
    net, own = net_of(NODES, 4, random.Random(1)), PeerId("n0:1")
    topology, asked = crawl(net, own, depth=16, max_nodes=NODES, rng=random.Random(2))
    reachable = distances(net, own)
    assert len(reachable) > 0.9 * NODES
    assert {node.address for node in topology.nodes} == set(reachable)
    assert len(asked) == len(set(asked)) == len(reachable) - 1
    assert {node.state for node in topology.nodes} == {NodeState.SELF, NodeState.ANSWERED}
    assert len(topology.edges) == sum(len(net[name]) for name in reachable)
    assert not topology.truncated


def test_a_dense_net_of_a_thousand_nodes_is_cut_at_its_bounds() -> None:
    net, own = net_of(NODES, 80, random.Random(1)), PeerId("n0:1")
    topology, asked = crawl(net, own, depth=16, max_nodes=600, rng=random.Random(2))
    assert len(topology.nodes) <= 600
    assert len(topology.edges) == MAX_EDGES
    assert topology.truncated
    assert len(asked) == len(set(asked)) < 600
