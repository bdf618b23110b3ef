"""How blocks spread: when each honest node has each block on its chain for the first time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from actors.runtime.clock import Clock


@dataclass(slots=True)
class Course:
    """One block: when the first had it, and how much later the others did, in order."""

    since_s: float
    delays_s: list[float] = field(default_factory=list)
    nodes: set[int] = field(default_factory=set)


class Spread:
    """Every block that some honest node ever had on its chain."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.courses: dict[bytes, Course] = {}

    def has(self, block_hash: bytes, node: int) -> None:
        """A node has a block now."""
        now_s = self._clock.now_s()
        course = self.courses.get(block_hash)
        if course is None:
            course = self.courses[block_hash] = Course(now_s)
        if node not in course.nodes:
            course.nodes.add(node)
            course.delays_s.append(now_s - course.since_s)


def quantile(values: Collection[float], share: float) -> float | None:
    """The least value that so great a share of them does not exceed; None: there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1_000) * len(ordered) // 1_000) - 1)]
