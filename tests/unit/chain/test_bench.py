from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from actors.chain.bench import (
    EASY,
    Counts,
    Step,
    Verifying,
    Writing,
    measure_signatures,
    measure_store,
)
from actors.chain.store import Store, StoreError
from actors.ledger.network import NETWORKS
from actors.runtime.team import Alone

T = TypeVar("T")
R = TypeVar("R")
TICK_S = 0.125
"""A power of two: sums of it are exact."""
FEW = Counts(rounds=3, signatures=4, commits=5)


def ticking() -> Callable[[], float]:
    """A clock that every look at takes a tick."""
    return (ticks * TICK_S for ticks in itertools.count()).__next__


def finish(run: Generator[Step, None, R]) -> tuple[list[Step], R]:
    """Run a measurement to its end."""
    steps = []
    while True:
        try:
            steps.append(next(run))
        except StopIteration as end:
            rows: R = end.value
            return steps, rows


class Noting(Alone):
    """Works alone, and notes when it is asked."""

    def __init__(self, name: int, order: list[int]) -> None:
        self._name, self._order = name, order

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        self._order.append(self._name)
        return super().map(work, items)


def test_every_key_scheme_is_measured_on_every_team() -> None:
    steps, rows = finish(measure_signatures([(1, Alone()), (2, Alone())], ticking(), FEW))
    schemes = sorted({network.key_scheme for network in NETWORKS.values()})
    per_s = FEW.signatures / TICK_S
    assert rows == tuple(
        Verifying(scheme, threads, per_s) for scheme in schemes for threads in (1, 2)
    )
    assert steps == [Step(done, 12) for done in range(1, 13)]


def test_the_teams_take_turns() -> None:
    order: list[int] = []
    teams = [(threads, Noting(threads, order)) for threads in (1, 2)]
    finish(measure_signatures(teams, ticking(), FEW))
    assert order == [1, 2, 1, 2] * 3


def test_a_figure_is_the_median_of_the_rounds() -> None:
    taken_s = itertools.cycle([1.0] * 4 + [4.0] * 4 + [100.0] * 4)
    looks = (at for took in taken_s for at in (0.0, took))
    _, rows = finish(measure_signatures([(1, Alone()), (2, Alone())], lambda: next(looks), FEW))
    assert {row.signatures_per_s for row in rows} == {FEW.signatures / 4.0}


def test_blocks_are_committed_and_pages_flushed_by_turns(tmp_path: Path) -> None:
    steps, rows = finish(measure_store(tmp_path, ticking(), FEW))
    assert rows == (
        Writing("commit a block of 10", 1e3 * TICK_S, 1e3 * TICK_S),
        Writing("flush a page of a file", 1e3 * TICK_S, 1e3 * TICK_S),
    )
    assert steps == [Step(done, 6) for done in range(1, 7)]
    store = Store.open(tmp_path / "bench.db", EASY)
    tip = store.block(store.tip().hash)
    store.close()
    assert tip is not None
    assert (tip.number, len(tip.transactions)) == (6, 10)
    assert (tmp_path / "bench.page").stat().st_size == 6 * 4096


def test_the_slowest_of_few_commits_is_the_p99_and_the_first_does_not_count(tmp_path: Path) -> None:
    took_ms = [1e6, *map(float, range(20))]
    looks = (at for took in took_ms for at in (0.0, took / 1e3, took / 1e3))
    _, (committed, _) = finish(measure_store(tmp_path, lambda: next(looks), Counts(commits=20)))
    assert committed.p50_ms == pytest.approx(9.5)
    assert committed.p99_ms == pytest.approx(19.0)


def test_a_folder_that_is_none_is_the_caller_s_to_explain(tmp_path: Path) -> None:
    with pytest.raises((OSError, StoreError)):
        finish(measure_store(tmp_path / "none", ticking(), FEW))
