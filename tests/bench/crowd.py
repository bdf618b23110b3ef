"""A thousand peers on one node: what they cost it while nothing happens, and how soon each has a new block."""

from __future__ import annotations

import selectors
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from troupe.admin.v1 import miner_service_pb2, miner_service_pb2_grpc

from tests.bench.chains import BENCH_MAIN
from tests.bench.client import READY, ClientProcess
from tests.bench.figure import Bench, Figure, at_most, quantile
from tests.bench.nodes import node_of
from tests.bench.wires import CHUNK_BYTES, ID_BYTES, dial
from tests.support.process import WAIT_TIMEOUT_S, NodeProcess
from tests.support.usage import cpu_s, held
from tests.support.wire_client import REQUEST, RESPONSE, frame, message

PEERS = 1_000
BLOCKS = 30
GREETING_S = 5.0
"""Longer than the node waits for an answer that a peer in the field never gives."""
IDLE_S = 35.0
"""Longer than the node leaves a silent peer alone (WIRE: limits): it asks each of them once."""
KB = 1_000
ADVERTISED = "127.0.{}.{}:9000"
"""Nobody is there: peers that are connected are not dialed."""
NEWS = b"gossip:bc:new_block\0"
KEEP_ALIVE = b"p2p:get_peers\0"
HEADER_BYTES = 1 + 4
FIRST_BLOCK = 2
"""Whose arrival counts: the one before is there when they come, and told to those who speak no Troupe."""


class Arrived(NamedTuple):
    """When each peer had a block, by a clock that all processes share, the peers' processor time meanwhile, and
    how many keep-alives they have answered so far.
    """

    at_s: list[float]
    used_s: float
    kept_alive: int


class Heard(NamedTuple):
    """The numbers of the blocks that came, and how often the node asked whether one is there."""

    blocks: list[int]
    kept_alive: int


def crowd(bench: Bench) -> Iterator[Figure]:
    peers, blocks = bench.size(PEERS, 10), bench.size(BLOCKS, 2)
    what = f"{peers:,} connections"
    with node_of(bench.folder / "node", BENCH_MAIN, "--max-peers", str(PEERS)) as node:
        generate(node)
        node.node()
        before = held(node.process.pid)
        with ClientProcess(hold, node.listen_address, peers) as client:
            time.sleep(bench.share * GREETING_S)
            assert node.node().peer_count == peers
            after = held(node.process.pid)
            yield Figure(f"{what}, threads more", after.threads - before.threads, "", at_most(0))
            each_kb = (after.memory_bytes - before.memory_bytes) / KB / peers
            yield Figure(f"{what}, memory of each", each_kb, "KB", at_most(100))
            used_s, idle_s = cpu_s(node.process.pid), bench.share * IDLE_S
            time.sleep(idle_s)
            idle_share = (cpu_s(node.process.pid) - used_s) / idle_s
            yield Figure(f"{what}, CPU of the node while they are idle", 100 * idle_share, "%")
            yield from news(what, node, client, blocks)


def news(what: str, node: NodeProcess, client: ClientProcess, blocks: int) -> Iterator[Figure]:
    """The node makes blocks one by one, each when all have the one before."""
    taken, shares, kept_alive = [], [], []
    for _ in range(blocks):
        client.tell()
        client.hear()
        begun_s = time.perf_counter()
        generate(node)
        arrived: Arrived = client.hear()
        taken += [1e3 * (at_s - begun_s) for at_s in arrived.at_s]
        shares.append(arrived.used_s / (max(arrived.at_s) - begun_s))
        kept_alive.append(arrived.kept_alive)
    yield Figure(f"{what}, keep-alives answered before the first block", kept_alive[0], "")
    what += ", from the order of a block to its arrival"
    yield Figure(f"{what}, p50", statistics.median(taken), "ms")
    yield Figure(f"{what}, p99", quantile(taken, 0.99), "ms", at_most(250))
    yield Figure(f"{what}, CPU of the peers", 100 * statistics.median(shares), "%")


def generate(node: NodeProcess) -> None:
    """One block, made and stored."""
    stub: Any = miner_service_pb2_grpc.MinerServiceStub(node.channel)
    request = miner_service_pb2.GenerateBlocksRequest(count=1)
    for _ in node.call(stub.GenerateBlocks, request, WAIT_TIMEOUT_S):
        pass


def hold(pipe: Connection, listen_address: str, peers: int) -> None:
    """So many connections; told of a block to come, say when each had it."""
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for place in range(peers):
            advertised = ADVERTISED.format(1 + place // 250, 1 + place % 250)
            client = stack.enter_context(dial(listen_address, advertised))
            client.sock.setblocking(False)
            selector.register(client.sock, selectors.EVENT_READ, bytearray())
        pipe.send(READY)
        selector.register(pipe, selectors.EVENT_READ)
        awaited, used_s, kept_alive = 0, 0.0, 0
        arrived: dict[int, float] = {}
        while True:
            for key, _ in selector.select():
                if key.fileobj is pipe:
                    pipe.recv()
                    awaited = max(FIRST_BLOCK, awaited + 1)
                    used_s, arrived = time.process_time(), {}
                    pipe.send(READY)
                    continue
                heard = heed(key)
                kept_alive += heard.kept_alive
                if awaited in heard.blocks and key.fd not in arrived:
                    arrived[key.fd] = time.perf_counter()
                    if len(arrived) == peers:
                        used_s = time.process_time() - used_s
                        pipe.send(Arrived([*arrived.values()], used_s, kept_alive))


def heed(key: selectors.SelectorKey) -> Heard:
    """Take what came on a connection, and answer what is asked."""
    sock: Any = key.fileobj
    pending: bytearray = key.data
    data = sock.recv(CHUNK_BYTES)
    assert data, "the node has closed a connection"
    pending += data
    blocks, kept_alive = [], 0
    while len(pending) >= 4 and len(pending) >= 4 + (size := int.from_bytes(pending[:4], "big")):
        body = bytes(pending[4 : 4 + size])
        del pending[: 4 + size]
        if body.startswith(NEWS, HEADER_BYTES):
            blocks.append(int(body[HEADER_BYTES + len(NEWS) + ID_BYTES :].split(b":", 1)[0]))
        elif body[0] == REQUEST and body.startswith(KEEP_ALIVE, HEADER_BYTES):
            sock.send(frame(message(RESPONSE, int.from_bytes(body[1:5], "big"), "")))
            kept_alive += 1
    return Heard(blocks, kept_alive)
