"""A journal in memory, whose disk a test or a simulation can fill up."""

from __future__ import annotations

from collections.abc import Iterable


class MemoryJournal:
    """Outlives the actors that use it; ``full`` makes a save fail as a full disk does."""

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self.lines = list(lines)
        self.saves = 0
        self.full = False

    def load(self) -> list[bytes]:
        return list(self.lines)

    def save(self, lines: Iterable[bytes]) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.lines = list(lines)
        self.saves += 1
