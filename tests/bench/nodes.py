"""Real nodes for benchmarks, and waits that disturb them little."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import grpc

from actors.ledger.network import Network
from tests.bench.chains import network_file
from tests.support.process import NodeProcess
from tests.support.usage import held

T = TypeVar("T")

LOOK_EVERY_S = 0.02
"""A call of GetNode takes a node 0.2 ms: a hundredth of it."""
PATIENCE_S = 240.0


class Look(NamedTuple):
    """A node at one moment."""

    at_s: float
    height: int
    memory_bytes: int


def node_of(data_dir: Path, network: Network, *arguments: str) -> NodeProcess:
    """A node of that network on whatever chain its directory holds."""
    file = network_file(data_dir.parent, network)
    return NodeProcess(data_dir, "--network-file", str(file), *arguments)


def watch_height(node: NodeProcess, height: int) -> list[Look]:
    """Look at the node until it has come so far.

    Raises:
        TimeoutError: it takes longer than any benchmark may.
    """
    looks, deadline_s = list[Look](), time.perf_counter() + PATIENCE_S
    while not looks or looks[-1].height < height:
        reached = unless_busy(node.height)
        now_s = time.perf_counter()
        if reached is not None:
            looks.append(Look(now_s, reached, held(node.process.pid).memory_bytes))
        if now_s > deadline_s:
            message = f"the node stays at {reached}: {''.join(node.output[-5:])}"
            raise TimeoutError(message)
        time.sleep(LOOK_EVERY_S)
    return looks


def unless_busy(ask: Callable[[], T]) -> T | None:
    """What a node answers; None: who knows it is too busy to say."""
    try:
        return ask()
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return None
