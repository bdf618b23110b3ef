from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count

import pytest

from actors.ledger.codec import decode_block
from actors.ledger.network import MAIN
from actors.ledger.state import check_transaction
from actors.ledger.types import Block
from actors.miner.bench import (
    ROUND_S,
    ROUNDS,
    Progress,
    Row,
    Timing,
    bench_template,
    measure,
)
from actors.miner.engines import HASHLIB
from actors.miner.native import Kernel
from actors.miner.scan import Template

TICK_S = 0.0625
"""A power of two: sums of it are exact."""
LONGEST_S = 40.0


class TickingClock:
    """Every look at it takes ``TICK_S``, and a wait as long as it says. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0.0

    def now_s(self) -> float:
        return self._pass(TICK_S)

    def wait_s(self, seconds: float) -> None:
        self._pass(seconds)

    def _pass(self, seconds: float) -> float:
        with self._lock:
            self.now += seconds
            return self.now


def quick(clock: TickingClock) -> Timing:
    return Timing(clock.now_s, clock.wait_s, rounds=3, round_s=2 * TICK_S)


def finish(
    kernels: Sequence[Kernel], selected: str, thread_counts: tuple[int, ...], timing: Timing
) -> tuple[list[Progress], tuple[Row, ...]]:
    """Run a measurement to its end."""
    steps = []
    run = measure(kernels, selected, thread_counts, timing)
    while True:
        try:
            steps.append(next(run))
        except StopIteration as end:
            rows: tuple[Row, ...] = end.value
            return steps, rows


def kernel(name: str, hashes: Callable[[], int] = lambda: 1000) -> Kernel:
    """A kernel that tries so many hashes in no time, and is asked for no others than a miner's."""

    def scan(
        template: Template, first: int, total: int, cancel: bytearray
    ) -> tuple[int | None, int]:
        assert template.difficulty == 64
        assert len(str(first)) == len(str(first + total - 1)) == 9
        assert len(cancel) == 1
        return None, hashes()

    return Kernel(name, scan)


@pytest.mark.parametrize(("transactions", "least", "most"), [(0, 140, 150), (10, 2800, 2950)])
def test_the_block_is_one_that_main_could_have(transactions: int, least: int, most: int) -> None:
    template = bench_template(transactions)
    text = b"%b%d%b" % (template.prefix, 123_456_789, template.suffix)
    assert least <= len(text) <= most
    block = decode_block(text)
    assert isinstance(block, Block)
    assert len(block.transactions) == transactions
    assert [check_transaction(MAIN, each) for each in block.transactions] == [None] * transactions


def test_each_kernel_has_a_row_for_every_number_of_threads_and_transactions() -> None:
    kernels = (kernel("fast"), kernel("portable"))
    steps, rows = finish(kernels, "portable", (1, 2), quick(TickingClock()))
    assert [(each.kernel, each.threads, each.transactions) for each in rows] == [
        (name, threads, transactions)
        for name in ("fast", "portable")
        for threads in (1, 2)
        for transactions in (0, 10)
    ]
    assert {each.kernel for each in rows if each.selected} == {"portable"}
    assert steps == [Progress(done, 30) for done in range(1, 31)]


def test_a_figure_is_the_median_of_hashes_over_seconds() -> None:
    tried = count(1_000_000, 1_000_000)
    fast = kernel("fast", lambda: next(tried))
    timing = replace(quick(TickingClock()), wait_s=lambda _: None)
    _, rows = finish([fast], "fast", (1,), timing)
    # Empty and full block take turns; a scan is between two ticks: 1, 3 and 5 million, and 2, 4, 6.
    assert [each.mh_per_s for each in rows] == [
        pytest.approx(3 / TICK_S),
        pytest.approx(4 / TICK_S),
    ]


