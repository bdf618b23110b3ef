"""A team of nobody that notes how much it was given to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from actors.runtime.team import Alone

T = TypeVar("T")
R = TypeVar("R")


class CountingTeam(Alone):
    """``shifts`` are the items of each call."""

    def __init__(self) -> None:
        self.shifts: list[int] = []

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        self.shifts.append(len(items))
        return super().map(work, items)
