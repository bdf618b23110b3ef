"""One hop of a block: from the peer that sends it, through one real node, to another peer.

A node passes a block on once it is verified and stored. What that takes is measured beside it, on the same
blocks and the same disk without a node: what remains is the way in and out. The target is beyond the
verification alone, the commit included.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from actors.chain.importer import Importer
from actors.chain.signatures import Signatures
from actors.chain.store import Store
from actors.ledger.codec import decode_block
from actors.ledger.signatures import KnownSignatures
from actors.ledger.state import apply_block
from actors.ledger.types import Block
from actors.ledger.violation import Violation
from actors.runtime.team import ThreadTeam
from tests.bench.chains import BENCH_MAIN, BLOCK_TRANSACTIONS, CHAIN_FILE, Maker, duplicate, write
from tests.bench.client import READY, ClientProcess
from tests.bench.figure import Bench, Figure, at_most, quantile
from tests.bench.nodes import node_of
from tests.bench.wires import dial, gossip
from tests.support.wire_client import WireClient

BLOCKS = 200
EARLIER_BLOCKS = 100
"""After so many all accounts have something to send."""


def hop(bench: Bench) -> Iterator[Figure]:
    """Blocks whose transactions the node has not seen, and blocks of what is in its pool."""
    count = bench.size(BLOCKS, 5)
    maker = Maker(BENCH_MAIN)
    source = bench.sub("source")
    write(source, BENCH_MAIN, maker.blocks(EARLIER_BLOCKS))
    blocks = maker.blocks(count)
    for pooled in (False, True):
        alone = duplicate(source, bench.folder / f"alone{pooled}")
        data_dir = duplicate(source, bench.folder / f"node{pooled}")
        with (
            node_of(data_dir, BENCH_MAIN) as node,
            ClientProcess(hops, node.listen_address, alone, blocks, pooled) as peers,
        ):
            peers.tell()
            taken: list[Taken] = peers.hear()
        what = f"one hop of a block of {BLOCK_TRANSACTIONS}"
        what += ", in the pool before" if pooled else ", not seen before"
        yield Figure(f"{what}, p50", statistics.median(each.hop_ms for each in taken), "ms")
        yield Figure(f"{what}, p99", quantile((each.hop_ms for each in taken), 0.99), "ms")
        for part, parts_ms, target in (
            ("verification", [each.verified_ms for each in taken], at_most(1)),
            ("verification and commit", [each.alone_ms for each in taken], None),
        ):
            yield Figure(f"{what}, its {part}", statistics.median(parts_ms), "ms")
            beyond = (each.hop_ms - part_ms for each, part_ms in zip(taken, parts_ms, strict=True))
            yield Figure(f"{what}, p50 beyond {part}", statistics.median(beyond), "ms", target)


class Taken(NamedTuple):
    """Milliseconds of a block: from one peer to the other; and without a node, from its bytes to the outcome of
    its verification, and to its commit.
    """

    hop_ms: float
    verified_ms: float
    alone_ms: float


def hops(
    pipe: Connection, listen_address: str, data_dir: Path, blocks: list[Block], pooled: bool
) -> None:
    """Two peers in turn on one thread: one sends, the other waits for it. After each hop the same block goes
    into a store of our own, so that what else the machine does falls on both. Says what each took.
    """
    with ExitStack() as stack:
        sender = stack.enter_context(dial(listen_address))
        receiver = stack.enter_context(dial(listen_address))
        alone = stack.enter_context(closing(Alone(data_dir)))
        pipe.send(READY)
        pipe.recv()
        taken = []
        for block in blocks:
            if pooled:
                pool(sender, receiver, block)
            rumour = gossip("bc:new_block", block.hash[:16], block.raw)
            begun_s = time.perf_counter()
            sender.send_raw(rumour)
            hear(receiver, block.raw)
            hop_ms = 1e3 * (time.perf_counter() - begun_s)
            taken.append(Taken(hop_ms, *alone.take_ms(block, pooled=pooled)))
        pipe.send(taken)
        pipe.recv()


class Alone:
    """What a node does with a block before it passes it on, without the node."""

    def __init__(self, data_dir: Path) -> None:
        self._team = ThreadTeam(os.cpu_count() or 1)
        self._store = Store.open(data_dir / CHAIN_FILE, BENCH_MAIN)
        self._known = KnownSignatures()
        self._signatures = Signatures(BENCH_MAIN, self._team, self._known)
        self._importer = Importer(self._store, BENCH_MAIN, self._signatures)

    def take_ms(self, block: Block, *, pooled: bool) -> tuple[float, float]:
        """Verify it, and then do all that a node does with it, which begins with that once more."""
        for transaction in block.transactions if pooled else ():
            self._known.add(transaction.id)
        begun_s = time.perf_counter()
        decoded = decode_block(block.raw)
        assert isinstance(decoded, Block)
        passed = self._signatures.check((decoded,))
        tip, account = self._store.tip(), self._store.account
        known = passed.__contains__
        outcome = apply_block(BENCH_MAIN, tip, account, decoded, signature_known=known)
        assert not isinstance(outcome, Violation), "the block is valid"
        verified_s = time.perf_counter()
        decoded = decode_block(block.raw)
        assert isinstance(decoded, Block)
        self._importer.add((decoded,))
        ended_s = time.perf_counter()
        assert self._store.tip() == block.ref, "it is stored"
        return 1e3 * (verified_s - begun_s), 1e3 * (ended_s - verified_s)

    def close(self) -> None:
        self._store.close()
        self._team.close()


def pool(sender: WireClient, receiver: WireClient, block: Block) -> None:
    """Have a block's transactions pooled: they are passed on when they are."""
    sender.send_raw(
        b"".join(gossip("bc:new_tx", each.id[:16], each.raw) for each in block.transactions)
    )
    for transaction in block.transactions:
        hear(receiver, transaction.raw)


def hear(receiver: WireClient, payload: bytes) -> None:
    """Read on to the frame that ends so."""
    while not receiver.recv_frame().endswith(payload):
        pass
