"""What a benchmark yields, what the figure should be, and the middle of several runs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

RUNS = 5
"""The median of so many leaves out what else the machine did in two of them."""


class Target(NamedTuple):
    """What a figure must reach: at least the bound, or at most."""

    bound: float
    is_least: bool

    def admits(self, value: float) -> bool:
        return value >= self.bound if self.is_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.is_least else '<='} {self.bound:,.10g}"


def at_least(bound: float) -> Target:
    return Target(bound, is_least=True)


def at_most(bound: float) -> Target:
    return Target(bound, is_least=False)


class Figure(NamedTuple):
    """One measured figure; no target: it is there to be compared with, or to explain another."""

    what: str
    value: float
    unit: str
    target: Target | None = None

    @property
    def is_met(self) -> bool | None:
        return None if self.target is None else self.target.admits(self.value)

    def line(self) -> str:
        """A line of the table."""
        verdict = {None: "", True: "met", False: "MISSED"}[self.is_met]
        wanted = "" if self.target is None else str(self.target)
        return (
            f"{self.what:<80} {self.value:>12,.2f} {self.unit:<9} {wanted:>11}  {verdict}".rstrip()
        )

    def data(self) -> dict[str, Any]:
        """The same for JSON."""
        target = None
        if self.target is not None:
            target = {"at_least" if self.target.is_least else "at_most": self.target.bound}
        return {**self._asdict(), "target": target, "met": self.is_met}


class Bench(NamedTuple):
    """What a part works with.

    Attributes:
        folder: For whatever it needs on disk; gone afterwards.
        share: How much of the full size to do: 1, but for a test that the part works.
    """

    folder: Path
    share: float = 1.0

    def size(self, full: int, least: int = 1) -> int:
        """So many of something, of which so many must be."""
        return max(least, round(full * self.share))

    def runs(self, full: int = RUNS) -> int:
        return full if self.share >= 1 else 1

    def sub(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def median_s(action: Callable[[], object], times: int = 1) -> float:
    """Seconds that one ``action`` takes: the median of the runs, each of so many times."""
    taken = []
    for _ in range(RUNS):
        begun_s = time.perf_counter()
        for _ in range(times):
            action()
        taken.append((time.perf_counter() - begun_s) / times)
    return statistics.median(taken)


def quantile(values: Iterable[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ascending = sorted(values)
    return ascending[min(int(share * len(ascending)), len(ascending) - 1)]
