"""Who calls: the tokens, what each permits, and whether that is enough for a call.

Must not live here: which permission a method needs (``permissions``), how a call is intercepted (``guard``),
how tokens are kept on disk (``tokenfiles``).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Protocol

from troupe.admin.v1 import errors_pb2

from actors.runtime.clock import Clock
from admin.errors import Refusal
from admin.permissions import ALWAYS, CHANNELZ, EVERYTHING, PERMISSIONS, READING

log = logging.getLogger(__name__)

TOKEN_BYTES = 32
"""256 bits from the operating system: nothing to guess, so a plain hash keeps it well."""
MAX_TOKEN_CHARS = 1_024
"""What is longer is no token of ours and is not worth a hash."""
MAX_TOKENS = 100
"""Tokens beside the minted ones: a node's users are some dozens, and a call is compared with each token."""
ADMIN_TOKEN_FILE = "admin.token"  # noqa: S105 - a file's name
READONLY_TOKEN_FILE = "readonly.token"  # noqa: S105 - a file's name
_BEARER = "bearer "
_UNKNOWN = "the token is not one of this node's"
_NO_BEARER = 'the authorization must be one "Bearer TOKEN"'
_ID_BYTES = 8

Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Minted:
    """A token that the node mints itself, and leaves in a file for its user."""

    file: str
    permissions: frozenset[str]


MINTED: Final[Mapping[str, Minted]] = MappingProxyType(
    {
        "admin": Minted(ADMIN_TOKEN_FILE, EVERYTHING),
        "readonly": Minted(READONLY_TOKEN_FILE, READING),
    }
)
"""By id, which is the name too; no other token can have it."""


@dataclass(slots=True, eq=False)
class Token:
    """What is known of a token: never its secret. Times are seconds since 1970.

    Attributes:
        digest: The secret's hash.
        expire_s: None: never.
        last_use_s: None: not since the node started.
    """

    id: str
    name: str
    digest: bytes = field(repr=False)
    permissions: frozenset[str]
    create_s: float
    expire_s: float | None = None
    last_use_s: float | None = None

    @property
    def is_lasting_keeper(self) -> bool:
        """Whether it can always make and delete tokens."""
        return "auth:write" in self.permissions and self.expire_s is None


class Store(Protocol):
    """Where tokens outlive the process."""

    def load(self) -> Iterable[Token]:
        """The tokens that are kept, and the minted ones."""

    def save(self, tokens: Sequence[Token]) -> None:
        """Keep these, and no others, beside the minted ones."""

    def discard(self, minted: Minted) -> None:
        """Forget a minted one: the next start mints another."""


