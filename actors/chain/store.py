"""The chain on disk: blocks, the canonical chain, versioned accounts, and the walk back's blocks.

Every statement stands in this file. Each method costs what its block or its question costs, however
long the chain is; nothing of the chain is kept in memory. Must not live here: what a block has to
fulfil, or which branch is canonical (`tree`, `importer`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from actors.chain.schema import StoreError, open_for_reading, open_store
from actors.chain.tree import Header, Status
from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block, BlockRef
from actors.ledger.violation import Violation

__all__ = ["Reader", "Store", "StoreError"]

_ON_CHAIN = "FROM canonical JOIN blocks ON blocks.id = block"
_OF_LINE = """FROM pending WHERE hash IN (
    WITH RECURSIVE line (hash) AS (
        SELECT hash FROM pending WHERE hash = ?
        UNION ALL
        SELECT child.hash FROM line JOIN pending AS child ON child.parent_hash = line.hash)
    SELECT hash FROM line LIMIT ?)"""
"""A pending block and its pending descendants, at most so many (-1: all)."""


@dataclass(frozen=True, slots=True)
class TransactionPlace:
    """Where the canonical chain holds a transaction. Value."""

    number: int
    position: int


class Reader:
    """The questions that the store answers. One thread at a time may ask one reader."""

    def __init__(self, connection: sqlite3.Connection, *, shared: bool = False) -> None:
        """Ask over ``connection``, which somebody else closes if it is ``shared``."""
        self._db, self._shared = connection, shared

    def close(self) -> None:
        if not self._shared:
            self._db.close()

    # -- the canonical chain ----------------------------------------------------------------------

    def tip(self) -> BlockRef:
        row = self._db.execute(
            f"SELECT canonical.number, hash {_ON_CHAIN} ORDER BY canonical.number DESC LIMIT 1"
        ).fetchone()
        return BlockRef(*row)

    def hash_at(self, number: int) -> bytes | None:
        """The canonical block of this number, at most 2^63 - 1."""
        row = self._db.execute(
            f"SELECT hash {_ON_CHAIN} WHERE canonical.number = ?", (number,)
        ).fetchone()
        return None if row is None else row[0]

    def is_canonical(self, ref: BlockRef) -> bool:
        return self.hash_at(ref.number) == ref.hash

    def canonical_raws(self, first: int, last: int) -> Iterator[bytes]:
        """The bytes of the canonical blocks ``first`` to ``last``, read as they are asked for."""
        rows = self._db.execute(
            f"SELECT raw {_ON_CHAIN} WHERE canonical.number BETWEEN ? AND ? ORDER BY canonical.number",
            (first, last),
        )
        return (raw for (raw,) in rows)

    def transaction_place(self, transaction_id: bytes) -> TransactionPlace | None:
        row = self._db.execute(
            "SELECT number, position FROM transactions WHERE id = ?", (transaction_id,)
        ).fetchone()
        return None if row is None else TransactionPlace(*row)

    # -- accounts ---------------------------------------------------------------------------------

    def account(self, address: bytes) -> Account:
        """The account at the tip: an ``AccountLookup``."""
        row = self._db.execute(
            "SELECT balance, nonce FROM accounts WHERE address = ? ORDER BY height DESC LIMIT 1",
            (address,),
        ).fetchone()
        return EMPTY_ACCOUNT if row is None else Account(*row)

    def account_at(self, address: bytes, height: int) -> Account:
        """The account as of the canonical block ``height``."""
        row = self._db.execute(
            "SELECT balance, nonce FROM accounts WHERE address = ? AND height <= ?"
            " ORDER BY height DESC LIMIT 1",
            (address, height),
        ).fetchone()
        return EMPTY_ACCOUNT if row is None else Account(*row)

    # -- blocks of any connected branch -----------------------------------------------------------

    def header(self, block_hash: bytes) -> Header | None:
        row = self._db.execute(
            "SELECT hash, number, parent_hash, status FROM blocks WHERE hash = ?", (block_hash,)
        ).fetchone()
        return _header(row)

    def raw(self, block_hash: bytes) -> bytes | None:
        row = self._db.execute("SELECT raw FROM blocks WHERE hash = ?", (block_hash,)).fetchone()
        return None if row is None else row[0]

    def block(self, block_hash: bytes) -> Block | None:
        """The stored block.

        Raises:
            StoreError: Its bytes are none: the file is damaged.
        """
        raw = self.raw(block_hash)
        return None if raw is None else decode_stored(raw)

    def longest(self) -> Header:
        """The head of the longest branch that is not known to be invalid, the first seen of equals."""
        head = _header(
            self._db.execute(
                """SELECT hash, number, parent_hash, status FROM blocks
                WHERE status <> 2 AND number =
                    (SELECT number FROM blocks WHERE status <> 2 ORDER BY number DESC LIMIT 1)
                ORDER BY id LIMIT 1"""
            ).fetchone()
        )
        assert head is not None, "genesis is never invalid"
        return head

    def side_blocks(self) -> int:
        """How many stored blocks are not canonical: ids have no gaps, as no block is ever deleted."""
        (blocks,) = self._db.execute("SELECT max(id) FROM blocks").fetchone()
        (number,) = self._db.execute("SELECT max(number) FROM canonical").fetchone()
        return int(blocks) - int(number) - 1


class Store(Reader):
    """The one writer of a chain. Writes belong inside ``with store.transaction():``."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None, network: Network) -> None:
        super().__init__(connection)
        self._path, self._network = path, network
        self._tip: BlockRef | None = None
        self._pending: int | None = None
        """How many blocks are pending; None: to be counted."""

    @classmethod
    def open(cls, path: Path | None, network: Network) -> Store:
        """Open or create; None: in memory.

        Raises:
            StoreError: The file is damaged, of another network or of a newer program.
        """
        return cls(open_store(path, network), path, network)

    def tip(self) -> BlockRef:
        """Remembered between writes: it is asked for with every message, and each question to SQLite
        gives the interpreter away to whoever is busy.
        """
        if self._tip is None:
            self._tip = super().tip()
        return self._tip

    def reader(self) -> Reader:
        """A view of what is committed, for one user on any one thread.

        Of a store in memory it is the same connection: for users on the store's own thread.
        """
        if self._path is None:
            return Reader(self._db, shared=True)
        return Reader(open_for_reading(self._path, self._network))

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """All or nothing of the writes within; ``keep`` False: nothing, a rehearsal."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT" if keep else "ROLLBACK")
            if not keep:
                self._pending = self._tip = None
        except BaseException:
            self._pending = self._tip = None
            if self._db.in_transaction:  # after some errors of the disk SQLite has done it already
                self._db.execute("ROLLBACK")
            raise

    def add_block(self, block: Block, status: Status) -> None:
        """Store a block on a stored parent."""
        self._db.execute(
            "INSERT INTO blocks (hash, number, parent_hash, status, raw) VALUES (?, ?, ?, ?, ?)",
            (block.hash, block.number, block.parent_hash, int(status), block.raw),
        )

    def connect(self, blocks: Iterable[tuple[Block, Mapping[bytes, Account]]]) -> None:
        """Append executed blocks, each with the accounts that it changed, to the canonical chain."""
        self._tip, db = None, self._db
        for block, accounts in blocks:
            number = block.number
            db.execute("UPDATE blocks SET status = 1 WHERE hash = ? AND status <> 1", (block.hash,))
            db.execute(
                "INSERT INTO canonical SELECT number, id FROM blocks WHERE hash = ?", (block.hash,)
            )
            db.executemany(
                "INSERT INTO accounts VALUES (?, ?, ?, ?)",
                [(address, number, a.balance, a.nonce) for address, a in accounts.items()],
            )
            db.executemany(
                "INSERT INTO transactions VALUES (?, ?, ?)",
                [(tx.id, number, position) for position, tx in enumerate(block.transactions)],
            )

    def disconnect_above(self, number: int) -> None:
        """Take the blocks above ``number`` off the canonical chain, with all that they did."""
        self._tip = None
        for statement in (
            "DELETE FROM canonical WHERE number > ?",
            "DELETE FROM accounts WHERE height > ?",
            "DELETE FROM transactions WHERE number > ?",
        ):
            self._db.execute(statement, (number,))

    def mark_invalid(self, block_hash: bytes) -> None:
        """Mark a block and all its stored descendants."""
        self._db.execute(
            """WITH RECURSIVE bad (hash, number) AS (
                SELECT hash, number FROM blocks WHERE hash = ?
                UNION ALL
                SELECT child.hash, child.number FROM bad JOIN blocks AS child
                ON child.number = bad.number + 1 AND child.parent_hash = bad.hash
                WHERE child.status <> 2)
            UPDATE blocks SET status = 2 WHERE hash IN (SELECT hash FROM bad)""",
            (block_hash,),
        )

    # -- the walk back's blocks -------------------------------------------------------------------

    def add_pending(self, block: Block) -> None:
        """Keep a block whose parent is unknown; one that is kept already stays as it is."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO pending (hash, number, parent_hash, raw) VALUES (?, ?, ?, ?)",
            (block.hash, block.number, block.parent_hash, block.raw),
        )
        self._count(cursor.rowcount)

    def pending_header(self, block_hash: bytes) -> Header | None:
        """A pending block without its transactions; None: it is not pending."""
        return _header(
            self._db.execute(
                "SELECT hash, number, parent_hash, 0 FROM pending WHERE hash = ?", (block_hash,)
            ).fetchone()
        )

    def is_awaited(self, block_hash: bytes) -> bool:
        """Whether a pending block stands on this one."""
        statement = "SELECT 1 FROM pending WHERE parent_hash = ?"
        return self._db.execute(statement, (block_hash,)).fetchone() is not None

    def pending_children(self, block_hash: bytes) -> tuple[Block, ...]:
        rows = self._db.execute("SELECT raw FROM pending WHERE parent_hash = ?", (block_hash,))
        return tuple(decode_stored(raw) for (raw,) in rows.fetchall())

    def pending_roots(self) -> tuple[bytes, ...]:
        """The pending blocks that stand on none: one for each line, the newest first.

        Looks at every pending block, about a second for a million: for the start of a node.
        """
        rows = self._db.execute(
            """SELECT hash FROM pending AS root
            WHERE NOT EXISTS (SELECT 1 FROM pending WHERE hash = root.parent_hash)
            ORDER BY id DESC"""
        )
        return tuple(block_hash for (block_hash,) in rows.fetchall())

    def pending_root(self, block_hash: bytes) -> Header | None:
        """The oldest pending ancestor of a pending block, possibly itself; None: it is not pending.

        Goes by parents alone: the numbers are what their makers wrote.
        """
        return _header(
            self._db.execute(
                """WITH RECURSIVE line (hash, number, parent_hash, depth) AS (
                    SELECT hash, number, parent_hash, 0 FROM pending WHERE hash = ?
                    UNION ALL
                    SELECT up.hash, up.number, up.parent_hash, depth + 1
                    FROM line JOIN pending AS up ON up.hash = line.parent_hash)
                SELECT hash, number, parent_hash, 0 FROM line ORDER BY depth DESC LIMIT 1""",
                (block_hash,),
            ).fetchone()
        )

    def pending_count(self) -> int:
        """How many are pending: counted once, then kept up to date."""
        if self._pending is None:
            (self._pending,) = self._db.execute("SELECT count(*) FROM pending").fetchone()
        return int(self._pending or 0)

    def line_length(self, root: bytes, at_most: int) -> int:
        """How many pending blocks a block and its descendants are, counted up to ``at_most``."""
        (length,) = self._db.execute(f"SELECT count(*) {_OF_LINE}", (root, at_most)).fetchone()
        return int(length)

    def remove_line(self, root: bytes) -> None:
        """Remove a pending block and all its pending descendants: 3.6 s for 200,000 of them."""
        self._count(-self._db.execute(f"DELETE {_OF_LINE}", (root, -1)).rowcount)

    def remove_pending(self, block_hashes: Iterable[bytes]) -> None:
        cursor = self._db.executemany(
            "DELETE FROM pending WHERE hash = ?", [(block_hash,) for block_hash in block_hashes]
        )
        self._count(-max(0, cursor.rowcount))

    def _count(self, change: int) -> None:
        if self._pending is not None:
            self._pending += change


def decode_stored(raw: bytes) -> Block:
    """The block of bytes that were checked before they were stored.

    Raises:
        StoreError: They are no block: the file is damaged.
    """
    block = decode_block(raw)
    if isinstance(block, Violation):
        message = "a stored block cannot be read: run `troupe verify`"
        raise StoreError(message)
    return block


def _header(row: tuple[bytes, int, bytes, int] | None) -> Header | None:
    return None if row is None else Header(row[0], row[1], row[2], Status(row[3]))
