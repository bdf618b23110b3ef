"""Real nodes on loopback that come and go: each keeps its directory and its port over its lives."""

from __future__ import annotations

import random
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from tests.bench.chains import duplicate
from tests.support import weighed
from tests.support.process import TROUPE, NodeProcess

T = TypeVar("T")

BOOTSTRAP = 3
"""Each is told of the first three; it learns of the others from them."""
LOST = "UNREACHABLE"
BAD_WORDS = ("Traceback", " ERROR ", " CRITICAL ")
LINES_TOLD = 20
"""From there on: a traceback."""


@dataclass
class Member:
    """A place in the fleet, and the node that is there now.

    Attributes:
        steady: It lives one life, so that its memory can be measured, and weighs itself where that is possible.
        node: None while it is down.
        lives: How often it was started.
        said: What its former lives said that they should not.
    """

    number: int
    folder: Path
    address: str
    arguments: tuple[str, ...]
    steady: bool
    node: NodeProcess | None = None
    lives: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def scales(self) -> Path:
        return self.folder.with_suffix(".weight")

    def weight(self) -> weighed.Weight | None:
        """What it has in use, if it weighs itself."""
        return weighed.read(self.scales) if self.scales.exists() else None

    def start(self) -> None:
        weighing = (sys.executable, "-m", "tests.support.weighed", str(self.scales))
        program = weighing if self.steady and weighed.is_possible() else TROUPE
        arguments = ("--listen", self.address, *self.arguments)
        self.node = NodeProcess(self.folder, *arguments, program=program)
        self.lives += 1

    def end(self, how: Callable[[NodeProcess], Any]) -> Any:
        """End its life by :meth:`NodeProcess.stop` or :meth:`NodeProcess.kill`."""
        node, self.node = self.node, None
        assert node is not None, "it is up"
        answer = how(node)
        for number, line in enumerate(node.output):
            if any(word in line for word in BAD_WORDS):
                self.said.append("".join(node.output[number : number + LINES_TOLD]))
        return answer


class Fleet:
    """All members, and calls to them that may fail: they are counted by how they ended."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        self.ended: Counter[tuple[str, str]] = Counter()

    @property
    def up(self) -> list[NodeProcess]:
        return [member.node for member in self.members if member.node is not None]

    def some(self, chance: random.Random) -> NodeProcess:
        return chance.choice(self.up)

    def call(
        self, node: NodeProcess, stub: Callable[[grpc.Channel], Any], method: str, request: Any
    ) -> Any | None:
        """The answer, of a stream the list of all; None: it was refused, or the node went away meanwhile."""
        outcome, answer = "OK", None
        try:
            answer = node.call(getattr(stub(node.channel), method), request)
            if hasattr(answer, "__next__"):
                answer = list(answer)
        except grpc.RpcError as error:
            outcome = reason_of(error)
        except ValueError:  # its channel was closed
            outcome = LOST
        self.ended[method, outcome] += 1
        return answer


def reason_of(error: grpc.RpcError) -> str:
    """Why a call was refused, as our errors say it, or gRPC."""
    call: Any = error
    status = rpc_status.from_call(call)
    if status is None:
        return str(call.code().name)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(info)
    return str(info.reason)


@contextmanager
def fleet_of(
    folder: Path, network_file: Path, count: int, steady: int, chain: Path | None
) -> Iterator[Fleet]:
    """So many nodes, the first of which are steady; nothing of them is left behind.

    Args:
        chain: A directory with a chain that the last one begins with, and the others fetch; None: there is none.
    """
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    members = []
    for number, address in enumerate(addresses):
        known = [peer for peer in addresses[:BOOTSTRAP] if peer != address]
        arguments = ["--network-file", str(network_file)]
        arguments += [word for peer in known for word in ("--peer", peer)]
        own = folder / str(number)
        if chain is not None and number == count - 1:
            duplicate(chain, own)
        members.append(Member(number, own, address, tuple(arguments), number < steady))
    fleet = Fleet(members)
    try:
        for member in members:
            member.start()
        yield fleet
    finally:
        for member in members:
            if member.node is not None:
                member.end(NodeProcess.kill)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, and nobody is given by chance soon: the system goes round."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
