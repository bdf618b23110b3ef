"""The admin API of a node that mines on all cores: unary calls, alone and beside streams."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from troupe.admin.v1 import miner_service_pb2, miner_service_pb2_grpc

from admin.cli.bench import thread_counts
from tests.bench.client import PATIENCE_S, Calls, ClientProcess, Door, call_node
from tests.bench.figure import Bench, Figure
from tests.bench.readers import Watched, watch
from tests.support.process import EASY_TOML, NodeProcess
from tests.support.usage import cpu_s

RUN_S = 2.0
"""Some thousand calls: ten of them are slower than the p99."""
IN_FLIGHT = (1, 4, 16)
COMPARED_IN_FLIGHT = 4
"""Enough to keep the node busy, and not so many that they wait for each other."""
STREAMS = 100
BLOCKS = 1_000
PAUSE_S = 0.01
"""Between the calls of a client that is there to see how long they take, and not to be a load itself."""


def mining(folder: Path, *arguments: str) -> NodeProcess:
    """A node that mines on all cores."""
    return NodeProcess(folder, *arguments, "--mine", "--threads", str(thread_counts()[-1]))


class Run(NamedTuple):
    """One run of a client, and the node's processor time for each of its calls."""

    calls: Calls
    cpu_us: float


def unary(bench: Bench) -> Iterator[Figure]:
    """On ``main``, whose blocks are rare: the node has its calls to serve, and nonces to scan."""
    with mining(bench.folder / "unary", "--network", "main") as node:
        for in_flight in IN_FLIGHT:
            with ClientProcess(call_node, Door.of(node), in_flight) as client:
                runs = [run(node, client, bench) for _ in range(bench.runs())]
            yield from medians(f"GetNode, {in_flight} in flight", runs)
        yield from beside_idle_streams(node, bench)


def beside_idle_streams(node: NodeProcess, bench: Bench) -> Iterator[Figure]:
    """By turns without streams and with them, so that what else the machine does falls on both."""
    without, beside = list[Run](), list[Run]()
    streams = bench.size(STREAMS, 2)
    with ClientProcess(call_node, Door.of(node), COMPARED_IN_FLIGHT) as client:
        for _ in range(bench.runs()):
            without.append(run(node, client, bench))
            with ClientProcess(watch, Door.of(node), streams):
                beside.append(run(node, client, bench))
    what = f"GetNode, {COMPARED_IN_FLIGHT} in flight, idle streams"
    yield from medians(f"{what}: 0", without)
    yield from medians(f"{what}: {streams}", beside)


def run(node: NodeProcess, client: ClientProcess, bench: Bench) -> Run:
    before_s = cpu_s(node.process.pid)
    client.tell()
    time.sleep(RUN_S * bench.share)
    client.tell()
    calls: Calls = client.hear()
    return Run(calls, 1e6 * (cpu_s(node.process.pid) - before_s) / calls.made)


def medians(what: str, runs: list[Run]) -> Iterator[Figure]:
    """The node's time for a call is the figure that depends least on what else the machine does."""
    yield Figure(what, statistics.median(run.calls.per_s for run in runs), "1/s")
    yield Figure(f"{what}, p50", statistics.median(run.calls.p50_ms for run in runs), "ms")
    yield Figure(f"{what}, p99", statistics.median(run.calls.p99_ms for run in runs), "ms")
    yield Figure(f"{what}, node's CPU a call", statistics.median(run.cpu_us for run in runs), "us")


def streams(bench: Bench) -> Iterator[Figure]:
    """On an easy network: a thousand blocks, seen by no stream, by one and by a hundred."""
    network_file = bench.folder / "busy.toml"
    network_file.write_text(EASY_TOML)
    for readers in (0, 1, bench.size(STREAMS, 2)):
        with mining(
            bench.folder / f"streams{readers}", "--network-file", str(network_file)
        ) as node:
            yield from generated(node, readers, bench.size(BLOCKS, 5))


def generated(node: NodeProcess, readers: int, count: int) -> Iterator[Figure]:
    """The figures of one run, in which nothing may be lost.

    Raises:
        AssertionError: a stream differs from the first, or misses a block.
    """
    what = f"{count} blocks, {readers} streams"
    with ExitStack() as stack:
        watching = (
            stack.enter_context(ClientProcess(watch, Door.of(node), readers)) if readers else None
        )
        calling = stack.enter_context(ClientProcess(call_node, Door.of(node), 1, PAUSE_S))
        calling.tell()
        begun_s = time.perf_counter()
        blocks = generate(node, count)
        taken_s = time.perf_counter() - begun_s
        calling.tell()
        calls: Calls = calling.hear()
        node.rest()
        if watching is not None:
            watched: Watched = watching.hear()
            assert watched.differing == 0, watched.differing
            missing = len(blocks - watched.blocks)
            assert missing == 0, missing
    yield Figure(f"{what}, generated", count / taken_s, "1/s")
    yield Figure(f"{what}, GetNode p99 meanwhile", calls.p99_ms, "ms")
    if watching is not None:
        yield Figure(f"{what}, events each, none lost", len(watched.numbers), "")
        yield Figure(f"{what}, age of an event, p50", watched.p50_ms, "ms")
        yield Figure(f"{what}, age of an event, p99", watched.p99_ms, "ms")
        yield Figure(f"{what}, last stream after first", watched.last_ms, "ms")


def generate(node: NodeProcess, count: int) -> frozenset[str]:
    """The hashes of so many blocks, made in one run."""
    stub: Any = miner_service_pb2_grpc.MinerServiceStub(node.channel)
    request = miner_service_pb2.GenerateBlocksRequest(count=count)
    made = node.call(stub.GenerateBlocks, request, PATIENCE_S)
    return frozenset(response.block.hash for response in made if response.block.hash)
