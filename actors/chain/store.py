"""The chain on disk: blocks, the canonical chain, versioned accounts, and the walk back's blocks.

The statements about blocks that are not followed stand in `marks`, those about the walk back's blocks in
`pending`, those about old account versions in `history`, the questions in `reading`, all others here. Each
method costs what its block or its question costs, however long the chain is; of the chain, only some
accounts are kept in memory. Must not live here: what a block has to fulfil, or which branch is canonical
(`tree`, `importer`).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from actors.chain.accounts import RecentAccounts
from actors.chain.checkpoints import Checkpoints
from actors.chain.history import History, Version, require_history
from actors.chain.marks import Marks
from actors.chain.pending import Pending
from actors.chain.reading import ON_CHAIN, Reader, TransactionPlace
from actors.chain.rows import decode_stored
from actors.chain.schema import (
    DoubtfulCommitError,
    StoreError,
    UnwritableError,
    open_for_reading,
    open_store,
    raise_damaged,
    raise_unwritable,
)
from actors.chain.tree import Header, Status
from actors.ledger.network import Network
from actors.ledger.state import touched_addresses
from actors.ledger.types import Account, Block, BlockRef

__all__ = ["Reader", "Store", "StoreError", "TransactionPlace", "decode_stored"]

log = logging.getLogger(__name__)

TRIAL_BYTES = 64 * 1024
"""Written to see whether there is room: what a small block needs with its log, a few pages of each index."""

MAX_REMEMBERED_HEADERS = 4_096
"""A megabyte, and more than all peers together say of blocks between two that are stored."""

Executed = tuple[Block, Mapping[bytes, Account]]
"""A valid block, and the accounts that it changed."""


class Store(History, Reader, Marks, Pending):
    """The one writer of a chain. Writes belong inside ``with store.transaction():``."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path | None, network: Network, keep_history: int
    ) -> None:
        Reader.__init__(self, connection)
        Pending.__init__(self, connection)
        History.__init__(self, connection, keep_history)
        self._path, self._network = path, network
        self._tip: BlockRef | None = None
        self._headers: dict[bytes, Header | None] = {}
        self._side_blocks: int | None = None
        self._accounts = RecentAccounts()
        self._checkpoints = Checkpoints(connection, path)

    @classmethod
    def open(cls, path: Path | None, network: Network, *, keep_history: int = 0) -> Store:
        """Open or create, and delete what an older chain has beyond the history that is kept.

        Args:
            path: The file; None: in memory.
            network: Whose chain it is.
            keep_history: As of how many of the newest blocks accounts can be asked for; 0: of all.

        Raises:
            StoreError: The file is damaged, of another network or of a newer program, or cannot be
                written; or the history is too short.
        """
        require_history(keep_history)
        store = cls(open_store(path, network), path, network, keep_history)
        try:
            store.catch_up_history()
        except BaseException as error:
            store.close()
            if isinstance(error, sqlite3.Error):
                message = f"cannot shorten the history of accounts in {path}: {error}"
                raise StoreError(message) from error
            raise
        return store

    def catch_up_history(self) -> None:
        """Bring the history to the length that is kept, in transactions of bounded size.

        A disk that takes nothing is no reason to serve nobody: then all that is there is kept until the next
        start. To make up for it block by block would mean one transaction of unbounded size.
        """
        before, done = self.history_start(), not self._keep
        try:
            while not done:
                with self.transaction():
                    done = self.shorten_history(self.tip().number)
        except UnwritableError as error:
            self._keep = 0
            log.warning(
                "the history of accounts stays as long as it is until the next start: %s", error
            )
        if self.history_start() != before:
            log.info("accounts are kept as of block %d and later", self.history_start())

    def tip(self) -> BlockRef:
        """Remembered between writes: it is asked for with every message, and each question to SQLite
        gives the interpreter away to whoever is busy.
        """
        if self._tip is None:
            self._tip = super().tip()
        return self._tip

    def header(self, block_hash: bytes) -> Header | None:
        """Remembered between writes, as the tip is, and also that there is none: of one block and its parent it
        is asked for several times, and whoever sends blocks that stand on nothing sends them again.
        """
        if self._db.in_transaction:
            return super().header(block_hash)
        if block_hash not in self._headers:
            if len(self._headers) >= MAX_REMEMBERED_HEADERS:
                self._headers.clear()
            self._headers[block_hash] = super().header(block_hash)
        return self._headers[block_hash]

    def side_blocks(self) -> int:
        """Remembered between writes: whoever looks at the node asks for it."""
        if self._db.in_transaction:
            return super().side_blocks()
        if self._side_blocks is None:
            self._side_blocks = super().side_blocks()
        return self._side_blocks

    def account(self, address: bytes) -> Account:
        """The account at the tip, remembered between writes: an ``AccountLookup``."""
        account = self._accounts.get(address)
        if account is None:
            account = super().account(address)
            self._accounts.put({address: account})
        return account

    def reader(self) -> Reader:
        """A view of what is committed, for one user on any one thread.

        Of a store in memory it is the same connection: for users on the store's own thread.
        """
        if self._path is None:
            return Reader(self._db, shared=True)
        return Reader(open_for_reading(self._path, self._network))

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """All or nothing of the writes within; ``keep`` False: nothing, a rehearsal.

        Raises:
            UnwritableError: Nothing of it was done: the disk is full or fails, or the file is held.
            StoreError: Nothing of it was done, and the file is damaged.
            DoubtfulCommitError: It is not known whether anything of it was done.
            sqlite3.Error: A bug.
        """
        tip, is_ending = self.tip(), False
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._headers.clear()
            self._side_blocks = None
            yield
            is_ending = True
            self._end(keep=keep)
            if not keep:
                self._forget()
        except BaseException as error:
            self._forget()
            if self._db.in_transaction:  # after some errors of the disk SQLite has done it already
                self._db.execute("ROLLBACK")
            if not is_ending:
                self._tip = tip
            if isinstance(error, sqlite3.DatabaseError):
                raise_damaged(self._db, error)
                if not self._is_still(tip):
                    raise DoubtfulCommitError(str(error)) from error
                raise_unwritable(self._db, error)
            raise
        self._checkpoints.after_commit()

    def _is_still(self, tip: BlockRef) -> bool:
        try:
            return self.tip() == tip
        except (sqlite3.Error, StoreError):
            return False

    def _end(self, *, keep: bool) -> None:
        """End a transaction. A simulated disk fails here: raising before, it is one that is full, raising
        after, one that has kept what it says it has not (``sqlite3.OperationalError`` with an errorcode).
        """
        self._db.execute("COMMIT" if keep else "ROLLBACK")

    def require_room(self) -> None:
        """Write something of no meaning, to see whether the disk takes it.

        Raises:
            StoreError: As of :meth:`transaction`.
        """
        with self.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO meta VALUES ('trial', ?)", (bytes(TRIAL_BYTES),)
            )
        with self.transaction():
            self._db.execute("DELETE FROM meta WHERE key = 'trial'")

    def take_up_log(self) -> None:
        """Have all of the store in its file, for whoever gives that another name: to close it fails silently.

        Raises:
            UnwritableError: There is no room for it.
        """
        try:
            self._db.execute("PRAGMA wal_checkpoint (TRUNCATE)")
        except sqlite3.DatabaseError as error:
            raise_unwritable(self._db, error)
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

    def extend(self, run: Sequence[Executed]) -> None:
        """Store executed blocks that stand on the tip, one on the other, and append them to the chain.

        None of them is stored yet. A few statements, however many blocks.
        """
        db, tip = self._db, self.tip()
        (last,) = db.execute("SELECT max(id) FROM blocks").fetchone()
        numbered = [(block_id, block) for block_id, (block, _) in enumerate(run, last + 1)]
        db.executemany(
            "INSERT INTO blocks VALUES (?, ?, ?, ?, 1, ?)",
            [(i, block.hash, block.number, block.parent_hash, block.raw) for i, block in numbered],
        )
        db.execute(
            "DELETE FROM tips WHERE number = :tip"
            " AND block = (SELECT block FROM canonical WHERE number = :tip)",
            {"tip": tip.number},
        )
        head_id, head = numbered[-1]
        db.execute("INSERT INTO tips VALUES (?, ?)", (head.number, head_id))
        db.executemany(
            "INSERT INTO canonical VALUES (?, ?)", [(block.number, i) for i, block in numbered]
        )
        self._append(run)

    def connect(self, run: Sequence[Executed]) -> None:
        """Append executed blocks, which are stored, to the canonical chain."""
        hashes = [(block.hash,) for block, _ in run]
        self._db.executemany("UPDATE blocks SET status = 1 WHERE hash = ? AND status <> 1", hashes)
        self._db.executemany(
            "INSERT INTO canonical SELECT number, id FROM blocks WHERE hash = ?", hashes
        )
        self._append(run)

    def _append(self, run: Sequence[Executed]) -> None:
        """Add what blocks do that are canonical now. In the order of keys, so that a page that takes several
        is come to once.
        """
        versions = [
            (address, block.number, account.balance, account.nonce)
            for block, accounts in run
            for address, account in accounts.items()
        ]
        self._db.executemany("INSERT INTO accounts VALUES (?, ?, ?, ?)", sorted(versions))
        places = [
            (transaction.id, block.number, position)
            for block, _ in run
            for position, transaction in enumerate(block.transactions)
        ]
        self._db.executemany("INSERT INTO transactions VALUES (?, ?, ?)", sorted(places))
        for _, accounts in run:
            self._accounts.put(accounts)
        self._tip = run[-1][0].ref
        self.forget_history(self._tip.number)

    def disconnect_above(
        self, number: int, versions: Iterable[Version] | None = None
    ) -> tuple[Block, ...]:
        """Take the blocks above ``number`` off the canonical chain, with all that they did.

        Args:
            number: Of the new tip; not below ``history_start`` unless there are ``versions``.
            versions: The state as of the new tip, executed anew.

        Returns:
            The blocks, newest first.
        """
        db = self._db
        rows = db.execute(
            f"SELECT raw, hash {ON_CHAIN} WHERE canonical.number > ? ORDER BY canonical.number DESC",
            (number,),
        )
        blocks = tuple(decode_stored(raw, block_hash) for raw, block_hash in rows)
        self._tip = None
        self._accounts.clear()
        db.execute("DELETE FROM canonical WHERE number > ?", (number,))
        db.executemany(
            "DELETE FROM transactions WHERE id = ?",
            sorted((transaction.id,) for block in blocks for transaction in block.transactions),
        )
        if versions is not None:
            self.replace_versions(versions, number)
            return blocks
        touched = {address for block in blocks for address in touched_addresses(block)}
        db.executemany(
            "DELETE FROM accounts WHERE address = ? AND height > ?",
            sorted((address, number) for address in touched),
        )
        return blocks

    def _forget(self) -> None:
        """Remember nothing: what was done since the transaction began is undone."""
        self._pending = self._tip = self._start = None
        self._accounts.clear()