def test_the_threads_of_a_row_count_together_and_compare_with_as_many_of_hashlib() -> None:
    together = threading.Barrier(2, timeout=60)

    def at_once() -> int:
        together.wait()
        return 1_000_000

    timing = replace(quick(TickingClock()), wait_s=lambda _: None)
    _, rows = finish([kernel("fast", at_once)], "fast", (2,), timing)
    _, alone = finish([], HASHLIB, (1,), quick(TickingClock()))
    for row, plain in zip(rows, alone, strict=True):
        assert row.threads == 2
        assert row.hashlib_mh_per_s == pytest.approx(2 * plain.hashlib_mh_per_s)
        assert row.ratio == pytest.approx(row.mh_per_s / row.hashlib_mh_per_s)
        # Each thread's time has one tick of its own, and up to two of the other's.
        assert 2 / (3 * TICK_S) <= row.mh_per_s <= 2 / TICK_S


def test_the_rounds_of_the_kernels_take_turns() -> None:
    order: list[str] = []

    def noted(name: str) -> Kernel:
        def note() -> int:
            order.append(name)
            return 1

        return kernel(name, note)

    finish([noted("a"), noted("b")], "a", (1,), quick(TickingClock()))
    assert order == ["a", "a", "b", "b"] * 3


def test_without_a_native_scan_hashlib_is_what_there_is() -> None:
    _, rows = finish([], HASHLIB, (1, 2), quick(TickingClock()))
    assert [(each.kernel, each.threads, each.transactions) for each in rows] == [
        (HASHLIB, 1, 0),
        (HASHLIB, 1, 10),
    ]
    for row in rows:
        assert row.selected
        assert row.ratio == 1.0
        assert row.mh_per_s == row.hashlib_mh_per_s > 0


def test_where_mining_uses_hashlib_all_the_same_its_rows_are_the_selected_ones() -> None:
    _, rows = finish([kernel("fast")], HASHLIB, (1,), quick(TickingClock()))
    assert [each.kernel for each in rows] == ["fast", "fast", HASHLIB, HASHLIB]
    assert [each.selected for each in rows] == [False, False, True, True]


def test_five_kernels_on_one_thread_and_on_all_take_less_than_forty_seconds() -> None:
    """What is meant to pass, on a machine that does nothing else: no clock of ours is read."""
    waited_s: list[float] = []
    clock = TickingClock()
    kernels = [kernel(name) for name in ("avx512", "sha_ni", "avx2", "armv8", "portable")]
    steps, _ = finish(kernels, "avx512", (1, 2), Timing(clock.now_s, waited_s.append))
    of_hashlib_s = (len(steps) - len(waited_s)) * ROUND_S
    assert len(waited_s) == ROUNDS * 5 * 2 * 2
    # A quarter is left for the start of the command and for scans that end late.
    assert sum(waited_s) + of_hashlib_s < 0.75 * LONGEST_S


def test_an_interruption_ends_the_scans_that_run() -> None:
    ended = threading.Event()
    running = threading.Event()

    def until_cancelled(
        _template: Template, _first: int, _total: int, cancel: bytearray
    ) -> tuple[int | None, int]:
        running.set()
        while not cancel[0]:
            ended.wait(0.001)
        ended.set()
        return None, 1

    def interrupt(_seconds: float) -> None:
        assert running.wait(60)
        raise KeyboardInterrupt

    timing = replace(quick(TickingClock()), wait_s=interrupt)
    with pytest.raises(KeyboardInterrupt):
        finish([Kernel("fast", until_cancelled)], "fast", (1,), timing)
    assert ended.is_set()


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), KeyboardInterrupt()])
def test_a_thread_that_cannot_begin_ends_the_scans_of_those_that_did(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []

    def until_cancelled(
        _template: Template, _first: int, _total: int, cancel: bytearray
    ) -> tuple[int | None, int]:
        waiting = threading.Event()
        while not cancel[0]:
            waiting.wait(0.001)
        ended.append(True)
        return None, 1

    starts = count()
    start = threading.Thread.start

    def refuse_the_second(thread: threading.Thread) -> None:
        if next(starts) == 1:
            raise error
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_the_second)
    with pytest.raises(type(error)):
        finish([Kernel("fast", until_cancelled)], "fast", (2,), quick(TickingClock()))
    assert ended
