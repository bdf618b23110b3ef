"""The walk back's part of the store: blocks that wait on disk until an ancestor is known.

None of them is in the tree. Must not live here: which of them is searched for next (`walkback`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from actors.chain.rows import decode_stored, header_of
from actors.chain.tree import Header
from actors.ledger.types import Block

_OF_LINE = """FROM pending WHERE id IN (
    WITH RECURSIVE line (id, hash) AS (
        SELECT id, hash FROM pending WHERE hash = ?
        UNION ALL
        SELECT child.id, child.hash
        FROM line JOIN pending AS child ON child.parent_hash = line.hash)
    SELECT id FROM line LIMIT ?)"""
"""A pending block and its pending descendants, at most so many (-1: all)."""


class Pending:
    """The statements about pending blocks. Writes belong inside a transaction of the store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._pending: int | None = None
        """How many blocks are pending; None: to be counted."""

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Transactions within reach the disk with the first one after them, and not each by itself.

        A crash of the node loses none, a power cut perhaps the newest of them: for what can be had again.
        """
        self._db.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._db.execute("PRAGMA synchronous = FULL")

    def add_pending(self, block: Block) -> None:
        """Keep a block whose parent is unknown; one that is kept already stays as it is."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO pending (hash, number, parent_hash, raw) VALUES (?, ?, ?, ?)",
            (block.hash, block.number, block.parent_hash, block.raw),
        )
        self._count_pending(cursor.rowcount)

    def pending_header(self, block_hash: bytes) -> Header | None:
        """A pending block without its transactions; None: it is not pending."""
        if not self.pending_count():
            return None  # it is asked with every orphan
        return header_of(
            self._db.execute(
                "SELECT hash, number, parent_hash, 0 FROM pending WHERE hash = ?", (block_hash,)
            ).fetchone()
        )

    def is_awaited(self, block_hash: bytes) -> bool:
        """Whether a pending block stands on this one."""
        statement = "SELECT 1 FROM pending WHERE parent_hash = ?"
        return self._db.execute(statement, (block_hash,)).fetchone() is not None

    def pending_children(self, block_hash: bytes) -> tuple[Block, ...]:
        rows = self._db.execute(
            "SELECT raw, hash FROM pending WHERE parent_hash = ?", (block_hash,)
        )
        return tuple(decode_stored(raw, pending_hash) for raw, pending_hash in rows.fetchall())

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
        return header_of(
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
        """Remove a pending block and all its pending descendants: some 13 us for each of them, 2.6 s for
        200,000, which took a proof of work each.
        """
        self._count_pending(-self._db.execute(f"DELETE {_OF_LINE}", (root, -1)).rowcount)

    def remove_pending(self, block_hashes: Iterable[bytes]) -> None:
        cursor = self._db.executemany(
            "DELETE FROM pending WHERE hash = ?", [(block_hash,) for block_hash in block_hashes]
        )
        self._count_pending(-max(0, cursor.rowcount))

    def _count_pending(self, change: int) -> None:
        if self._pending is not None:
            self._pending += change
