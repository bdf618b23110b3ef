"""The questions that the store answers, to its writer and beside it.

Each costs what it asks for, however long the chain is. Must not live here: what writes (`store`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from actors.chain.history import history_start
from actors.chain.locator import MAX_LOCATOR_HASHES
from actors.chain.messages import TipCursor
from actors.chain.rows import account_of, checked_raw, decode_stored, header_of, numbers_of
from actors.chain.schema import REMEDY, StoreError, raise_damaged
from actors.chain.tree import Header
from actors.ledger.types import Account, Block, BlockRef

ON_CHAIN = "FROM canonical JOIN blocks ON blocks.id = block"
_NEWEST_CANONICAL = tuple(
    f"""SELECT max(blocks.number) FROM blocks
    JOIN canonical ON canonical.number = blocks.number AND block = blocks.id
    WHERE hash IN ({", ".join("?" * count)})"""  # noqa: S608 - places for values, no values
    for count in range(MAX_LOCATOR_HASHES + 1)
)
"""By how many hashes are looked up."""


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

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is asked within is answered as of one commit: the newest when the first is asked.

        Ends with the block: a snapshot that is held keeps the WAL from being taken up into the file. A
        shared connection has no snapshots: what is asked on the writer's thread is asked between its
        transactions.
        """
        if self._shared:
            yield
            return
        self._db.execute("BEGIN")
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise_damaged(self._db, error)
            raise
        finally:
            if self._db.in_transaction:  # after some errors of the disk SQLite has ended it already
                self._db.execute("ROLLBACK")

    # -- the canonical chain ----------------------------------------------------------------------

    def tip(self) -> BlockRef:
        row = self._db.execute(
            f"SELECT canonical.number, hash {ON_CHAIN} ORDER BY canonical.number DESC LIMIT 1"
        ).fetchone()
        return BlockRef(*row)

    def hash_at(self, number: int) -> bytes | None:
        """The canonical block of this number, at most 2^63 - 1."""
        row = self._db.execute(
            f"SELECT hash {ON_CHAIN} WHERE canonical.number = ?", (number,)
        ).fetchone()
        return None if row is None else row[0]

    def is_canonical(self, ref: BlockRef) -> bool:
        return self.hash_at(ref.number) == ref.hash

    def newest_canonical(self, hashes: Sequence[bytes]) -> int | None:
        """The highest number of a canonical block among these, at most ``MAX_LOCATOR_HASHES``; None: none
        of them is one.
        """
        (number,) = self._db.execute(_NEWEST_CANONICAL[len(hashes)], hashes).fetchone()
        return None if number is None else int(number)

    def canonical_raws(self, first: int, last: int) -> Iterator[bytes]:
        """The bytes of the canonical blocks ``first`` to ``last``, read as they are asked for.

        Raises:
            StoreError: They are not those that were stored: the file is damaged.
        """
        rows = self._db.execute(
            f"SELECT raw, hash {ON_CHAIN} WHERE canonical.number BETWEEN ? AND ?"
            " ORDER BY canonical.number",
            (first, last),
        )
        try:
            for raw, block_hash in rows:
                yield checked_raw(raw, block_hash)
        except sqlite3.DatabaseError as error:
            raise_damaged(self._db, error)
            raise

    def transaction_place(self, transaction_id: bytes) -> TransactionPlace | None:
        row = self._db.execute(
            "SELECT number, position FROM transactions WHERE id = ?", (transaction_id,)
        ).fetchone()
        return None if row is None else TransactionPlace(*numbers_of(row, "a stored place"))

    # -- accounts ---------------------------------------------------------------------------------

    def account(self, address: bytes) -> Account:
        """The account at the tip: an ``AccountLookup``."""
        row = self._db.execute(
            "SELECT balance, nonce FROM accounts WHERE address = ? ORDER BY height DESC LIMIT 1",
            (address,),
        ).fetchone()
        return account_of(row)

    def history_start(self) -> int:
        """The oldest block as of which accounts can be asked for: 0 unless a part of them was deleted."""
        return history_start(self._db)

    def account_at(self, address: bytes, height: int) -> Account:
        """The account as of the canonical block ``height``.

        Below ``history_start`` it may be that as of ``history_start``: then that is as far as is known.
        """
        row = self._db.execute(
            "SELECT balance, nonce FROM accounts WHERE address = ? AND height <= ?"
            " ORDER BY height DESC LIMIT 1",
            (address, height),
        ).fetchone()
        if row is None and height < (start := self.history_start()):
            return self.account_at(address, start)
        return account_of(row)

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
        """The bytes of a stored block.

        Raises:
            StoreError: They are not those that were stored: the file is damaged.
        """
        row = self._raw_row(block_hash)
        return None if row is None else checked_raw(row[0], block_hash)

    def block(self, block_hash: bytes) -> Block | None:
        """The stored block.

        Raises:
            StoreError: As for :meth:`raw`.
        """
        row = self._raw_row(block_hash)
        return None if row is None else decode_stored(row[0], block_hash)

    def _raw_row(self, block_hash: bytes) -> tuple[bytes] | None:
        found: tuple[bytes] | None = self._db.execute(
            "SELECT raw FROM blocks WHERE hash = ?", (block_hash,)
        ).fetchone()
        return found

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
        if head is None:  # genesis is one
            message = f"no stored block can be followed: {REMEDY}"
            raise StoreError(message)
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
        found = ((at, header_of(row)) for at, *row in rows.fetchall())
        return [(TipCursor(header.number, at), header) for at, header in found if header]

    def side_blocks(self) -> int:
        """How many stored blocks are not canonical: ids have no gaps, as no block is ever deleted."""
        (blocks,) = self._db.execute("SELECT max(id) FROM blocks").fetchone()
        (number,) = self._db.execute("SELECT max(number) FROM canonical").fetchone()
        return int(blocks) - int(number) - 1
