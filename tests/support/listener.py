"""An outsider's sink that keeps what it is offered."""

from __future__ import annotations

from typing import Any


class Listener:
    """Keeps items, and how it ended."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.losses = self.ends = 0

    def offer(self, item: Any) -> None:
        self.items.append(item)

    def lost(self) -> None:
        self.losses += 1

    def end(self) -> None:
        self.ends += 1

    def take(self) -> list[Any]:
        """Everything offered since the last take."""
        taken, self.items = self.items, []
        return taken
