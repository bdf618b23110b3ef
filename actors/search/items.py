"""What outsiders have this node answer searches with.

Lives here: the items, their bounds, and how often each was an answer. Held by the composition root, so that
a restarted actor goes on with them; kept in memory alone, since whoever provides an item can do so again
after a start of the node. Must not live here: blocks, which the chain has.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from actors.search.messages import (
    MAX_ALL_ITEMS_BYTES,
    MAX_ITEM_BYTES,
    MAX_ITEMS,
    ItemInfo,
    ListItems,
    ProvideItem,
    ProvideOutcome,
)


@dataclass(slots=True)
class _Item:
    content: bytes
    provided_s: float
    answers: int = 0


class Items:
    """Items by kind and query. Of the actor in office alone."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, bytes], _Item] = {}
        self._bytes = 0

    def provide(self, item: ProvideItem, now_unix_s: float) -> ProvideOutcome:
        """Take an item up; the same one again is no fault."""
        name, size = (item.kind, item.query), len(item.query) + len(item.content)
        there = self._items.get(name)
        if there is not None:
            same = there.content == item.content
            return ProvideOutcome.THERE if same else ProvideOutcome.OTHER_THERE
        if len(item.content) > MAX_ITEM_BYTES:
            return ProvideOutcome.TOO_LONG
        if len(self._items) >= MAX_ITEMS or self._bytes + size > MAX_ALL_ITEMS_BYTES:
            return ProvideOutcome.FULL
        self._items[name] = _Item(item.content, now_unix_s)
        self._bytes += size
        return ProvideOutcome.PROVIDED

    def withdraw(self, kind: str, query: bytes) -> bool:
        """Forget an item; False if there is none."""
        item = self._items.pop((kind, query), None)
        if item is None:
            return False
        self._bytes -= len(query) + len(item.content)
        return True

    def answer(self, kind: str, query: bytes) -> bytes | None:
        """The item, counted as an answer; None if there is none."""
        item = self._items.get((kind, query))
        if item is None:
            return None
        item.answers += 1
        return item.content

    def list(self, wanted: ListItems) -> tuple[ItemInfo, ...]:
        """Items in the order of kind and query."""
        names = sorted(
            name
            for name in self._items
            if (wanted.after is None or name > wanted.after) and wanted.kind in (None, name[0])
        )
        return tuple(self._info(name) for name in names[: wanted.limit])

    def _info(self, name: tuple[str, bytes]) -> ItemInfo:
        item = self._items[name]
        digest = sha256(item.content).digest()
        return ItemInfo(*name, len(item.content), digest, item.provided_s, item.answers)
