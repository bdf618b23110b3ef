"""Disks that fail: a store that takes nothing for a while, and one whose k-th statement fails."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from actors.chain.schema import open_store
from actors.chain.store import Reader, Store
from actors.ledger.network import Network

FULL = sqlite3.SQLITE_FULL
IOERR = sqlite3.SQLITE_IOERR
BUSY = sqlite3.SQLITE_BUSY
CORRUPT = sqlite3.SQLITE_CORRUPT
_TEXTS = {
    FULL: "database or disk is full",
    IOERR: "disk I/O error",
    BUSY: "database is locked",
    CORRUPT: "database disk image is malformed",
}


def disk_error(code: int) -> sqlite3.DatabaseError:
    """What SQLite raises with this code."""
    kind = sqlite3.DatabaseError if code == CORRUPT else sqlite3.OperationalError
    error = kind(_TEXTS[code])
    error.sqlite_errorcode = code
    return error


class FaultyStore(Store):
    """A store whose transactions fail at their end while there is a ``fault``, a code of SQLite's.

    Attributes:
        takes_effect: The fault is told although all was written.
        tries: How often it was written to since the fault began.
    """

    fault: int | None = None
    takes_effect = False
    tries = 0

    def _end(self, *, keep: bool) -> None:
        if self.fault is None:
            super()._end(keep=keep)
            return
        self.tries += 1
        if self.takes_effect:
            super()._end(keep=keep)
        raise disk_error(self.fault)


def faulty_store(network: Network, path: Path | None = None) -> FaultyStore:
    return FaultyStore(open_store(path, network), path, network, 0)


class FailingConnection:
    """Stands before a connection, counts its statements, and lets one of them fail, or all.

    Attributes:
        is_gone: The disk is: no statement works.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.statements = 0
        self._at = 0
        self._code = FULL
        self.is_gone = False

    def fail_at(self, number: int, code: int = FULL) -> None:
        """Let the ``number``-th statement from now on fail, counted from 1."""
        self.statements, self._at, self._code = 0, number, code

    def heal(self) -> None:
        """Let none fail."""
        self._at = 0

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.execute(*statement)

    def executemany(self, *statement: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.executemany(*statement)

    def close(self) -> None:
        self._connection.close()

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def _count(self) -> None:
        self.statements += 1
        if self.is_gone:
            raise disk_error(IOERR)
        if self.statements == self._at:
            raise disk_error(self._code)


def failing(store: Reader) -> FailingConnection:
    """Put a failing connection before a store's own, or a reader's."""
    connection: Any = FailingConnection(store._db)
    store._db = connection
    if isinstance(store, Store):
        store._checkpoints._db = connection
    return connection  # type: ignore[no-any-return]
