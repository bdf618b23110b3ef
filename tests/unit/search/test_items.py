"""The items that we answer with: identity, bounds, order."""

from __future__ import annotations

from hashlib import sha256

import pytest

from actors.search.items import Items
from actors.search.messages import (
    MAX_ALL_ITEMS_BYTES,
    MAX_ITEM_BYTES,
    MAX_ITEMS,
    ItemInfo,
    ListItems,
    ProvideItem,
    ProvideOutcome,
)

NOW_S = 1_700_000_000.0


def items_of(*items: ProvideItem) -> Items:
    held = Items()
    for item in items:
        assert held.provide(item, NOW_S) is ProvideOutcome.PROVIDED
    return held


def test_an_item_answers_its_query_and_counts_that() -> None:
    items = items_of(ProvideItem("note", b"q", b"content"))
    assert items.answer("note", b"q") == items.answer("note", b"q") == b"content"
    assert items.answer("note", b"other") is None
    assert items.list(ListItems(9)) == (
        ItemInfo("note", b"q", 7, sha256(b"content").digest(), NOW_S, 2),
    )


def test_an_empty_item_is_an_answer() -> None:
    assert items_of(ProvideItem("note", b"", b"")).answer("note", b"") == b""


def test_the_same_item_again_changes_nothing_and_another_is_refused() -> None:
    items = items_of(ProvideItem("note", b"q", b"content"))
    assert items.provide(ProvideItem("note", b"q", b"content"), NOW_S + 1) is ProvideOutcome.THERE
    outcome = items.provide(ProvideItem("note", b"q", b"other"), NOW_S)
    assert outcome is ProvideOutcome.OTHER_THERE
    assert [item.provided_s for item in items.list(ListItems(9))] == [NOW_S]
    assert items.answer("note", b"q") == b"content"


def test_an_item_has_a_largest_size() -> None:
    items = Items()
    largest = ProvideItem("note", b"q", bytes(MAX_ITEM_BYTES))
    assert items.provide(largest, NOW_S) is ProvideOutcome.PROVIDED
    larger = ProvideItem("note", b"r", bytes(MAX_ITEM_BYTES + 1))
    assert items.provide(larger, NOW_S) is ProvideOutcome.TOO_LONG


def test_items_are_bounded_in_number_and_one_withdrawn_makes_room() -> None:
    items = items_of(*(ProvideItem("note", b"%d" % n, b"") for n in range(MAX_ITEMS)))
    one_more = ProvideItem("note", b"one more", b"")
    assert items.provide(one_more, NOW_S) is ProvideOutcome.FULL
    assert items.withdraw("note", b"7")
    assert items.provide(one_more, NOW_S) is ProvideOutcome.PROVIDED


def test_items_are_bounded_in_bytes_and_one_withdrawn_makes_room() -> None:
    query = b"%03d"
    size = MAX_ITEM_BYTES - len(query % 0)
    count = MAX_ALL_ITEMS_BYTES // MAX_ITEM_BYTES
    items = items_of(*(ProvideItem("note", query % n, bytes(size)) for n in range(count)))
    one_more = ProvideItem("note", b"x", b"")
    assert items.provide(one_more, NOW_S) is ProvideOutcome.FULL
    assert items.withdraw("note", b"007")
    assert items.provide(one_more, NOW_S) is ProvideOutcome.PROVIDED


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_items_are_listed_in_order_page_by_page(limit: int) -> None:
    names = [("a", b"2"), ("a", b"1"), ("b", b""), ("a", b"1x"), ("ab", b"0")]
    items = items_of(*(ProvideItem(kind, query, b"") for kind, query in names))
    listed: list[tuple[str, bytes]] = []
    while page := items.list(ListItems(limit, listed[-1] if listed else None)):
        listed += [(item.kind, item.query) for item in page]
    assert listed == sorted(names)
    assert [item.query for item in items.list(ListItems(9, ("a", b"1"), "a"))] == [b"1x", b"2"]
