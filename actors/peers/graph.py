"""Who knows whom, as one crawl learns it: which nodes are known, which are to be asked next.

Pure: times are arguments. Lives here: the graph and its bounds. Must not live here: how a node is asked
(`crawler`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from actors.peers.messages import NodeState, PeerId, Topology, TopologyEdge, TopologyNode

MAX_EDGES = 5_000
"""More is no picture, and with the longest names an answer of 2.7 MB, within a message of the admin API."""


@dataclass(slots=True)
class _Node:
    distance: int
    state: NodeState = NodeState.NOT_ASKED
    observed_s: float | None = None
    knows: tuple[PeerId, ...] = ()
    waits: bool = False
    """It is to be asked, or is being asked."""


class Graph:
    """One crawl's knowledge. All times are Unix time: they are for people."""

    def __init__(
        self,
        own: PeerId,
        peers: Iterable[PeerId],
        *,
        depth: int,
        max_nodes: int,
        may_ask: Callable[[PeerId], bool],
        wall_s: float,
    ) -> None:
        self._own, self._depth, self._max_nodes, self._may_ask = own, depth, max_nodes, may_ask
        self._nodes = {own: _Node(0, NodeState.SELF, wall_s)}
        self._to_ask: deque[PeerId] = deque()
        self._waiting = self._edges = 0
        self.truncated = False
        self._learn(own, peers)

    @property
    def complete(self) -> bool:
        """Whether nobody is left to be asked or to answer."""
        return not self._waiting

    def next_to_ask(self) -> PeerId | None:
        """Whom to ask now; None: nobody. Each is asked once."""
        return self._to_ask.popleft() if self._to_ask else None

    def put_back(self, address: PeerId) -> None:
        """It cannot be asked just now: the next to ask, later."""
        self._to_ask.appendleft(address)

    def heard(self, address: PeerId, listed: Iterable[PeerId], wall_s: float) -> None:
        """A node that was asked told its peers."""
        self._settle(address, NodeState.ANSWERED, wall_s)
        self._learn(address, listed)

    def silent(self, address: PeerId, state: NodeState, wall_s: float) -> None:
        """A node that was asked told nothing."""
        self._settle(address, state, wall_s)

    def leave_out(self, address: PeerId) -> None:
        """A node is not asked after all, for want of means."""
        self._nodes[address].waits = False
        self._waiting -= 1
        self.truncated = True

    def result(self) -> Topology:
        """What is known now."""
        ordered = sorted(self._nodes.items(), key=lambda item: (item[1].distance, item[0]))
        nodes = tuple(
            TopologyNode(address, node.distance, node.state, node.observed_s)
            for address, node in ordered
        )
        edges = tuple(
            TopologyEdge(address, other, address == self._own, node.observed_s)
            for address, node in ordered
            if node.observed_s is not None
            for other in sorted(node.knows)
        )
        return Topology(nodes, edges, self.truncated or not self.complete)

    def _settle(self, address: PeerId, state: NodeState, wall_s: float) -> None:
        node = self._nodes[address]
        node.state, node.observed_s = state, wall_s
        node.waits = False
        self._waiting -= 1

    def _learn(self, address: PeerId, listed: Iterable[PeerId]) -> None:
        """Note whom a node knows, within the bounds."""
        node, known = self._nodes[address], list[PeerId]()
        for other in listed:
            if other == address:
                continue
            is_new = other not in self._nodes
            if self._edges >= MAX_EDGES or (is_new and len(self._nodes) >= self._max_nodes):
                self.truncated = True
                continue
            self._edges += 1
            known.append(other)
            self._reach(other, node.distance + 1)
        node.knows = tuple(known)

    def _reach(self, address: PeerId, distance: int) -> None:
        """A way of this length leads there, and perhaps a shorter one on to those whom it knows.

        Ends: only who was asked knows anybody, so no way is longer than the depth and one.
        """
        node = self._nodes.setdefault(address, _Node(distance + 1))
        if node.distance <= distance:
            return
        node.distance = distance
        unasked = node.state is NodeState.NOT_ASKED and not node.waits
        if unasked and distance <= self._depth and self._may_ask(address):
            node.waits = True
            self._waiting += 1
            self._to_ask.append(address)
        for other in node.knows:
            self._reach(other, distance + 1)
