"""A journal in memory, whose disk a test or a simulation can fill up, or take the power from."""

from __future__ import annotations

from collections.abc import Iterable


class MemoryJournal:
    """Outlives the actors that use it; ``full`` makes a save fail as a full disk does."""

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self.lines = list(lines)
        self.saves = 0
        self.bad = 0
        """Lines that were refused."""
        self.full = False
        self._durable = list(self.lines)

    def load(self) -> list[bytes]:
        return list(self.lines)

    def refused(self, bad: int) -> None:
        self.bad += bad

    def save(self, lines: Iterable[bytes], *, durable: bool = True) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.lines = list(lines)
        if durable:
            self._durable = self.lines
        self.saves += 1

    def lose_power(self) -> None:
        """Forget what no save has waited for the disk with."""
        self.lines = list(self._durable)
