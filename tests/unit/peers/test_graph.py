"""What a crawl learns, whom it asks next, and where it stops."""

from __future__ import annotations

from collections.abc import Callable

from actors.peers.graph import MAX_EDGES, Graph
from actors.peers.messages import NodeState, PeerId, Topology

OWN = PeerId("own:1")


def graph_of(
    *peers: str,
    depth: int = 1,
    max_nodes: int = 100,
    may_ask: Callable[[PeerId], bool] = lambda _address: True,
) -> Graph:
    return Graph(
        OWN, map(PeerId, peers), depth=depth, max_nodes=max_nodes, may_ask=may_ask, wall_s=5.0
    )


def asked(graph: Graph) -> list[str]:
    names = list[str]()
    while (address := graph.next_to_ask()) is not None:
        names.append(address)
    return names


def hear(graph: Graph, address: str, *listed: str) -> None:
    graph.heard(PeerId(address), map(PeerId, listed), 7.0)


def states(topology: Topology) -> dict[str, tuple[int, NodeState]]:
    return {node.address: (node.distance, node.state) for node in topology.nodes}


def edges(topology: Topology) -> list[tuple[str, str]]:
    return [(edge.source, edge.target) for edge in topology.edges]


def test_a_node_without_peers_has_nobody_to_ask() -> None:
    graph = graph_of()
    assert graph.complete
    assert states(graph.result()) == {OWN: (0, NodeState.SELF)}
    assert not graph.result().truncated


def test_peers_are_asked_and_their_peers_only_shown() -> None:
    graph = graph_of("a:1", "b:1")
    assert asked(graph) == ["a:1", "b:1"]
    hear(graph, "a:1", OWN, "b:1", "c:1")
    assert not graph.complete
    assert graph.result().truncated
    graph.silent(PeerId("b:1"), NodeState.NO_ANSWER, 8.0)
    assert asked(graph) == []
    assert graph.complete
    topology = graph.result()
    assert states(topology) == {
        OWN: (0, NodeState.SELF),
        "a:1": (1, NodeState.ANSWERED),
        "b:1": (1, NodeState.NO_ANSWER),
        "c:1": (2, NodeState.NOT_ASKED),
    }
    assert edges(topology) == [
        (OWN, "a:1"),
        (OWN, "b:1"),
        ("a:1", "b:1"),
        ("a:1", "c:1"),
        ("a:1", OWN),
    ]
    assert [edge.ours for edge in topology.edges] == [True, True, False, False, False]
    assert [edge.observed_s for edge in topology.edges] == [5.0, 5.0, 7.0, 7.0, 7.0]
    assert not topology.truncated


def test_deeper_crawls_ask_on_and_each_node_once() -> None:
    graph = graph_of("a:1", depth=2)
    asked(graph)
    hear(graph, "a:1", "b:1", "a:1")
    assert asked(graph) == ["b:1"]
    hear(graph, "b:1", "a:1", OWN, "c:1")
    assert asked(graph) == []
    assert graph.complete
    assert states(graph.result())["c:1"] == (3, NodeState.NOT_ASKED)


def test_a_shorter_way_found_later_brings_what_lies_behind_it_into_reach() -> None:
    graph = graph_of("a:1", "z:1", depth=3)
    asked(graph)
    hear(graph, "a:1", "b:1")
    asked(graph)
    hear(graph, "b:1", "c:1")
    assert asked(graph) == ["c:1"]
    hear(graph, "c:1", "d:1")
    assert asked(graph) == []
    assert states(graph.result())["d:1"][0] == 4
    hear(graph, "z:1", "c:1")
    assert states(graph.result())["c:1"][0] == 2
    assert states(graph.result())["d:1"][0] == 3
    assert asked(graph) == ["d:1"]


def test_who_may_not_be_asked_is_shown_and_not_waited_for() -> None:
    graph = graph_of("a:1", depth=2, may_ask=lambda address: address != "b:1")
    asked(graph)
    hear(graph, "a:1", "b:1")
    assert asked(graph) == []
    assert graph.complete
    assert states(graph.result())["b:1"] == (2, NodeState.NOT_ASKED)


def test_a_full_graph_takes_no_more_nodes_and_says_so() -> None:
    graph = graph_of("a:1", "b:1", max_nodes=3)
    asked(graph)
    hear(graph, "a:1", "c:1", "b:1")
    hear(graph, "b:1")
    topology = graph.result()
    assert topology.truncated
    assert set(states(topology)) == {OWN, "a:1", "b:1"}
    assert ("a:1", "b:1") in edges(topology)


def test_the_edges_have_a_limit() -> None:
    names = [f"n{number}:1" for number in range(100)]
    graph = graph_of(*names, max_nodes=200)
    asked(graph)
    for name in names:
        hear(graph, name, *names)
    assert len(graph.result().edges) == MAX_EDGES
    assert graph.result().truncated


def test_one_that_cannot_be_asked_after_all_leaves_the_graph_cut_short() -> None:
    graph = graph_of("a:1")
    address = graph.next_to_ask()
    assert address is not None
    graph.put_back(address)
    assert graph.next_to_ask() == address
    graph.leave_out(address)
    assert graph.complete
    assert graph.result().truncated
    assert states(graph.result())["a:1"] == (1, NodeState.NOT_ASKED)
