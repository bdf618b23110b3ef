"""The chain on disk: blocks, the canonical chain, versioned accounts, and the walk back's blocks.

The statements about blocks that are not followed stand in `marks`, those about the walk back's blocks in
`pending`, all others here. Each method costs what its block or its question costs, however long the chain
is; nothing of the chain is kept in memory. Must not live here: what a block has to fulfil, or which
branch is canonical (`tree`, `importer`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from actors.chain.marks import Marks
from actors.chain.messages import TipCursor
from actors.chain.pending import Pending
from actors.chain.rows import decode_stored, header_of
from actors.chain.schema import StoreError, open_for_reading, open_store
from actors.chain.tree import Header, Status
from actors.ledger.network import Network
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block, BlockRef

__all__ = ["Reader", "Store", "StoreError", "decode_stored"]

_ON_CHAIN = "FROM canonical JOIN blocks ON blocks.id = block"


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

    def addresses(self, start: bytes, limit: int) -> list[bytes]:
        """Addresses that any canonical block changed, by their bytes, from ``start`` on, at most so many.

        Goes from one to the next: how many versions an account has makes no difference.
        """
        rows = self._db.execute(
            """WITH RECURSIVE seen (address) AS (
                SELECT min(address) FROM accounts WHERE address >= ?
                UNION ALL
                SELECT (SELECT min(address) FROM accounts WHERE address > seen.address)
                FROM seen WHERE seen.address IS NOT NULL)
            SELECT address FROM seen WHERE address IS NOT NULL LIMIT ?""",
            (start, limit),
        )
        return [address for (address,) in rows.fetchall()]

    # -- blocks of any connected branch -----------------------------------------------------------

    def header(self, block_hash: bytes) -> Header | None:
        row = self._db.execute(
            "SELECT hash, number, parent_hash, status FROM blocks WHERE hash = ?", (block_hash,)
        ).fetchone()
        return header_of(row)

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
        """The head of the longest branch that may be followed, the first seen of equals."""
        head = header_of(
            self._db.execute(
                """SELECT hash, number, parent_hash, status FROM blocks
                WHERE status IN (0, 1) AND number = max(
                    (SELECT max(number) FROM blocks WHERE status = 1),
                    (SELECT coalesce(max(number), 0) FROM blocks WHERE status = 0))
                ORDER BY id LIMIT 1"""
            ).fetchone()
        )
        assert head is not None, "genesis is always valid"
        return head

    def tips(self, start: TipCursor | None, limit: int) -> list[tuple[TipCursor, Header]]:
        """The blocks that no other stands on, and the canonical tip, highest and newest first.

        Looks at the place of every one of them: each cost its maker a proof of work.

        Args:
            start: The first one to return; None: begin with the highest.
            limit: At most so many.
        """
        rows = self._db.execute(
            """WITH ends (number, block) AS (
                SELECT number, block FROM tips UNION SELECT * FROM
                    (SELECT number, block FROM canonical ORDER BY number DESC LIMIT 1))
            SELECT id, hash, blocks.number, parent_hash, status FROM ends JOIN blocks ON id = block
            WHERE :number IS NULL OR (ends.number, block) <= (:number, :arrival)
            ORDER BY ends.number DESC, block DESC LIMIT :limit""",
            {
                "number": None if start is None else start.number,
                "arrival": None if start is None else start.arrival,
                "limit": limit,
            },
        )
        return [
            (TipCursor(number, at), Header(block_hash, number, parent_hash, Status(status)))
            for at, block_hash, number, parent_hash, status in rows.fetchall()
        ]

    def side_blocks(self) -> int:
        """How many stored blocks are not canonical: ids have no gaps, as no block is ever deleted."""
        (blocks,) = self._db.execute("SELECT max(id) FROM blocks").fetchone()
        (number,) = self._db.execute("SELECT max(number) FROM canonical").fetchone()
        return int(blocks) - int(number) - 1


class Store(Reader, Marks, Pending):
    """The one writer of a chain. Writes belong inside ``with store.transaction():``."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None, network: Network) -> None:
        Reader.__init__(self, connection)
        Pending.__init__(self, connection)
        self._path, self._network = path, network
        self._tip: BlockRef | None = None

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
        cursor = self._db.execute(
            "INSERT INTO blocks (hash, number, parent_hash, status, raw) VALUES (?, ?, ?, ?, ?)",
            (block.hash, block.number, block.parent_hash, int(status), block.raw),
        )
        self._db.execute("INSERT INTO tips VALUES (?, ?)", (block.number, cursor.lastrowid))
        self._db.execute(
            "DELETE FROM tips WHERE number = ? AND block = (SELECT id FROM blocks WHERE hash = ?)",
            (block.number - 1, block.parent_hash),
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
