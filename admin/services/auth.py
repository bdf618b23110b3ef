"""AuthService: the tokens that callers carry."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.duration_pb2 import Duration
from troupe.admin.v1 import auth_service_pb2, auth_service_pb2_grpc, errors_pb2

from actors.runtime.clock import Clock
from admin import convert
from admin.auth import Token, Tokens, lacking
from admin.errors import Refusal, require
from admin.paging import page_of
from admin.permissions import EVERYTHING
from admin.retries import Retries

log = logging.getLogger(__name__)

MIN_TTL_S = 1
MAX_TTL_S = 3_650 * 86_400
"""Ten years: who wants longer wants a token that does not expire."""
MAX_PERMISSIONS = 100
"""More than the table has."""
_OUTLIVES = "must be there, and end no later than the caller's own token, which expires"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class AuthService(auth_service_pb2_grpc.AuthServiceServicer):
    """Shows, makes and deletes tokens. No secret is kept, or written to the log."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens, self._clock = tokens, clock
        self._created = Retries[str]()

    async def GetCaller(
        self, _request: auth_service_pb2.GetCallerRequest, context: Any
    ) -> auth_service_pb2.GetCallerResponse:
        return auth_service_pb2.GetCallerResponse(caller=_message(self._caller(context)))

    async def ListTokens(
        self, request: auth_service_pb2.ListTokensRequest, _context: Any
    ) -> auth_service_pb2.ListTokensResponse:
        page = page_of(request, "ListTokens")
        after = "" if page.cursor is None else page.cursor.decode()
        listed = sorted(
            (token for token in self._tokens if token.name > after), key=lambda token: token.name
        )
        shown = listed[: page.size]
        more = len(listed) > page.size
        return auth_service_pb2.ListTokensResponse(
            tokens=map(_message, shown),
            next_page_token=page.token(shown[-1].name.encode()) if more else "",
        )

    async def CreateToken(
        self, request: auth_service_pb2.CreateTokenRequest, context: Any
    ) -> auth_service_pb2.CreateTokenResponse:
        _check(request)
        caller = self._caller(context)
        for permission in request.permissions:
            if permission not in caller.permissions:
                raise lacking(caller, permission)
        ttl_s = _seconds(request.ttl) if request.HasField("ttl") else None
        if caller.expire_s is not None:
            left_s = caller.expire_s - self._clock.wall_s()
            require(ttl_s is not None and ttl_s <= left_s, "ttl", _OUTLIVES)
        before = self._created.recall(request.request_id, request)
        with _kept():
            made = self._tokens.renew(before) if before is not None else None
            if made is None:
                made = self._tokens.create(request.name, frozenset(request.permissions), ttl_s)
        token, secret = made
        self._created.remember(request.request_id, request, token.id)
        granted = " ".join(sorted(token.permissions))
        log.info("%s made the token %s (%s): %s", caller.name, token.name, token.id, granted)
        return auth_service_pb2.CreateTokenResponse(token=_message(token), secret=secret)

    async def DeleteToken(
        self, request: auth_service_pb2.DeleteTokenRequest, context: Any
    ) -> auth_service_pb2.DeleteTokenResponse:
        require(bool(request.id), "id", "must be that of a token")
        caller = self._caller(context)
        with _kept():
            deleted = self._tokens.delete(request.id)
        log.info("%s deleted the token %s (%s)", caller.name, deleted.name, deleted.id)
        return auth_service_pb2.DeleteTokenResponse()

    def _caller(self, context: Any) -> Token:
        return self._tokens.identify(context.invocation_metadata() or ())


@contextmanager
def _kept() -> Iterator[None]:
    """Within, tokens are written.

    Raises:
        Refusal: STORE_UNWRITABLE: they cannot be, and nothing has changed.
    """
    try:
        yield
    except OSError as error:
        message = f"the tokens cannot be written: {error.strerror or error}"
        raise Refusal(errors_pb2.ERROR_REASON_STORE_UNWRITABLE, message) from error


def _check(request: auth_service_pb2.CreateTokenRequest) -> None:
    """Raises Refusal for a field at fault."""
    letters = "must be 1 to 64 letters, digits, dots, dashes and underscores"
    require(_NAME.fullmatch(request.name) is not None, "name", letters)
    number = f"must be 1 to {MAX_PERMISSIONS} permissions"
    require(0 < len(request.permissions) <= MAX_PERMISSIONS, "permissions", number)
    known = f"must each be one of {', '.join(sorted(EVERYTHING))}"
    require(EVERYTHING.issuperset(request.permissions), "permissions", known)
    if request.HasField("ttl"):
        fits = MIN_TTL_S <= _seconds(request.ttl) <= MAX_TTL_S
        require(fits, "ttl", f"must be from {MIN_TTL_S} s to {MAX_TTL_S} s")


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def _message(token: Token) -> auth_service_pb2.Token:
    message = auth_service_pb2.Token(
        id=token.id,
        name=token.name,
        permissions=sorted(token.permissions),
        create_time=convert.timestamp(token.create_s),
    )
    if token.expire_s is not None:
        message.expire_time.CopyFrom(convert.timestamp(token.expire_s))
    if token.last_use_s is not None:
        message.last_use_time.CopyFrom(convert.timestamp(token.last_use_s))
    return message
