"""A simulated disk: a store in memory that a power cut, a full disk or a bad one can befall.

What is committed survives a power cut, and nothing else does (ARCHITECTURE: storage). Faults come as SQLite
reports them, at the statement that meets them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from actors.chain.schema import open_store
from actors.chain.store import Store
from actors.ledger.network import Network
from actors.runtime.pump import PowerCut

_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


class DiskFault(Enum):
    """What is wrong with a disk."""

    NONE = "none"
    FULL = "full"
    """Nothing more can be written."""
    UNREADABLE = "unreadable"
    """Nothing can be read."""
    DOUBTFUL = "doubtful"
    """What is committed is kept, and yet reported as failed."""


class Disk:
    """The state of one node's disk."""

    def __init__(self) -> None:
        self.fault = DiskFault.NONE
        self.faults_met = 0
        """Statements that failed."""
        self._cut_in: int | None = None
        self._darken: Callable[[], None] = _nothing

    def cut_power_in(self, statements: int, darken: Callable[[], None]) -> None:
        """Call for a power cut at so many statements from now, whatever they are part of."""
        self._cut_in, self._darken = statements, darken

    @property
    def awaits_cut(self) -> bool:
        """Whether a power cut was called for and has not come."""
        return self._cut_in is not None

    def restore(self) -> None:
        """Power and disk are as they should be."""
        self.fault, self._cut_in = DiskFault.NONE, None

    def meet(self, sql: str) -> None:
        """What a statement meets.

        Raises:
            PowerCut: Now is the time.
            sqlite3.OperationalError: The disk is full or bad.
        """
        if self._cut_in is not None and sql != "ROLLBACK":
            self._cut_in -= 1
            if self._cut_in < 0:
                self._cut_in = None
                raise PowerCut(self._darken)
        if self.fault is DiskFault.FULL and sql.startswith(_WRITES):
            self._fail("database or disk is full", sqlite3.SQLITE_FULL)
        if self.fault is DiskFault.UNREADABLE and sql.startswith("SELECT"):
            self._fail("disk I/O error", sqlite3.SQLITE_IOERR_READ)

    def after_commit(self) -> None:
        """What whoever committed is told of it; the power may also fail before.

        Raises:
            PowerCut: Now is the time.
            sqlite3.OperationalError: It is reported as failed.
        """
        self.meet("")
        if self.fault is DiskFault.DOUBTFUL:
            self._fail("disk I/O error", sqlite3.SQLITE_IOERR_FSYNC)

    def _fail(self, text: str, code: int) -> None:
        self.faults_met += 1
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode = code
        raise error


class SimConnection(sqlite3.Connection):
    """A connection to a database in memory that stands for a file on a :class:`Disk`."""

    disk: Disk | None = None
    """None: a sound one."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if self.disk is not None:
            self.disk.meet(sql)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        if self.disk is not None:
            self.disk.meet(sql)
        return super().executemany(sql, parameters)


class SimStore(Store):
    """The real store, which says when it has committed."""

    def __init__(self, connection: SimConnection, network: Network) -> None:
        super().__init__(connection, None, network, 0)
        self.connection = connection
        self.has_committed = False
        """Since somebody looked."""

    def _end(self, *, keep: bool) -> None:
        super()._end(keep=keep)
        self.has_committed = self.has_committed or keep
        if keep and self.connection.disk is not None:
            self.connection.disk.after_commit()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For a look from outside of the play: no fault is met."""
        disk, self.connection.disk = self.connection.disk, None
        try:
            yield
        finally:
            self.connection.disk = disk

    def reopened(self, network: Network) -> SimStore:
        """What a new process finds on the disk after this one has lost its power."""
        if self.connection.in_transaction:
            self.connection.disk = None
            self.connection.execute("ROLLBACK")
        found = SimStore(copied(self.connection), network)
        self.close()
        return found


def new_store(network: Network) -> SimConnection:
    """An empty chain, which :func:`copied` gives to as many nodes as there are."""
    template = open_store(None, network)
    try:
        return copied(template)
    finally:
        template.close()


def copied(source: sqlite3.Connection) -> SimConnection:
    """A database of its own with the same content."""
    connection = sqlite3.connect(
        ":memory:", factory=SimConnection, isolation_level=None, check_same_thread=False
    )
    source.backup(connection)
    return connection


def _nothing() -> None:
    """No power cut was called for."""
