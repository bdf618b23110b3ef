"""Runs the benchmarks and prints a table, or one JSON array with ``--json``.

Each figure is the median of several runs. The wire and admin figures are of a real node process over
loopback, the client being this one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from actors.chain.importer import Importer
from actors.chain.store import Store
from actors.ledger.codec import decode_block, decode_transaction, make_block
from actors.ledger.keys import ED25519, P192_SHA1, KeyScheme
from actors.ledger.network import Network
from actors.ledger.state import apply_block, check_transaction
from actors.ledger.types import Account, Block
from actors.miner.bench import Row, measure
from actors.miner.engines import HASHLIB, plan_engine
from admin.cli.bench import TIMING, thread_counts
from tests.support.ledger import EASY_MAIN, EASY_WORKSHOP, key, transfer
from tests.support.process import NodeProcess, easy_network_file
from tests.support.wire_client import REQUEST, RESPONSE, WireClient, frame, message

RUNS = 5
TRANSACTIONS = 10
PIPELINE = 200
"""Requests under way at once: within the read credit of a connection."""


class Figure(NamedTuple):
    """One measured figure."""

    what: str
    value: float
    unit: str


def median_s(action: Callable[[], object], times: int = 1) -> float:
    """Seconds that one ``action`` takes: the median of the runs, each of so many times."""
    taken = []
    for _ in range(RUNS):
        begun_s = time.perf_counter()
        for _ in range(times):
            action()
        taken.append((time.perf_counter() - begun_s) / times)
    return statistics.median(taken)


def full_block(network: Network, scheme: KeyScheme) -> Block:
    payer, payee = key(scheme, "payer"), key(scheme, "payee").public
    transactions = [transfer(payer, payee, nonce, 1) for nonce in range(TRANSACTIONS)]
    return make_block(1, 0, network.genesis.hash, payee, tuple(transactions))


def ledger() -> Iterator[Figure]:
    for network, scheme in ((EASY_MAIN, ED25519), (EASY_WORKSHOP, P192_SHA1)):
        block = full_block(network, scheme)
        transaction = block.transactions[0]

        def apply(
            network: Network = network, block: Block = block, *, known: bool = True
        ) -> object:
            return apply_block(
                network,
                network.genesis.ref,
                lambda _address: Account(1_000),
                block,
                signature_known=lambda _id: known,
            )

        name = network.key_scheme
        yield Figure(
            f"decode a transaction, {name}",
            1e6 * median_s(partial(decode_transaction, transaction.raw), 2_000),
            "us",
        )
        yield Figure(
            f"decode a block of 10, {name}",
            1e6 * median_s(partial(decode_block, block.raw), 500),
            "us",
        )
        yield Figure(
            f"verify a transaction, {name}",
            1e6 * median_s(partial(check_transaction, network, transaction), 200),
            "us",
        )
        yield Figure(
            f"apply a block of 10, verified before, {name}", 1e6 * median_s(apply, 500), "us"
        )
        yield Figure(
            f"apply a block of 10, {name}",
            1e3 * median_s(partial(apply, known=False), 10),
            "ms",
        )


def store(folder: Path) -> Iterator[Figure]:
    payer = key(ED25519, "payer")
    with_store = Store.open(folder / "bench.db", EASY_MAIN)
    importer = Importer(with_store, EASY_MAIN)
    tip = EASY_MAIN.genesis.ref
    taken = []
    for height in range(60):
        first = TRANSACTIONS * (height - 1)
        transactions = (
            tuple(
                transfer(payer, key(ED25519, str(n)).public, n, 1)
                for n in range(first, first + TRANSACTIONS)
            )
            if height
            else ()
        )
        block = make_block(tip.number + 1, 0, tip.hash, payer.public, transactions)
        begun_s = time.perf_counter()
        importer.add((block,))
        taken.append(time.perf_counter() - begun_s)
        tip = block.ref
    assert with_store.tip() == tip, "every block was valid"
    with_store.close()
    yield Figure(
        "verify, apply and commit a block of 10 at the tip",
        1e3 * statistics.median(taken[1:]),
        "ms",
    )


def dial(node: NodeProcess) -> WireClient:
    host, _, port = node.listen_address.rpartition(":")
    client = WireClient.connect(host, int(port))
    assert client.hello(client.address).accepted
    return client


def wire(node: NodeProcess) -> Iterator[Figure]:
    body = frame(message(REQUEST, 7, "p2p:get_peers"))

    def pipelined(client: WireClient) -> None:
        client.send_raw(body * PIPELINE)
        for _ in range(PIPELINE):
            assert client.recv_frame()[0] == RESPONSE

    with dial(node) as client:
        yield Figure(
            "requests on one connection, one by one",
            1 / median_s(lambda: client.request(7, "p2p:get_peers"), 1_000),
            "1/s",
        )
        yield Figure(
            "requests on one connection, pipelined",
            PIPELINE / median_s(lambda: pipelined(client), 50),
            "1/s",
        )


def admin(node: NodeProcess, circumstance: str = "") -> Iterator[Figure]:
    node.node()
    taken = []
    for _ in range(2_000):
        begun_s = time.perf_counter()
        node.node()
        taken.append(time.perf_counter() - begun_s)
    taken.sort()
    yield Figure(f"GetNode from one client{circumstance}", 1 / statistics.mean(taken), "1/s")
    yield Figure(f"GetNode{circumstance}, p99", 1e3 * taken[int(0.99 * len(taken))], "ms")


def admin_while_mining(folder: Path) -> Iterator[Figure]:
    threads = thread_counts()[-1]
    with NodeProcess(folder / "miner", "--mine", "--threads", str(threads)) as node:
        yield from admin(node, f", mining with {threads} threads")


def sync(node: NodeProcess, folder: Path, network_file: str) -> Iterator[Figure]:
    blocks = 1_000
    node.generate(blocks)
    begun_s = time.perf_counter()
    with NodeProcess(folder / "late", "--network-file", network_file) as late:
        started_s = time.perf_counter() - begun_s
        begun_s = time.perf_counter()
        late.connect(node)
        late.await_height(node.height())
        yield Figure("start of a node to serving", started_s, "s")
        yield Figure("sync of empty blocks", blocks / (time.perf_counter() - begun_s), "1/s")


def proof_of_work() -> Iterator[Figure]:
    """What ``troupe bench pow`` measures, of the kernel that mining uses."""
    plan = plan_engine()
    selected = plan.kernels[0].name if plan.kernels else HASHLIB
    run = measure(plan.kernels[:1], selected, thread_counts(), TIMING)
    while True:
        try:
            next(run)
        except StopIteration as end:
            rows: tuple[Row, ...] = end.value
            break
    for row in rows:
        what = f"{row.kernel}, block of {row.transactions}, threads: {row.threads}"
        yield Figure(f"scan nonces with {what}", row.mh_per_s, "MH/s")


def figures() -> Iterator[Figure]:
    yield from ledger()
    yield from proof_of_work()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from store(folder)
        network_file = str(easy_network_file(folder))
        with NodeProcess(folder / "node", "--network-file", network_file) as node:
            yield from wire(node)
            yield from admin(node)
            yield from sync(node, folder, network_file)
        yield from admin_while_mining(folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one array of what, value, unit")
    if parser.parse_args().json:
        print(json.dumps([figure._asdict() for figure in figures()], indent=1))
        return
    for figure in figures():
        print(f"{figure.what:<58} {figure.value:>12,.2f} {figure.unit}", flush=True)


if __name__ == "__main__":
    main()
