"""What a benchmark yields, and the middle of several runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

RUNS = 5
"""The median of so many leaves out what else the machine did in two of them."""


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


def quantile(ascending: list[float], share: float) -> float:
    """The value that this share of the sorted values does not exceed."""
    return ascending[min(int(share * len(ascending)), len(ascending) - 1)]
