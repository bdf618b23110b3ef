"""How fast this machine does what a chain costs: signatures verified, and blocks committed to its disk.

Without a node, and by what a node does it with. Must not live here: where the clock and the threads come
from, which folder is measured, or how figures are shown.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from actors.chain.importer import Importer
from actors.chain.store import Store
from actors.ledger.codec import make_block, make_transaction, signing_bytes
from actors.ledger.keys import PrivateKey
from actors.ledger.network import MAIN, WORKSHOP, Network
from actors.ledger.state import check_transaction
from actors.ledger.types import Block, BlockRef, Transaction
from actors.runtime.team import Team

SCHEMES: Final = (MAIN, WORKSHOP)
"""A network of each key scheme."""
SENDERS: Final = 64
BLOCK_TRANSACTIONS: Final = 10
EASY: Final = replace(MAIN, difficulty=0)
"""What a block costs its miner is not measured here."""
FLUSHED_BYTES: Final = 4096
P99: Final = 0.99

Now = Callable[[], float]
"""A clock that never goes back, in seconds, for differences alone."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is measured.

    Attributes:
        rounds: Of signatures; the median of nine leaves out what else the machine did in four of them.
        signatures: Of a round: some 50 to 300 ms on one thread.
        commits: Two of 200 are slower than the p99; a disk takes 0.1 to 10 ms for each.
    """

    rounds: int = 9
    signatures: int = 512
    commits: int = 200


@dataclass(frozen=True, slots=True)
class Step:
    """So many measurements out of so many are made. Value."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Verifying:
    """Signatures of a key scheme verified on so many threads, in a second. Value."""

    scheme: str
    threads: int
    signatures_per_s: float


@dataclass(frozen=True, slots=True)
class Writing:
    """What one write of a kind took, until the disk said that it has it. Value."""

    what: str
    p50_ms: float
    p99_ms: float


def measure_signatures(
    teams: Sequence[tuple[int, Team]], now_s: Now, counts: Counts
) -> Generator[Step, None, tuple[Verifying, ...]]:
    """Verify transactions of every key scheme; yields progress and returns the rows.

    The teams take turns, so that no busy moment of the machine is one of them's alone.

    Args:
        teams: Each with the number of threads that it works on.
        now_s: The clock.
        counts: How much to measure; the median of the rounds is what counts.
    """
    count, rounds = counts.signatures, counts.rounds
    cells = [(network, threads, team) for network in SCHEMES for threads, team in teams]
    signed = {network.name: _transfers(network, count) for network in SCHEMES}
    rates: list[list[float]] = [[] for _ in cells]
    total = rounds * len(cells)
    for done in range(total):
        network, _, team = cells[done % len(cells)]
        work = partial(check_transaction, network)
        begun_s = now_s()
        verdicts = team.map(work, signed[network.name])
        rates[done % len(cells)].append(count / (now_s() - begun_s))
        assert not any(verdicts), "every signature is good"
        yield Step(done + 1, total)
    return tuple(
        Verifying(network.key_scheme, threads, statistics.median(each))
        for (network, threads, _), each in zip(cells, rates, strict=True)
    )


def measure_store(
    folder: Path, now_s: Now, counts: Counts
) -> Generator[Step, None, tuple[Writing, ...]]:
    """Commit blocks of ten transactions as a node does at the tip, and by turns flush a page of a file.

    The signatures were verified before: that is the processor's part. What it writes is for the caller to
    remove.

    Args:
        folder: Empty, on the disk to be measured.
        now_s: The clock.
        counts: How many blocks.

    Raises:
        OSError: The folder cannot be written.
        StoreError: The same, as SQLite says it.
        sqlite3.Error: The disk is full, or failed later.
    """
    commits = counts.commits
    committed_s: list[float] = []
    flushed_s: list[float] = []
    with (
        closing(Store.open(folder / "bench.db", EASY)) as store,
        (folder / "bench.page").open("wb", buffering=0) as page,
    ):
        importer = Importer(store, EASY)
        for done, block in enumerate(_blocks(EASY, commits)):
            known = frozenset(transaction.id for transaction in block.transactions)
            begun_s = now_s()
            importer.add((block,), passed=known)
            between_s = now_s()
            page.write(bytes(FLUSHED_BYTES))
            os.fsync(page.fileno())
            committed_s.append(between_s - begun_s)
            flushed_s.append(now_s() - between_s)
            yield Step(done + 1, commits + 1)
        assert store.tip().number == commits + 1, "every block is valid"
    return (
        _writing(f"commit a block of {BLOCK_TRANSACTIONS}", committed_s[1:]),
        _writing("flush a page of a file", flushed_s[1:]),
    )


def _writing(what: str, taken_s: list[float]) -> Writing:
    ascending = sorted(taken_s)
    worst = ascending[min(int(P99 * len(ascending)), len(ascending) - 1)]
    return Writing(what, 1e3 * statistics.median(ascending), 1e3 * worst)


def _keys(network: Network, count: int) -> list[PrivateKey]:
    return [
        network.scheme.generate(f"key {each}".encode().ljust(32, b".")) for each in range(count)
    ]


def _pay(payer: PrivateKey, payee: bytes, nonce: int) -> Transaction:
    signature = payer.sign(signing_bytes(payer.public, payee, nonce, 1))
    return make_transaction(payer.public, payee, nonce, 1, signature)


def _transfers(network: Network, count: int) -> list[Transaction]:
    senders = _keys(network, min(SENDERS, count))
    payee = senders[0].public
    return [_pay(senders[nonce % len(senders)], payee, nonce) for nonce in range(count)]


def _blocks(network: Network, full: int) -> Generator[Block, None, None]:
    """An empty block, whose reward the full ones spend."""
    payer, *payees = _keys(network, 1 + BLOCK_TRANSACTIONS)
    tip: BlockRef = network.genesis.ref
    nonce = 0
    for number in range(full + 1):
        transfers: list[Transaction] = []
        for payee in payees if number else ():
            transfers.append(_pay(payer, payee.public, nonce))
            nonce += 1
        block = make_block(tip.number + 1, 0, tip.hash, payer.public, transfers)
        tip = block.ref
        yield block
