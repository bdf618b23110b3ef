"""Transactions of a peer into the pool of a real node: as many as it has places, over one connection."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from troupe.admin.v1 import mempool_service_pb2, mempool_service_pb2_grpc

from actors.config import MempoolSettings
from actors.ledger.codec import make_block
from actors.ledger.network import Network
from actors.ledger.types import Block, Transaction
from tests.bench.chains import (
    BENCH_MAIN,
    BENCH_WORKSHOP,
    BLOCK_TRANSACTIONS,
    batches,
    duplicate,
    keys,
    pay,
    write,
)
from tests.bench.client import ClientProcess
from tests.bench.figure import Bench, Figure, Target, at_least
from tests.bench.nodes import PATIENCE_S, node_of, unless_busy
from tests.bench.wires import Spell, gossip, speak
from tests.support.process import NodeProcess
from tests.support.usage import cpu_s

PLACES = MempoolSettings().max_pending
OF_ONE = MempoolSettings().max_pending_per_sender
FUNDS = 500
LEAST_WAIT_S, MOST_WAIT_S = 0.01, 0.1
"""Between two looks, by half of what is left. Each takes a node a millisecond, and is answered at once, ahead of
what peers sent: one every 10 ms would be a fiftieth of all that is measured.
"""
TARGETS = ((BENCH_MAIN, 8_000), (BENCH_WORKSHOP, 5_000))
ROUNDS = 3
"""Each on a node of its own: a pool that is full takes nothing more."""


def admission(bench: Bench) -> Iterator[Figure]:
    """From senders who send as much as one may, and from senders of one: a node remembers keys, and to decode
    a new one costs a part of a verification.
    """
    for network, least in TARGETS:
        yield from admitted(bench, network, OF_ONE, at_least(least))
        yield from admitted(bench, network, 1, None)


def admitted(
    bench: Bench, network: Network, of_one: int, target: Target | None
) -> Iterator[Figure]:
    """The figures of a pool that is filled with so many transactions of each sender."""
    count = bench.size(PLACES, 32)
    blocks, transactions = funded(network, count, of_one)
    name = f"{network.name}-{of_one}"
    source = bench.sub(name)
    write(source, network, blocks)
    heap = b"".join(
        gossip("bc:new_tx", place.to_bytes(16, "big"), each.raw)
        for place, each in enumerate(transactions)
    )
    runs = []
    for run in range(bench.runs(ROUNDS)):
        data_dir = duplicate(source, bench.folder / f"{name}-{run}")
        with node_of(data_dir, network) as node:
            runs.append(admit(node, heap, count))
    taken_s, node_share, client_share = map(statistics.median, zip(*runs, strict=True))
    what = f"{count:,} transactions admitted, {of_one} of a sender, {network.key_scheme}"
    yield Figure(what, count / taken_s, "1/s", target)
    yield Figure(f"{what}, CPU of the node", 100 * node_share, "%")
    yield Figure(f"{what}, CPU of the peer", 100 * client_share, "%")


def admit(node: NodeProcess, heap: bytes, count: int) -> tuple[float, float, float]:
    """Seconds from the first byte to the last admission; shares of a processor of node and peer."""
    with ClientProcess(speak, node.listen_address) as peer:
        peer.give(heap)
        before_s = cpu_s(node.process.pid)
        peer.tell()
        until_pending(node, count)
        ended_s = time.perf_counter()
        used_s = cpu_s(node.process.pid) - before_s
        said: Spell = peer.hear()
    taken_s = ended_s - said.begun_s
    return taken_s, used_s / taken_s, said.cpu_s / taken_s


def until_pending(node: NodeProcess, count: int) -> None:
    """Wait until so many are admitted.

    Raises:
        TimeoutError: Some are not.
    """
    stub: Any = mempool_service_pb2_grpc.MempoolServiceStub(node.channel)
    ask = partial(node.call, stub.GetMempool, mempool_service_pb2.GetMempoolRequest())
    begun_s, pending = time.perf_counter(), 0
    while pending < count:
        passed_s = time.perf_counter() - begun_s
        if passed_s > PATIENCE_S:
            message = f"{pending} of {count} transactions are pending"
            raise TimeoutError(message)
        left_s = passed_s * (count - pending) / max(1, pending)
        time.sleep(min(max(LEAST_WAIT_S, left_s / 2), MOST_WAIT_S))
        answer = unless_busy(ask)
        if answer is not None:
            pending = answer.mempool.pending_count


def funded(network: Network, count: int, of_one: int) -> tuple[list[Block], Sequence[Transaction]]:
    """Blocks that give each of many senders something, and what each in its turn sends to the next then."""
    senders = keys(network, -(-count // of_one), "sender")
    payees = [*senders[1:], senders[0]]
    (rich,) = keys(network, 1, "rich")
    tip = network.genesis.ref
    blocks, nonce = list[Block](), 0
    for group in [(), *batches(senders, BLOCK_TRANSACTIONS)]:
        gifts = [
            pay(rich, sender.public, nonce + place, FUNDS) for place, sender in enumerate(group)
        ]
        nonce += len(gifts)
        blocks.append(make_block(tip.number + 1, 0, tip.hash, rich.public, gifts))
        tip = blocks[-1].ref
    spent = [
        pay(sender, payee.public, nonce, 1)
        for nonce in range(of_one)
        for sender, payee in zip(senders, payees, strict=True)
    ]
    return blocks, spent[:count]