class Tokens:
    """The tokens that a server accepts. Only on its event loop, which the store's writes hold up for the
    milliseconds that a small file takes.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        """Raises OSError: the store cannot be read."""
        self._store, self._clock = store, clock
        self._tokens = {token.id: token for token in store.load()}

    def __iter__(self) -> Iterator[Token]:
        return iter(self._tokens.values())

    def find(self, secret: str) -> Token | None:
        """The token of a secret. Takes as long whichever matches, and if none does."""
        presented = digest(secret)
        found = None
        for token in self._tokens.values():
            if hmac.compare_digest(token.digest, presented):
                found = token
        return found

    def identify(self, metadata: Metadata) -> Token:
        """The token that a call carries; notes its use.

        Raises:
            Refusal: TOKEN_MISSING, TOKEN_INVALID or TOKEN_EXPIRED.
        """
        token = self.find(_bearer(metadata))
        if token is None:
            raise _invalid(_UNKNOWN)
        if self._is_expired(token):
            raise _expired(token)
        token.last_use_s = self._clock.wall_s()
        return token

    def lapse(self, token: Token) -> Refusal | None:
        """Why a token that was good is so no more; None while it is."""
        if self._tokens.get(token.id) is not token:
            return _invalid("the token was deleted, or its secret replaced")
        return _expired(token) if self._is_expired(token) else None

    # -- changes ------------------------------------------------------------------------------------

    def create(
        self, name: str, permissions: frozenset[str], ttl_s: float | None
    ) -> tuple[Token, str]:
        """A new token and its secret, which nothing else will ever tell. Expired ones are forgotten.

        Raises:
            Refusal: TOKEN_NAME_TAKEN or TOO_MANY_TOKENS.
            OSError: it cannot be kept; nothing has changed.
        """
        kept = [token for token in self._tokens.values() if not self._is_expired(token)]
        if name in MINTED or any(token.name == name for token in kept):
            message = f"a token of the name {name} exists"
            raise Refusal(errors_pb2.ERROR_REASON_TOKEN_NAME_TAKEN, message)
        if sum(token.id not in MINTED for token in kept) >= MAX_TOKENS:
            message = f"the node keeps {MAX_TOKENS} tokens, and that is the limit"
            limit = str(MAX_TOKENS)
            raise Refusal(errors_pb2.ERROR_REASON_TOO_MANY_TOKENS, message, limit=limit)
        secret, now_s = new_secret(), self._clock.wall_s()
        expire_s = None if ttl_s is None else now_s + ttl_s
        token_id = secrets.token_hex(_ID_BYTES)
        token = Token(token_id, name, digest(secret), permissions | ALWAYS, now_s, expire_s)
        self._keep([*kept, token])
        return token, secret

    def renew(self, token_id: str) -> tuple[Token, str] | None:
        """The same token with a new secret, the old one being void; None when there is none.

        Raises:
            OSError: it cannot be kept; nothing has changed.
        """
        old = self._tokens.get(token_id)
        if old is None or self._is_expired(old):
            return None
        secret = new_secret()
        renewed = replace(old, digest=digest(secret))
        self._keep([renewed if token is old else token for token in self._tokens.values()])
        return renewed, secret

    def delete(self, token_id: str) -> Token:
        """Refuse a token from now on; returns what it was.

        Raises:
            Refusal: TOKEN_NOT_FOUND, or TOKEN_PROTECTED: without it, nobody could manage tokens.
            OSError: it cannot be forgotten; nothing has changed.
        """
        token = self._tokens.get(token_id)
        if token is None:
            message = f"no token has the id {token_id}"
            raise Refusal(errors_pb2.ERROR_REASON_TOKEN_NOT_FOUND, message)
        rest = [other for other in self._tokens.values() if other is not token]
        if token.is_lasting_keeper and not any(other.is_lasting_keeper for other in rest):
            message = f"{token.name} is the last token that does not expire and has auth:write"
            raise Refusal(errors_pb2.ERROR_REASON_TOKEN_PROTECTED, message)
        if token_id in MINTED:
            self._store.discard(MINTED[token_id])
            del self._tokens[token_id]
        else:
            self._keep(rest)
        return token

    def _keep(self, tokens: Sequence[Token]) -> None:
        self._store.save([token for token in tokens if token.id not in MINTED])
        self._tokens = {token.id: token for token in tokens}

    def _is_expired(self, token: Token) -> bool:
        return token.expire_s is not None and token.expire_s <= self._clock.wall_s()


def authorize(tokens: Tokens, method: str, metadata: Metadata) -> Token:
    """Let a call of a method that is not open pass; returns the token that it carries.

    Raises:
        Refusal: TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED, METHOD_DENIED or PERMISSION_MISSING.
    """
    token = tokens.identify(metadata)
    permission = PERMISSIONS.get(method) or CHANNELZ.get(method)
    if permission is None:
        message = "nobody may call this method"
        raise Refusal(errors_pb2.ERROR_REASON_METHOD_DENIED, message)
    if permission not in token.permissions:
        raise lacking(token, permission)
    return token


def lacking(token: Token, permission: str) -> Refusal:
    """The refusal of a caller whose token does not permit it."""
    message = f"the {token.name} token lacks the permission {permission}"
    reason = errors_pb2.ERROR_REASON_PERMISSION_MISSING
    return Refusal(reason, message, permission=permission)


def new_secret() -> str:
    """A secret for a token: URL-safe text."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def _bearer(metadata: Metadata) -> str:
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        message = 'the call carries no token: send "authorization: Bearer TOKEN"'
        raise Refusal(errors_pb2.ERROR_REASON_TOKEN_MISSING, message)
    value = values[0]
    if len(values) > 1 or not isinstance(value, str) or not value.lower().startswith(_BEARER):
        raise _invalid(_NO_BEARER)
    secret = value[len(_BEARER) :].strip()
    if len(secret) > MAX_TOKEN_CHARS:
        raise _invalid(_UNKNOWN)
    return secret


def _invalid(message: str) -> Refusal:
    return Refusal(errors_pb2.ERROR_REASON_TOKEN_INVALID, message)


def _expired(token: Token) -> Refusal:
    message = f"the {token.name} token has expired"
    return Refusal(errors_pb2.ERROR_REASON_TOKEN_EXPIRED, message)
