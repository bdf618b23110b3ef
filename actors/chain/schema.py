"""The file under the store: its tables, how it is opened, and why it may be refused.

Must not live here: what the rows mean to fork choice (`tree`), or the statements of every day (`store`).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from actors.ledger.network import Network, parse_definition
from actors.ledger.types import Block

log = logging.getLogger(__name__)

SCHEMA_VERSION = 3
"""1 knew no marks of the operator and no list of tips; 2 had three indexes more. An older store is brought to
ours when it is opened for writing."""

CACHE_KIB = 16 * 1024
"""The writer's: holds the upper levels of every index of a million accounts, and what a batch changes. Twice
as much makes a commit among a million accounts by a tenth cheaper, and each node that much larger."""
READER_CACHE_KIB = 4 * 1024
"""There are several readers, and what they miss the system has in memory, too."""
CHECKPOINT_PAGES = 8_000
"""32 MiB of the log before it is taken up into the file: pages that several batches change are written once.
With the usual 1,000 that is after each batch of a sync with many accounts, and takes a third of its time."""
LOG_LIMIT_BYTES = 64 * 1024 * 1024
"""What stays of a log that grew while somebody read for long."""
CACHED_STATEMENTS = 256
"""More than there are statements: none is ever prepared twice."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PASSING = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
)
"""What may be otherwise the next time: no room, a disk or a mount that fails, another process's lock."""
PRIMARY_CODE = 0xFF
"""The part of an extended error code that says what kind of error it is."""
CHECKED_BLOCKS = 16
"""At each start, and by each reader: under a millisecond, unless blocks are large. More than a power cut can leave half written."""
BUSY_TIMEOUT_S = 10.0
"""How long to wait for another process that holds the file (a backup, a verification)."""

_TABLES = (
    # schema, network; history: from which height on accounts can be asked for, absent: from the first;
    # pruning: after which address, in hex, older versions are still to be deleted, absent: after none.
    """CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID""",
    # Every block whose ancestors are all known. The id is the order of arrival: first seen wins a tie.
    # The bytes come last, so that reading a header never touches them.
    """CREATE TABLE blocks (
        id INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        number INTEGER NOT NULL,
        parent_hash BLOB NOT NULL,
        status INTEGER NOT NULL,
        raw BLOB NOT NULL)""",
    # Finds the longest branch at once, however many blocks there are that are not to be followed.
    """CREATE INDEX blocks_by_status ON blocks (status, number)""",
    # The stored blocks that no other stands on.
    """CREATE TABLE tips (
        number INTEGER NOT NULL,
        block INTEGER NOT NULL,
        PRIMARY KEY (number, block)) WITHOUT ROWID""",
    # The blocks that carry the operator's mark; theirs and their descendants' status says so, too.
    """CREATE TABLE invalidated (hash BLOB PRIMARY KEY) WITHOUT ROWID""",
    # The best chain: its last row is the tip.
    """CREATE TABLE canonical (number INTEGER PRIMARY KEY, block INTEGER NOT NULL)""",
    # An account's value from block `height` on, until the next row of its address.
    """CREATE TABLE accounts (
        address BLOB NOT NULL,
        height INTEGER NOT NULL,
        balance INTEGER NOT NULL,
        nonce INTEGER NOT NULL,
        PRIMARY KEY (address, height)) WITHOUT ROWID""",
    # The transactions of the canonical chain.
    """CREATE TABLE transactions (
        id BLOB PRIMARY KEY,
        number INTEGER NOT NULL,
        position INTEGER NOT NULL) WITHOUT ROWID""",
    # Blocks of a walk back: proof of work checked, an ancestor still unknown. None of them is in `blocks`.
    """CREATE TABLE pending (
        id INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        number INTEGER NOT NULL,
        parent_hash BLOB NOT NULL,
        raw BLOB NOT NULL)""",
    """CREATE INDEX pending_by_parent ON pending (parent_hash)""",
)

_MIGRATIONS = {
    1: (
        "DROP INDEX blocks_not_invalid",
        "CREATE INDEX blocks_by_status ON blocks (status, number)",
        """CREATE TABLE tips (
        number INTEGER NOT NULL,
        block INTEGER NOT NULL,
        PRIMARY KEY (number, block)) WITHOUT ROWID""",
        """INSERT INTO tips SELECT number, id FROM blocks
        WHERE hash NOT IN (SELECT parent_hash FROM blocks)""",
        "CREATE TABLE invalidated (hash BLOB PRIMARY KEY) WITHOUT ROWID",
    ),
    # What a block did is found by what is in it, at half the size and the writing; nobody asked for pending
    # blocks by their number.
    2: (
        "DROP INDEX accounts_by_height",
        "DROP INDEX transactions_by_number",
        "DROP INDEX pending_by_number",
    ),
}
"""From each older version to the next: each reads every block, or the index that goes, once."""


