"""Pages of a listing: sizes, and opaque tokens that are checked when they come back.

A token holds where the next page begins and a checksum over that and its scope (the method and its
filters). The checksum is no secret: it catches a token of another listing, a cut or a mistyped one. A
forged token shows its forger a page that he may see anyway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Protocol

from troupe.admin.v1 import errors_pb2

from admin.errors import Refusal

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1_000
"""A page of the largest entries stays below the 4 MiB of a message."""
_CHECKSUM_BYTES = 8


class PagedRequest(Protocol):
    """The two fields of every List request."""

    @property
    def page_size(self) -> int: ...
    @property
    def page_token(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a listing is wanted.

    Attributes:
        size: Most entries, 1 to `MAX_PAGE_SIZE`.
        cursor: Where it begins, as given to :meth:`token`; None: at the beginning.
        scope: The method and its filters.
    """

    size: int
    cursor: bytes | None
    scope: str

    def token(self, cursor: bytes) -> str:
        """The token of the page that begins at ``cursor``."""
        text = base64.urlsafe_b64encode(_checksum(self.scope, cursor) + cursor)
        return text.rstrip(b"=").decode("ascii")


def page_of(request: PagedRequest, *scope: object) -> Page:
    """The page that a request asks for; ``scope`` names its listing and its filters.

    Raises:
        Refusal: PAGE_TOKEN_INVALID.
    """
    text = "\0".join(str(part) for part in scope)
    size = min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    cursor = _cursor(text, request.page_token) if request.page_token else None
    return Page(size, cursor, text)


def _cursor(scope: str, token: str) -> bytes:
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    checksum, cursor = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
    if checksum != _checksum(scope, cursor):
        message = "page_token is not one that this method returned for these filters"
        raise Refusal(errors_pb2.ERROR_REASON_PAGE_TOKEN_INVALID, message, field="page_token")
    return cursor


def _checksum(scope: str, cursor: bytes) -> bytes:
    return hashlib.sha256(scope.encode() + b"\0" + cursor).digest()[:_CHECKSUM_BYTES]
