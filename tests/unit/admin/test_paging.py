"""Page sizes and page tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from troupe.admin.v1 import errors_pb2, mempool_service_pb2

from admin.errors import Refusal
from admin.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, page_of

Request = mempool_service_pb2.ListTransactionsRequest


@pytest.mark.parametrize(
    ("asked", "given_"),
    [(0, DEFAULT_PAGE_SIZE), (7, 7), (1_000, 1_000), (4_000_000, MAX_PAGE_SIZE)],
)
def test_a_page_size_is_defaulted_and_capped(asked: int, given_: int) -> None:
    assert page_of(Request(page_size=asked), "List").size == given_


def test_the_first_page_has_no_cursor() -> None:
    assert page_of(Request(), "List").cursor is None


@given(st.binary(max_size=64))
def test_a_token_brings_its_cursor_back(cursor: bytes) -> None:
    token = page_of(Request(), "List", "filter").token(cursor)
    assert page_of(Request(page_token=token), "List", "filter").cursor == cursor


@pytest.mark.parametrize("scope", [("List", "other"), ("Other", "filter"), ("List",)])
def test_a_token_of_another_listing_is_refused(scope: tuple[str, ...]) -> None:
    token = page_of(Request(), "List", "filter").token(b"cursor")
    with pytest.raises(Refusal) as caught:
        page_of(Request(page_token=token), *scope)
    assert caught.value.reason == errors_pb2.ERROR_REASON_PAGE_TOKEN_INVALID
    assert caught.value.field == "page_token"


@given(st.text(min_size=1, max_size=40))
def test_a_token_made_up_is_refused(token: str) -> None:
    with pytest.raises(Refusal):
        page_of(Request(page_token=token), "List")
