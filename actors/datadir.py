"""A node's data directory: where its files are, its lock, and its key.

What is inside the other files is the business of those who write them: the store, the mempool, the
admin server.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from actors.ledger.keys import KeyScheme, PrivateKey
from actors.runtime.files import write_whole

log = logging.getLogger(__name__)

CHAIN_FILE = "chain.db"
KEY_ENTROPY_BYTES = 32
DIRECTORY_MODE = 0o700


class DataDirError(Exception):
    """The directory cannot be used; the message is one sentence for the user."""


class DataDir:
    """An opened data directory, locked against a second user until :meth:`close`."""

    def __init__(self, path: Path, *, user: str = "node") -> None:
        """Create the directory if need be, and lock it.

        The lock is the system's, on the open file: what a killed process or a copied directory leaves of it
        locks nothing. What stands in the file is for people.

        Args:
            path: The directory.
            user: What it is locked for, as the next one is told.

        Raises:
            DataDirError: it cannot be made or written, or another process uses it.
        """
        self.path = path
        try:
            path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            self._lock: IO[str] = (path / "lock").open("a+")
        except OSError as error:
            message = f"cannot use the data directory {path}: {error.strerror}"
            raise DataDirError(message) from error
        try:
            _lock(self._lock, fcntl.LOCK_EX, path)
        except BlockingIOError as error:
            message = f"another troupe {_holder(self._lock)} on the data directory {path}"
            self._lock.close()
            raise DataDirError(message) from error
        with suppress(OSError):  # on a full disk the lock is none the worse
            self._lock.truncate(0)
            os.write(self._lock.fileno(), f"{user} {os.getpid()}\n".encode())

    @contextmanager
    def chain_alone(self) -> Iterator[None]:
        """Within, nobody else has ``chain.db`` open, so that another file can take its place.

        Raises:
            DataDirError: somebody has.
        """
        with reading_chain(self.path, alone=True):
            yield

    @property
    def chain_db(self) -> Path:
        return self.path / CHAIN_FILE

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
    def quarantine(self) -> Path:
        return self.path / "quarantine"

    @property
    def admin_address(self) -> Path:
        return self.path / "admin.address"

    def wallet_key(self, scheme: KeyScheme, entropy: Callable[[int], bytes]) -> PrivateKey:
        """The node's private key; made at the first start.

        Raises:
            DataDirError: ``wallet.key`` is there and is no key of this scheme, or cannot be made.
        """
        path = self.path / "wallet.key"
        try:
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return self._new_key(path, scheme.generate(entropy(KEY_ENTROPY_BYTES)))
        except (OSError, UnicodeDecodeError) as error:
            message = f"cannot read the key file {path}: {error}"
            raise DataDirError(message) from error
        known = scheme.private_key(_from_hex(text))
        if known is None:
            message = f"the key file {path} holds no {scheme.name} key in lower-case hex"
            raise DataDirError(message)
        return known

    def _new_key(self, path: Path, key: PrivateKey) -> PrivateKey:
        if self.chain_db.exists():
            log.warning("there is a chain and no key beside it: %s is new", path)
        try:
            write_whole(path, key.secret.hex().encode() + b"\n")
        except OSError as error:
            message = f"cannot write the key file {path}: {error.strerror}"
            raise DataDirError(message) from error
        return key

    def close(self) -> None:
        """Let another node have the directory. The lock also goes with the process."""
        self._lock.close()


@contextmanager
def reading_chain(directory: Path, *, alone: bool = False) -> Iterator[None]:
    """Whoever opens ``chain.db`` beside a node does so within this: nobody puts another file in its place.

    SQLite clears away the log of a file that it has open by its name, whosever the name has become.

    Raises:
        DataDirError: somebody does just that; or, with ``alone``, somebody has it open.
    """
    try:
        file = (directory / "chain.lock").open("a")
    except OSError as error:
        if alone:
            message = f"cannot lock the chain in {directory}: {error.strerror}"
            raise DataDirError(message) from error
        yield  # to read is allowed where nothing can be written
        return
    with file:
        try:
            _lock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, directory)
        except BlockingIOError as error:
            what = "is open elsewhere" if alone else "is being repaired"
            message = f"the chain in {directory} {what}: wait for its end"
            raise DataDirError(message) from error
        yield


def _lock(file: IO[str], kind: int, directory: Path) -> None:
    """Lock a file at once.

    Raises:
        BlockingIOError: somebody else has it.
        DataDirError: its file system knows no locks.
    """
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        file.close()
        message = f"cannot lock the data directory {directory}: {error.strerror}"
        raise DataDirError(message) from error


def _holder(lock: IO[str]) -> str:
    """What another process does here, as it wrote down."""
    with suppress(OSError, ValueError):
        lock.seek(0)
        user, process = lock.read(100).split()
        return f"{user} is running (process {int(process)})"
    return "node is running"


def _from_hex(text: str) -> bytes:
    if not text or set(text) - set("0123456789abcdef") or len(text) % 2:
        return b""
    return bytes.fromhex(text)
