"""SearchService: searches of the network, and what this node answers them with."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

from troupe.admin.v1 import errors_pb2, search_service_pb2, search_service_pb2_grpc

from actors.search.messages import (
    MAX_ALL_ITEMS_BYTES,
    MAX_ITEMS,
    MAX_WATCHED_SEARCHES,
    Answer,
    CloseSearch,
    ItemInfo,
    ListItems,
    OpenSearch,
    ProvideItem,
    ProvideOutcome,
    SearchRefusal,
    WithdrawItem,
)
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, field_invalid, require
from admin.house import House
from admin.paging import page_of
from admin.tap import Tap

DEFAULT_TIMEOUT_MS = 5_000
"""An answer takes milliseconds a node on its way."""
MAX_TIMEOUT_MS = 30_000
"""WIRE: search: so long do nodes remember the way back."""
MAX_QUERY_BYTES = 1_024
"""A page of a thousand items stays below the 4 MiB of a message."""
_KIND = re.compile(r"[!-~]{1,48}")
"""WIRE: a kind is at most 64 bytes long, "search_response:" included."""


class SearchService(search_service_pb2_grpc.SearchServiceServicer):
    """Asks the network, and lets others ask this node."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker

    async def Search(
        self, request: search_service_pb2.SearchRequest, _context: Any
    ) -> AsyncIterator[search_service_pb2.SearchResponse]:
        _check(request.kind, request.query)
        timeout_s = min(request.timeout_ms or DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS) / 1_000
        search = self._house.search
        tap = Tap[Answer](search.name)
        try:
            refusal = await self._asker.ask(
                search, OpenSearch(tap, request.kind, request.query, timeout_s)
            )
            if refusal is not None:
                raise _search_refusal(refusal)
            async for answer in tap:
                yield search_service_pb2.SearchResponse(answer=_answer(answer))
        finally:
            search.tell(CloseSearch(tap))

    async def ProvideItem(
        self, request: search_service_pb2.ProvideItemRequest, _context: Any
    ) -> search_service_pb2.ProvideItemResponse:
        _check(request.kind, request.query)
        item = ProvideItem(request.kind, request.query, request.item)
        outcome = await self._asker.ask(self._house.search, item)
        if refusal := _provide_refusal(outcome):
            raise refusal
        already = outcome is ProvideOutcome.THERE
        return search_service_pb2.ProvideItemResponse(already_provided=already)

    async def WithdrawItem(
        self, request: search_service_pb2.WithdrawItemRequest, _context: Any
    ) -> search_service_pb2.WithdrawItemResponse:
        _check(request.kind, request.query)
        named = WithdrawItem(request.kind, request.query)
        if not await self._asker.ask(self._house.search, named):
            message = f"this node provides no such item of kind {request.kind}"
            raise Refusal(errors_pb2.ERROR_REASON_ITEM_NOT_FOUND, message)
        return search_service_pb2.WithdrawItemResponse()

    async def ListItems(
        self, request: search_service_pb2.ListItemsRequest, _context: Any
    ) -> search_service_pb2.ListItemsResponse:
        if request.kind:
            _check(request.kind, b"")
        page = page_of(request, "ListItems", request.kind)
        after = None if page.cursor is None else _position(page.cursor)
        items = await self._asker.ask(
            self._house.search, ListItems(page.size + 1, after, request.kind or None)
        )
        shown = items[: page.size]
        return search_service_pb2.ListItemsResponse(
            items=list(map(_item, shown)),
            next_page_token=page.token(_cursor(shown[-1])) if len(items) > page.size else "",
        )


def _check(kind: str, query: bytes) -> None:
    fits = _KIND.fullmatch(kind) is not None
    require(fits, "kind", "must be 1 to 48 visible ASCII characters")
    require(len(query) <= MAX_QUERY_BYTES, "query", f"must be at most {MAX_QUERY_BYTES} bytes")


def _search_refusal(refusal: SearchRefusal) -> Refusal:
    match refusal:
        case SearchRefusal.NO_PEERS:
            message = "this node has no peer to ask"
            return Refusal(errors_pb2.ERROR_REASON_NO_PEERS, message)
        case SearchRefusal.TOO_MANY:
            message = "as many searches are open as may be"
            limit = str(MAX_WATCHED_SEARCHES)
            return Refusal(errors_pb2.ERROR_REASON_TOO_MANY_STREAMS, message, limit=limit)
        case SearchRefusal.NO_QUESTION:
            return field_invalid("query", "must be the 32 bytes of a block's hash")


def _provide_refusal(outcome: ProvideOutcome) -> Refusal | None:
    match outcome:
        case ProvideOutcome.PROVIDED | ProvideOutcome.THERE:
            return None
        case ProvideOutcome.OTHER_THERE:
            message = "this node provides another item for that query: withdraw it first"
            return Refusal(errors_pb2.ERROR_REASON_ITEM_EXISTS, message)
        case ProvideOutcome.TOO_LONG:
            return field_invalid("item", "is longer than an item may be")
        case ProvideOutcome.RESERVED:
            return field_invalid("kind", "must be one that no room of this node answers")
        case ProvideOutcome.FULL:
            message = "this node provides as many items as it may: withdraw some first"
            return Refusal(
                errors_pb2.ERROR_REASON_TOO_MANY_ITEMS,
                message,
                limit=str(MAX_ITEMS),
                limit_bytes=str(MAX_ALL_ITEMS_BYTES),
            )


def _cursor(item: ItemInfo) -> bytes:
    return item.kind.encode() + b"\0" + item.query  # no kind has a zero


def _position(cursor: bytes) -> tuple[str, bytes]:
    kind, _, query = cursor.partition(b"\0")
    return kind.decode(), query


def _answer(answer: Answer) -> search_service_pb2.SearchAnswer:
    return search_service_pb2.SearchAnswer(
        payload=answer.payload,
        peer=answer.peer,
        connection_id=answer.conn,
        receive_time=convert.timestamp(answer.at_s),
    )


def _item(item: ItemInfo) -> search_service_pb2.Item:
    return search_service_pb2.Item(
        kind=item.kind,
        query=item.query,
        size_bytes=item.size_bytes,
        sha256=item.digest.hex(),
        provide_time=convert.timestamp(item.provided_s),
        answer_count=item.answers,
    )