REMEDY = "stop the node and run `troupe repair`, which keeps what can be read; what is lost comes again from peers"


class StoreError(Exception):
    """The store cannot be used; the text is one sentence or two for the operator."""


class UnwritableError(StoreError):
    """The store takes nothing for now; what was begun is undone, and the same may succeed later."""


class DoubtfulCommitError(sqlite3.OperationalError):
    """COMMIT failed, and the tip moved all the same or cannot be read: who wrote has to begin anew."""


def open_store(path: Path | None, network: Network) -> sqlite3.Connection:
    """Open for writing, creating the tables of a new file; None: in memory.

    Raises:
        StoreError: The file is damaged, of another network or of a newer program.
    """
    with _refusing(path):
        connection = _connect(":memory:" if path is None else str(path))
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT_BYTES}")
            if not _has_tables(connection):
                _create(connection, network)
            _check(connection, network)
            _migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def open_for_reading(path: Path, network: Network) -> sqlite3.Connection:
    """Open an existing store beside whoever writes it.

    Raises:
        StoreError: As for :func:`open_store`, or there is no such file.
    """
    if not path.exists():
        message = f"there is no chain at {path}"
        raise StoreError(message)
    with _refusing(path):
        connection = _connect(str(path), READER_CACHE_KIB)
        try:
            connection.execute("PRAGMA query_only = ON")
            _check(connection, network)
        except BaseException:
            connection.close()
            raise
        return connection


def open_to_look(path: Path) -> sqlite3.Connection:
    """Open an existing store as it is, to write nothing to it.

    Raises:
        sqlite3.OperationalError, StoreError: It cannot be opened.
    """
    _refuse_emptied(path)
    # As a URI: the only way to say so, and a path may have any characters in it.
    uri = f"{path.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, factory=_Connection)
    connection.path = path
    return connection


def recorded_network(path: Path) -> Network:
    """The network that a store was made for, as it records it.

    Raises:
        StoreError: There is no store, or it records none.
    """
    if not path.exists():
        message = f"there is no chain at {path}"
        raise StoreError(message)
    try:
        with closing(_connect(str(path))) as connection:
            connection.execute("PRAGMA query_only = ON")
            row = connection.execute("SELECT value FROM meta WHERE key = 'network'").fetchone()
        return parse_definition(str(row[0]))
    except (sqlite3.DatabaseError, TypeError, ValueError) as error:
        message = f"{path} does not say which network it is of: name it with --network"
        raise StoreError(message) from error


class _Connection(sqlite3.Connection):
    """Says what to do when a statement meets a damaged part of the file."""

    path: Path | None = None

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        try:
            return super().execute(*statement)
        except sqlite3.DatabaseError as error:
            raise_damaged(self, error)
            raise
        except UnicodeDecodeError as error:  # what SQLite says of it quotes what is damaged
            raise StoreError(damaged(self.path, error)) from error


def raise_damaged(connection: sqlite3.Connection, error: sqlite3.DatabaseError) -> None:
    """Return if the error is about something else than the file's content.

    Raises:
        StoreError: The file is damaged.
    """
    if getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE in _DAMAGED:
        path = connection.path if isinstance(connection, _Connection) else None
        raise StoreError(damaged(path, error)) from error


def raise_unwritable(connection: sqlite3.Connection, error: sqlite3.DatabaseError) -> None:
    """Return if the error is about something else than what the disk or another process does to us.

    Raises:
        UnwritableError: That is what it is about.
    """
    if is_of_disk(error):
        path = connection.path if isinstance(connection, _Connection) else None
        message = f"{path} cannot be written ({error}): see to the room and the health of its disk"
        raise UnwritableError(message) from error


def is_of_disk(error: Exception) -> bool:
    """Whether it is about what the disk takes or has, and no bug."""
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE in (*_PASSING, *_DAMAGED)


def unreadable(error: Exception) -> StoreError:
    """What to say of something that was asked of a store and cannot be read."""
    return error if isinstance(error, StoreError) else StoreError(f"cannot read the chain: {error}")


