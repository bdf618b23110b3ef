"""A team that does its work when it is told to, in any order, or fails; and counts what it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class HeldTeam:
    """Stands in for a team of threads. What is begun waits for :meth:`release`."""

    def __init__(self) -> None:
        self._held: list[Callable[[Exception | None], None]] = []
        self.begun: list[int] = []
        """How many items each beginning had."""
        self.mapped = 0
        """Items that somebody waited for."""

    def __len__(self) -> int:
        return len(self._held)

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        self.mapped += len(items)
        return list(map(work, items))

    def begin(
        self,
        work: Callable[[T], R],
        items: Sequence[T],
        done: Callable[[list[R] | Exception], None],
    ) -> None:
        self.begun.append(len(items))
        self._held.append(lambda error: done(error or list(map(work, items))))

    def release(self, index: int = 0, error: Exception | None = None) -> None:
        """Do, or fail at, one of the held pieces of work."""
        self._held.pop(index)(error)
