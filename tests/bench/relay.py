"""Gossip through one node: from one peer to another, each in a process of its own.

No kind is relayed without limit unless a room judges it, and the judging is measured elsewhere: the node is a
real one, but for a mempool that finds all good that comes as ``bc:new_tx``.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from actors import assembly
from actors.config import Settings
from actors.gossip.messages import Decision, GossipReceived, Verdicts
from actors.node import Node
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from tests.bench.chains import BENCH_MAIN
from tests.bench.client import READY, ClientProcess
from tests.bench.figure import Bench, Figure, Target, at_least
from tests.bench.wires import ID_BYTES, Spell, listen, rumours, speak
from tests.support.usage import cpu_s

KIND = "bc:new_tx"
MESSAGES = 100_000
PAYLOAD_BYTES = 32
REMEMBERED = 50_000
"""Less than a node remembers (WIRE: limits, seen ids)."""


class Agreeable(NodeActor):
    """Finds everything good, at once."""

    def __init__(self, gossip: Address[Verdicts]) -> None:
        super().__init__()
        self._gossip = gossip

    def on_receive(self, message: object) -> None:
        if isinstance(message, GossipReceived):
            good = Decision.RELAY
            decisions = tuple((item.ticket, good) for item in message.items)
            self._gossip.tell(Verdicts(decisions))


def agreeable_node(pipe: Connection, data_dir: Path) -> None:
    """A node with that in its mempool's place; it says where it listens, and goes when told to."""

    def judge(*given: Any) -> Agreeable:
        *_, addresses = given
        return Agreeable(addresses["gossip"])

    assembly._mempool = judge  # type: ignore[assignment]
    node = Node(Settings(data_dir, BENCH_MAIN))
    node.start()
    try:
        pipe.send(READY)
        pipe.send(node.listen_address)
        pipe.recv()
    finally:
        node.stop()


def relay(bench: Bench) -> Iterator[Figure]:
    """News, and then what the node has heard before."""
    messages, remembered = bench.size(MESSAGES, 300), bench.size(REMEMBERED, 100)
    with ExitStack() as stack:
        node = stack.enter_context(ClientProcess(agreeable_node, bench.sub("agreeable")))
        address = node.hear()
        speaker = stack.enter_context(ClientProcess(speak, address))
        listener = stack.enter_context(ClientProcess(listen, address))
        line = Line(node, speaker, listener)
        runs = [
            line.run(rumours(KIND, messages, PAYLOAD_BYTES, seed), relayed=messages)
            for seed in range(bench.runs())
        ]
        yield from medians(
            "gossip, small messages from one peer to another", runs, at_least(200_000)
        )
        old = rumours(KIND, remembered, PAYLOAD_BYTES, -1)
        line.run(old, relayed=remembered)
        repeats = -(-messages // remembered)
        runs = [
            line.run([*old * repeats, *rumours(KIND, 1, PAYLOAD_BYTES, -2 - run)], relayed=1)
            for run in range(bench.runs())
        ]
        yield from medians("gossip, small messages that are known already", runs)
        node.tell()


class Run(NamedTuple):
    """Messages a second, and shares of a processor."""

    per_s: float
    node: float
    speaker: float
    listener: float


class Line:
    """A speaker, the node, a listener."""

    def __init__(
        self, node: ClientProcess, speaker: ClientProcess, listener: ClientProcess
    ) -> None:
        self._node, self._speaker, self._listener = node, speaker, listener

    def run(self, frames: Sequence[bytes], relayed: int) -> Run:
        """All frames in, until the last of those that are relayed is out.

        Raises:
            AssertionError: some were lost.
        """
        # The node numbers what it relays anew; id and payload stay.
        self._listener.give(frames[-1][-(ID_BYTES + PAYLOAD_BYTES) :])
        self._speaker.give(b"".join(frames))
        before_s = cpu_s(self._node.pid)
        self._speaker.tell()
        said: Spell = self._speaker.hear()
        heard: Spell = self._listener.hear()
        taken_s = heard.ended_s - said.begun_s
        used_s = cpu_s(self._node.pid) - before_s
        assert heard.moved_bytes >= relayed * len(frames[-1]), "nothing may be lost"
        shares = (each / taken_s for each in (used_s, said.cpu_s, heard.cpu_s))
        return Run(len(frames) / taken_s, *shares)


def medians(what: str, runs: Sequence[Run], target: Target | None = None) -> Iterator[Figure]:
    per_s, node, speaker, listener = map(statistics.median, zip(*runs, strict=True))
    yield Figure(what, per_s, "1/s", target)
    yield Figure(f"{what}, CPU of the node", 100 * node, "%")
    yield Figure(f"{what}, CPU of the busier peer", 100 * max(speaker, listener), "%")
