"""Page tokens: only what was given out for these filters comes back as a cursor."""

from __future__ import annotations

from dataclasses import dataclass

from admin.errors import Refusal
from admin.paging import MAX_PAGE_SIZE, page_of
from tests.fuzz.draw import Draw


@dataclass(frozen=True)
class Request:
    page_size: int
    page_token: str = ""


def one_input(data: bytes) -> None:
    draw = Draw(data)
    size, scope = draw.number(4), draw.blob().decode("utf-8", "replace")
    cursor, spoilt = draw.blob(), draw.rest()
    first = page_of(Request(size), scope)
    assert 1 <= first.size <= MAX_PAGE_SIZE
    token = first.token(cursor)
    assert page_of(Request(size, token), scope).cursor == cursor
    for other in (spoilt.decode("utf-8", "replace"), token + "A", token[:-1], scope):
        try:
            page = page_of(Request(size, other), scope)
        except Refusal:
            continue
        assert other in ("", token) or page.cursor == cursor
    try:
        page_of(Request(size, token), scope, "another")
    except Refusal:
        return
    message = "a token is good for another listing"
    raise AssertionError(message)