def _connect(name: str, cache_kib: int = CACHE_KIB) -> _Connection:
    """A connection in autocommit mode: transactions are begun and ended by name.

    It is built on one thread and used on another, but never by two at a time.
    """
    _refuse_emptied(Path(name))
    connection = sqlite3.connect(
        name,
        factory=_Connection,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=CACHED_STATEMENTS,
    )
    connection.path = Path(name)
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    return connection


def _refuse_emptied(path: Path) -> None:
    """SQLite takes an empty file for a new one and deletes its log, which is all that is left.

    Raises:
        StoreError: It is empty, and its log is not.
    """
    with suppress(OSError):
        log = Path(f"{path.resolve()}-wal")
        if not path.stat().st_size and log.stat().st_size:
            message = "it is empty, and its log is not"
            raise StoreError(damaged(path, message))


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _create(connection: sqlite3.Connection, network: Network) -> None:
    """All tables and genesis in one transaction: a kill leaves an empty file or a whole one."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES:
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        (("schema", str(SCHEMA_VERSION)), ("network", network.definition())),
    )
    genesis: Block = network.genesis
    connection.execute(
        "INSERT INTO blocks VALUES (1, ?, 0, ?, 1, ?)",
        (genesis.hash, genesis.parent_hash, genesis.raw),
    )
    connection.execute("INSERT INTO canonical VALUES (0, 1)")
    connection.execute("INSERT INTO tips VALUES (0, 1)")
    connection.execute("COMMIT")


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring an older store to our version, in one transaction: a kill leaves the older one."""
    (recorded,) = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    for version in range(int(recorded), SCHEMA_VERSION):
        log.info("bringing the chain from schema %d to %d", version, version + 1)
        connection.execute("BEGIN IMMEDIATE")
        for statement in _MIGRATIONS[version]:
            connection.execute(statement)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(version + 1),))
        connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, network: Network) -> None:
    """What can be told at once; `integrity` looks at the rest."""
    if not _has_tables(connection):
        message = "the file holds no chain yet: start the node once"
        raise StoreError(message)
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    schema = _schema_version(meta.get("schema"))
    if schema > SCHEMA_VERSION:
        message = (
            f"the chain was written by a newer program (schema {schema}; this one knows"
            f" {SCHEMA_VERSION}): use that version of troupe, or another data directory"
        )
        raise StoreError(message)
    if meta.get("network") != network.definition():
        message = (
            f"the chain belongs to another network ({meta.get('network')}), not to"
            f" {network.definition()}: use another data directory"
        )
        raise StoreError(message)
    _check_newest(connection)


def _check_newest(connection: sqlite3.Connection) -> None:
    """See that the newest blocks of the chain are what was written: whoever begins stands on them."""
    newest = connection.execute(
        "SELECT hash, parent_hash, raw FROM canonical JOIN blocks ON blocks.id = block"
        " ORDER BY canonical.number DESC LIMIT ?",
        (CHECKED_BLOCKS,),
    ).fetchall()
    if not newest:
        message = "the chain has no tip"
        raise sqlite3.DatabaseError(message)
    for block_hash, _, raw in newest:
        if not isinstance(raw, bytes) or sha256(raw).digest() != block_hash:
            message = "one of the newest blocks is not what was written"
            raise sqlite3.DatabaseError(message)
    if any(above[1] != below[0] for above, below in pairwise(newest)):
        message = "the newest blocks do not stand one on the other"
        raise sqlite3.DatabaseError(message)


def _schema_version(recorded: object) -> int:
    """The version that a store records, at least 1."""
    try:
        version = int(str(recorded))
    except ValueError:
        version = 0
    if version < 1:
        message = "it does not say which form it has"
        raise sqlite3.DatabaseError(message)
    return version


@contextmanager
def _refusing(path: Path | None) -> Iterator[None]:
    """Turns what SQLite says about a file into what its operator needs to know."""
    try:
        yield
    except sqlite3.OperationalError as error:
        message = f"cannot open {path}: {error}"
        raise StoreError(message) from error
    except sqlite3.DatabaseError as error:
        raise StoreError(damaged(path, error)) from error


def damaged(path: Path | None, error: object) -> str:
    """What to say of a file that SQLite cannot make sense of, or should not."""
    return f"{path} is damaged ({error}): {REMEDY}"
