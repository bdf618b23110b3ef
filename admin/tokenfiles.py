"""How tokens are kept in a data directory: the minted ones as files for their user, others as hashes.

``tokens.json`` holds the others: hashes, names, permissions and times, never a secret. All of these files
are their owner's alone (mode 0600), and each is replaced whole.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from actors.runtime.clock import LATEST_S
from actors.runtime.files import PRIVATE_MODE, write_whole
from admin.auth import MINTED, Minted, Token, digest, new_secret

log = logging.getLogger(__name__)

TOKENS_FILE: Final = "tokens.json"
_VERSION: Final = 1
_DIGEST_BYTES: Final = 32
_OTHERS = 0o777 & ~PRIVATE_MODE
_NO_TOKENS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What a file that somebody else wrote may raise: text that is no JSON, or JSON that is no table of ours."""


class TokenFiles:
    """The tokens of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def load(self) -> Iterator[Token]:
        """All tokens; a minted one whose file is absent is minted.

        Raises:
            OSError: a file can be neither read nor written, or holds no token.
        """
        for token_id, minted in MINTED.items():
            path = self._data_dir / minted.file
            secret = _load_or_mint(path)
            create_s = path.stat().st_mtime
            yield Token(token_id, token_id, digest(secret), minted.permissions, create_s)
        yield from self._load_others(self._data_dir / TOKENS_FILE)

    def save(self, tokens: Sequence[Token]) -> None:
        """Keep these beside the minted ones."""
        table = {"version": _VERSION, "tokens": [_as_json(token) for token in tokens]}
        text = json.dumps(table, indent=1) + "\n"
        write_whole(self._data_dir / TOKENS_FILE, text.encode("ascii"))

    def discard(self, minted: Minted) -> None:
        """Remove the file of a minted one."""
        (self._data_dir / minted.file).unlink(missing_ok=True)

    def _load_others(self, path: Path) -> Iterable[Token]:
        if not path.exists():
            return []
        _keep_private(path)
        try:
            table = json.loads(path.read_bytes())
            entries = {_VERSION: table["tokens"]}[table["version"]]
            return [_from_json(entry) for entry in entries]
        except _NO_TOKENS as error:
            message = f"{path} holds no tokens: remove it, and create them again"
            raise OSError(message) from error


def _as_json(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "sha256": token.digest.hex(),
        "permissions": sorted(token.permissions),
        "create_unix_s": token.create_s,
        "expire_unix_s": token.expire_s,
    }


def _from_json(entry: dict[str, Any]) -> Token:
    """Raises one of ``_NO_TOKENS`` if it is none."""
    expire_s = entry["expire_unix_s"]
    token = Token(
        id=entry["id"].lower(),
        name=entry["name"].strip(),
        digest=bytes.fromhex(entry["sha256"]),
        permissions=frozenset(map(str.lower, entry["permissions"])),
        create_s=float(entry["create_unix_s"]),
        expire_s=None if expire_s is None else float(expire_s),
    )
    if len(token.digest) != _DIGEST_BYTES or not token.name or token.id in MINTED:
        raise ValueError
    if not all(0 <= at_s < LATEST_S for at_s in (token.create_s, token.expire_s or 0.0)):
        raise ValueError
    "".join((token.id, token.name, *token.permissions)).encode()  # a lone surrogate raises
    return token


def _load_or_mint(path: Path) -> str:
    """The secret of a file. An empty file is what somebody's crash or `touch` leaves: it is filled."""
    if not path.exists() or not _read(path):
        write_whole(path, f"{new_secret()}\n".encode("ascii"))
    _keep_private(path)
    return _read(path)


def _keep_private(path: Path) -> None:
    if path.stat().st_mode & _OTHERS:
        log.warning("%s was open to others; it is private now, but may be known", path.name)
        path.chmod(PRIVATE_MODE)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError as error:
        message = f"{path} holds no token: remove it, and the next start mints one"
        raise OSError(message) from error
