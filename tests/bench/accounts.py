"""One block of ten at the tip, with few accounts in the store and with a million: the store alone.

The store is a node's: on disk, each commit flushed; signatures are verified on all cores.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from actors.chain.importer import Importer
from actors.chain.signatures import Signatures
from actors.chain.store import Store
from actors.chain.tree import Status
from actors.ledger.codec import make_block
from actors.ledger.signatures import KnownSignatures
from actors.ledger.types import Account, Block, Transaction
from actors.runtime.team import Team, ThreadTeam
from tests.bench.chains import BENCH_MAIN, BLOCK_TRANSACTIONS, keys, pay
from tests.bench.figure import Bench, Figure, at_most, quantile

SIZES = (10, 100_000, 1_000_000)
BLOCKS = 250
PAYERS = 2_000
"""Of the accounts, spread all over them: no two blocks in a row touch the same pages for them."""
WEALTH = 1_000_000


def tip_commit(bench: Bench) -> Iterator[Figure]:
    """The sizes take turns, block by block, so that what else the machine does falls on all of them."""
    sizes = [bench.size(size, 10) for size in SIZES]
    blocks = bench.size(BLOCKS, 5)
    with ExitStack() as stack:
        team = stack.enter_context(closing(ThreadTeam(os.cpu_count() or 1)))
        ledgers = [
            stack.enter_context(closing(Ledger(bench.sub(f"of{place}"), size, team)))
            for place, size in enumerate(sizes)
        ]
        for known in (False, True):
            taken = [[ledger.commit_ms(known=known) for ledger in ledgers] for _ in range(blocks)]
            yield from figures(sizes, list(zip(*taken, strict=True)), known=known)


def figures(sizes: list[int], taken: list[tuple[float, ...]], *, known: bool) -> Iterator[Figure]:
    what = f"apply and commit a block of {BLOCK_TRANSACTIONS}"
    if known:
        what += " verified before"
    medians = [statistics.median(each) for each in taken]
    for size, median, each in zip(sizes, medians, taken, strict=True):
        yield Figure(f"{what}, {size:,} accounts", median, "ms", at_most(3))
        if not known:
            yield Figure(f"{what}, {size:,} accounts, p99", quantile(each, 0.99), "ms")
    ratio = medians[-1] / medians[0]
    yield Figure(f"{what}, the last by the first", ratio, "times", at_most(1.5))


class Ledger:
    """A store with so many accounts, and blocks that pay among them."""

    def __init__(self, folder: Path, accounts: int, team: Team) -> None:
        self._random = random.Random(accounts)
        self._payers = keys(BENCH_MAIN, min(accounts, PAYERS))
        self._nonces = [0] * len(self._payers)
        self._addresses = [payer.public for payer in self._payers]
        self._addresses += [self._random.randbytes(32) for _ in range(accounts - len(self._payers))]
        path = folder / "chain.db"
        self._tip = fill(path, self._addresses).ref
        self._store = Store.open(path, BENCH_MAIN)
        self._known = KnownSignatures()
        signatures = Signatures(BENCH_MAIN, team, self._known)
        self._importer = Importer(self._store, BENCH_MAIN, signatures)

    def commit_ms(self, *, known: bool) -> float:
        """Milliseconds that the next block takes; ``known``: its signatures were verified for the mempool."""
        block = self._block()
        if known:
            for transaction in block.transactions:
                self._known.add(transaction.id)
        begun_s = time.perf_counter()
        self._importer.add((block,))
        taken_ms = 1e3 * (time.perf_counter() - begun_s)
        assert self._store.tip() == block.ref, "the block is valid"
        return taken_ms

    def close(self) -> None:
        self._store.close()

    def _block(self) -> Block:
        payers = self._random.sample(range(len(self._payers)), BLOCK_TRANSACTIONS)
        transfers = [self._transfer(payer) for payer in payers]
        coinbase = self._random.choice(self._addresses)
        block = make_block(self._tip.number + 1, 0, self._tip.hash, coinbase, transfers)
        self._tip = block.ref
        return block

    def _transfer(self, payer: int) -> Transaction:
        nonce, self._nonces[payer] = self._nonces[payer], self._nonces[payer] + 1
        return pay(self._payers[payer], self._random.choice(self._addresses), nonce, 1)


def fill(path: Path, addresses: list[bytes]) -> Block:
    """A store whose first block, for once, has made all these accounts; that block."""
    genesis = BENCH_MAIN.genesis
    block = make_block(1, 0, genesis.hash, addresses[0], ())
    store = Store.open(path, BENCH_MAIN)
    with store.transaction():
        store.add_block(block, Status.VALID)
        store.connect([(block, {address: Account(WEALTH) for address in sorted(addresses)})])
    store.close()
    return block
