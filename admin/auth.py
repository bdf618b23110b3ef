"""Who calls: the tokens, whom each stands for, and whether that permits a call.

Must not live here: which permission a method needs (``permissions``), how a call is intercepted (``guard``).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from troupe.admin.v1 import errors_pb2

from admin.errors import Refusal
from admin.permissions import EVERYTHING, PERMISSIONS, READING

log = logging.getLogger(__name__)

TOKEN_BYTES = 32
"""256 bits from the operating system: nothing to guess, so a plain hash keeps it well."""
MAX_TOKEN_CHARS = 1_024
"""What is longer is no token of ours and is not worth a hash."""
ADMIN_TOKEN_FILE = "admin.token"  # noqa: S105 - a file's name
READONLY_TOKEN_FILE = "readonly.token"  # noqa: S105 - a file's name
_PRIVATE_MODE = 0o600
_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token stands for, and what it permits."""

    name: str
    permissions: frozenset[str]


class Tokens:
    """The tokens that this server accepts: their hashes only."""

    def __init__(self) -> None:
        self._callers: list[tuple[bytes, Caller]] = []

    def add(self, token: str, caller: Caller) -> None:
        self._callers.append((_hash(token), caller))

    def find(self, token: str) -> Caller | None:
        """The caller of a token. Takes as long whichever matches, and if none does."""
        presented = _hash(token)
        found = None
        for kept, caller in self._callers:
            if hmac.compare_digest(kept, presented):
                found = caller
        return found


def authorize(tokens: Tokens, method: str, metadata: Sequence[tuple[str, str | bytes]]) -> None:
    """Let a call of a method that is not open pass.

    Raises:
        Refusal: TOKEN_MISSING, TOKEN_INVALID, METHOD_DENIED or PERMISSION_MISSING.
    """
    caller = tokens.find(_bearer(metadata))
    if caller is None:
        message = "the token is not one of this node's"
        raise Refusal(errors_pb2.ERROR_REASON_TOKEN_INVALID, message)
    permission = PERMISSIONS.get(method)
    if permission is None:
        message = "nobody may call this method"
        raise Refusal(errors_pb2.ERROR_REASON_METHOD_DENIED, message)
    if permission not in caller.permissions:
        message = f"the {caller.name} token lacks the permission {permission}"
        raise Refusal(errors_pb2.ERROR_REASON_PERMISSION_MISSING, message, permission=permission)


def _bearer(metadata: Sequence[tuple[str, str | bytes]]) -> str:
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        message = 'the call carries no token: send "authorization: Bearer TOKEN"'
        raise Refusal(errors_pb2.ERROR_REASON_TOKEN_MISSING, message)
    value = values[0]
    if len(values) > 1 or not isinstance(value, str) or not value.lower().startswith(_BEARER):
        message = 'the authorization must be one "Bearer TOKEN"'
        raise Refusal(errors_pb2.ERROR_REASON_TOKEN_INVALID, message)
    token = value[len(_BEARER) :].strip()
    if len(token) > MAX_TOKEN_CHARS:
        message = "the token is not one of this node's"
        raise Refusal(errors_pb2.ERROR_REASON_TOKEN_INVALID, message)
    return token


def load_tokens(data_dir: Path) -> Tokens:
    """The two tokens of a data directory, minted where they are absent.

    Raises:
        OSError: a file can be neither read nor written, or holds no text.
    """
    tokens = Tokens()
    tokens.add(_load_or_mint(data_dir / ADMIN_TOKEN_FILE), Caller("admin", EVERYTHING))
    tokens.add(_load_or_mint(data_dir / READONLY_TOKEN_FILE), Caller("readonly", READING))
    return tokens


def _load_or_mint(path: Path) -> str:
    """The token of a file. An empty file is what a crash between creating and writing leaves."""
    if not path.exists() or not _read(path):
        write_private(path, secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    elif path.stat().st_mode & ~_PRIVATE_MODE & 0o777:
        log.warning("%s was open to others; it is private now, but may be known", path.name)
        path.chmod(_PRIVATE_MODE)
    return _read(path)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError as error:
        message = f"{path} holds no token: remove it, and the next start mints one"
        raise OSError(message) from error


def write_private(path: Path, text: str) -> None:
    """Put a whole file in place at once, readable by its owner alone from its first byte."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_MODE)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
