"""Pages of a listing: sizes, and opaque tokens that are checked when they come back.

A token holds where the next page begins, and a seal over that and its scope (the method and its filters)
under a key of this run of the node. So a cursor that comes back is one that was given out: a token of another
listing, a mistyped one and a forged one are refused alike, and so is one of before a restart.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from typing import Protocol

from troupe.admin.v1 import errors_pb2

from admin.errors import Refusal

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1_000
"""A page of the largest entries stays below the 4 MiB of a message."""
_SEAL_BYTES = 16
_KEY = secrets.token_bytes(32)


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
        text = base64.urlsafe_b64encode(_seal(self.scope, cursor) + cursor)
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
    seal, cursor = data[:_SEAL_BYTES], data[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(scope, cursor)):
        message = "page_token is not one that this method returned for these filters"
        raise Refusal(errors_pb2.ERROR_REASON_PAGE_TOKEN_INVALID, message, field="page_token")
    return cursor


def _seal(scope: str, cursor: bytes) -> bytes:
    return hmac.digest(_KEY, scope.encode() + b"\0" + cursor, "sha256")[:_SEAL_BYTES]
