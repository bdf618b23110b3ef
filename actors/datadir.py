"""A node's data directory: where its files are, its lock, and its key.

What is inside the other files is the business of those who write them: the store, the mempool, the
admin server.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import IO

from actors.ledger.keys import KeyScheme, PrivateKey
from actors.runtime.files import write_whole

KEY_ENTROPY_BYTES = 32
DIRECTORY_MODE = 0o700


class DataDirError(Exception):
    """The directory cannot be used; the message is one sentence for the user."""


class DataDir:
    """An opened data directory, locked against a second node until :meth:`close`."""

    def __init__(self, path: Path) -> None:
        """Create the directory if need be, and lock it.

        Raises:
            DataDirError: it cannot be made or written, or another node uses it.
        """
        self.path = path
        try:
            path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            self._lock: IO[str] = (path / "lock").open("a")
        except OSError as error:
            message = f"cannot use the data directory {path}: {error.strerror}"
            raise DataDirError(message) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            message = f"another troupe node is running on the data directory {path}"
            raise DataDirError(message) from error

    @property
    def chain_db(self) -> Path:
        return self.path / "chain.db"

    @property
    def mempool(self) -> Path:
        return self.path / "mempool"

    @property
    def bans(self) -> Path:
        return self.path / "bans"

    @property
    def addresses(self) -> Path:
        return self.path / "addresses"

    @property
    def admin_address(self) -> Path:
        return self.path / "admin.address"

    def wallet_key(self, scheme: KeyScheme, entropy: Callable[[int], bytes]) -> PrivateKey:
        """The node's private key; made at the first start.

        Raises:
            DataDirError: ``wallet.key`` is there and is no key of this scheme.
        """
        path = self.path / "wallet.key"
        try:
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            key = scheme.generate(entropy(KEY_ENTROPY_BYTES))
            write_whole(path, key.secret.hex().encode() + b"\n")
            return key
        except (OSError, UnicodeDecodeError) as error:
            message = f"cannot read the key file {path}: {error}"
            raise DataDirError(message) from error
        known = scheme.private_key(_from_hex(text))
        if known is None:
            message = f"the key file {path} holds no {scheme.name} key in lower-case hex"
            raise DataDirError(message)
        return known

    def close(self) -> None:
        """Let another node have the directory. The lock also goes with the process."""
        self._lock.close()


def _from_hex(text: str) -> bytes:
    if not text or set(text) - set("0123456789abcdef") or len(text) % 2:
        return b""
    return bytes.fromhex(text)
