"""How fast each kernel of the native scan is here, beside ``hashlib`` in the same run.

It measures the scan itself: threads at normal priority, no node around them, and a difficulty that no
hash reaches. Must not live here: which kernel mining uses, where the clock comes from, or how figures
are shown.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from actors.ledger.codec import make_block, make_transaction, signing_bytes
from actors.ledger.network import MAIN
from actors.ledger.types import Transaction
from actors.miner.engines import HASHLIB
from actors.miner.native import Kernel
from actors.miner.scan import Template, scan
from actors.miner.template import template_of

ROUNDS: Final = 7
"""The median of so many leaves out what else the machine did in three of them."""
ROUND_S: Final = 0.15
"""Long against the 10 ms in which a scan sees its cancel flag; with five kernels, the most that are
looked for, on one thread and on all, a run takes some 25 s."""
TRANSACTION_COUNTS: Final = (0, 10)
"""An empty block of ``main``, and a full one."""
UNREACHED_DIFFICULTY: Final = 64
FIRST_NONCE: Final = 100_000_000
NONCES_PER_ROUND: Final = 900_000_000
"""All nonces of nine digits: a block of difficulty 7 takes 2^28 of them. No round is through with so
many; threads try the same ones, for each hash costs what it costs."""
BLOCK_NUMBER: Final = 123_456
FIRST_ACCOUNT_NONCE: Final = 4_321
AMOUNT: Final = 2_500


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time comes from, and how much of it a measurement takes.

    Attributes:
        now_s: A clock that never goes back, for differences alone. Any thread.
        wait_s: Lets so many seconds pass.
        rounds: How often each figure is measured; their median counts.
        round_s: How long each time.
    """

    now_s: Callable[[], float]
    wait_s: Callable[[float], object]
    rounds: int = ROUNDS
    round_s: float = ROUND_S


@dataclass(frozen=True, slots=True)
class Progress:
    """So many measurements out of so many are made. Value."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Row:
    """One kernel on so many threads, with a block of so many transactions. Value.

    Attributes:
        kernel: Its name, or ``hashlib``.
        threads: How many scanned at once.
        transactions: How many the block held.
        mh_per_s: Millions of hashes a second, of all threads together.
        hashlib_mh_per_s: What as many processes of the fallback do at most: one was measured, and
            they share nothing.
        ratio: The one over the other: how often faster, core for core.
        selected: Whether mining would use this kernel.
    """

    kernel: str
    threads: int
    transactions: int
    mh_per_s: float
    hashlib_mh_per_s: float
    ratio: float
    selected: bool


@dataclass(frozen=True, slots=True)
class _Cell:
    """One figure to be, and what its rounds gave, in hashes a second; no kernel: ``hashlib``."""

    kernel: Kernel | None
    threads: int
    transactions: int
    rates: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return HASHLIB if self.kernel is None else self.kernel.name

    @property
    def mh_per_s(self) -> float:
        return statistics.median(self.rates) / 1e6


def bench_template(transactions: int) -> Template:
    """A block of ``main`` with so many signed transactions, such as a miner scans.

    About 146 bytes with none, and 2.9 kB with 10.
    """
    payer, payee = (MAIN.scheme.generate(label.ljust(32, b".")) for label in (b"payer", b"payee"))

    def transfer(nonce: int) -> Transaction:
        signature = payer.sign(signing_bytes(payer.public, payee.public, nonce, AMOUNT))
        return make_transaction(payer.public, payee.public, nonce, AMOUNT, signature)

    body = [transfer(FIRST_ACCOUNT_NONCE + each) for each in range(transactions)]
    block = make_block(BLOCK_NUMBER, 0, MAIN.genesis.hash, payee.public, body)
    return template_of(block, UNREACHED_DIFFICULTY)


def measure(
    kernels: Sequence[Kernel], selected: str, thread_counts: Sequence[int], timing: Timing
) -> Generator[Progress, None, tuple[Row, ...]]:
    """Measure every kernel; yields progress and returns the rows.

    The rounds of the kernels take turns, so that no busy moment of the machine is one kernel's alone.

    Args:
        kernels: The kernels of the native scan; none where there is no such scan.
        selected: The kernel that mining would use, or ``hashlib``, which then has rows too.
        thread_counts: On how many threads to measure each kernel.
        timing: The clock, and how long to take.
    """
    templates = {each: bench_template(each) for each in TRANSACTION_COUNTS}
    plain = {each: _Cell(None, 1, each) for each in TRANSACTION_COUNTS}
    native = [
        _Cell(kernel, threads, transactions)
        for kernel in kernels
        for threads in thread_counts
        for transactions in TRANSACTION_COUNTS
    ]
    cells = [*plain.values(), *native]
    for done in range(timing.rounds * len(cells)):
        cell = cells[done % len(cells)]
        cell.rates.append(_rate(cell, templates[cell.transactions], timing))
        yield Progress(done + 1, timing.rounds * len(cells))
    shown = [*native, *plain.values()] if selected == HASHLIB else native
    return tuple(_row(each, plain[each.transactions], selected) for each in shown)


def _row(cell: _Cell, plain: _Cell, selected: str) -> Row:
    hashlib_mh_per_s = plain.mh_per_s * cell.threads
    return Row(
        kernel=cell.name,
        threads=cell.threads,
        transactions=cell.transactions,
        mh_per_s=cell.mh_per_s,
        hashlib_mh_per_s=hashlib_mh_per_s,
        ratio=cell.mh_per_s / hashlib_mh_per_s,
        selected=cell.name == selected,
    )


def _rate(cell: _Cell, template: Template, timing: Timing) -> float:
    """Hashes a second in one round of a cell."""
    if cell.kernel is None:
        return _hashlib_rate(template, timing)
    return _native_rate(cell.kernel, cell.threads, template, timing)


def _hashlib_rate(template: Template, timing: Timing) -> float:
    """Hashes a second of the fallback's loop, in this thread."""
    begun_s = timing.now_s()

    def over() -> bool:
        return timing.now_s() - begun_s >= timing.round_s

    _, hashes = scan(template, FIRST_NONCE, NONCES_PER_ROUND, over)
    return hashes / (timing.now_s() - begun_s)


def _native_rate(kernel: Kernel, threads: int, template: Template, timing: Timing) -> float:
    """Hashes a second of all threads together; each counts its own time."""
    cancel = bytearray(1)

    def rate() -> float:
        begun_s = timing.now_s()
        _, hashes = kernel.scan(template, FIRST_NONCE, NONCES_PER_ROUND, cancel)
        return hashes / (timing.now_s() - begun_s)

    with ThreadPoolExecutor(threads, thread_name_prefix="troupe-bench") as pool:
        try:
            running = [pool.submit(rate) for _ in range(threads)]
            timing.wait_s(timing.round_s)
        finally:  # whatever ends a round ends the scans too, for the pool waits for them
            cancel[0] = 1
        return sum(each.result() for each in running)
