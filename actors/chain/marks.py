"""The store's part about blocks that are not to be followed: by a rule, or by the operator's word.

A rule speaks for good. The operator's mark is on one block, goes for all that stand on it, also for what
comes later, and can be taken back. Must not live here: what becomes of the tip (`importer`).
"""

from __future__ import annotations

import sqlite3

from actors.chain.rows import header_of
from actors.chain.tree import Header

_SET_STATUS = """WITH RECURSIVE found (hash, number) AS (
    SELECT hash, number FROM blocks WHERE hash = :block AND status IN {statuses}
    UNION ALL
    SELECT child.hash, child.number FROM found JOIN blocks AS child
    ON child.number = found.number + 1 AND child.parent_hash = found.hash
    WHERE child.status IN {statuses} {but})
UPDATE blocks SET status = {to} WHERE hash IN (SELECT hash FROM found)"""
"""Of a block and its descendants, as far down as they are of these statuses, one after the other."""
_BREAK = _SET_STATUS.format(statuses="(0, 1, 3, 4)", but="", to="2")
_INVALIDATE = _SET_STATUS.format(statuses="(0, 1)", but="", to="status + 3")
_RECONSIDER = _SET_STATUS.format(
    statuses="(3, 4)",
    but="AND NOT EXISTS (SELECT 1 FROM invalidated WHERE invalidated.hash = child.hash)",
    to="status - 3",
)


class Marks:
    """The statements about marks. Writes belong inside a transaction of the store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def mark_invalid(self, block_hash: bytes) -> None:
        """Mark a block that breaks a rule, and all its stored descendants."""
        self._db.execute(_BREAK, {"block": block_hash})

    def is_marked(self, block_hash: bytes) -> bool:
        """Whether the operator's mark is on this very block."""
        statement = "SELECT 1 FROM invalidated WHERE hash = ?"
        return self._db.execute(statement, (block_hash,)).fetchone() is not None

    def invalidate(self, block_hash: bytes) -> None:
        """Put the operator's mark on a block: it and its descendants are not followed any more.

        Marks are as bounded as blocks are: each is on a stored one.
        """
        self._db.execute("INSERT INTO invalidated VALUES (?)", (block_hash,))
        self._db.execute(_INVALIDATE, {"block": block_hash})

    def has_mark(self, block_hash: bytes) -> bool:
        """Whether the operator's mark is on a block or on one of its ancestors."""
        return bool(self._marks_below(block_hash))

    def reconsider(self, block_hash: bytes) -> None:
        """Take back the marks on a block and on its ancestors.

        A descendant that has a mark of its own stays as it is, with what stands on it.
        """
        marked = self._marks_below(block_hash)
        self._db.executemany("DELETE FROM invalidated WHERE hash = ?", [(m,) for m in marked])
        self._db.executemany(_RECONSIDER, [{"block": mark} for mark in marked])

    def highest_invalidated(self) -> Header | None:
        """The highest block that is not followed by the operator's word."""
        return header_of(
            self._db.execute(
                """SELECT hash, number, parent_hash, status FROM blocks
                WHERE status IN (3, 4) ORDER BY number DESC LIMIT 1"""
            ).fetchone()
        )

    def _marks_below(self, block_hash: bytes) -> tuple[bytes, ...]:
        """Marked: the block, and its ancestors as far as they are not followed."""
        rows = self._db.execute(
            """WITH RECURSIVE down (hash, parent_hash) AS (
                SELECT hash, parent_hash FROM blocks WHERE hash = ?
                UNION ALL
                SELECT parent.hash, parent.parent_hash
                FROM down JOIN blocks AS parent ON parent.hash = down.parent_hash
                WHERE parent.status NOT IN (0, 1))
            SELECT hash FROM down JOIN invalidated USING (hash)""",
            (block_hash,),
        )
        return tuple(mark for (mark,) in rows.fetchall())
