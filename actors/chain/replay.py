"""The state executed again from genesis, block by block, on a scratch file.

For who needs a state that the store has not, or does not trust it. Bounded in memory, whatever the number
of accounts: what does not fit SQLite's cache goes to a file without a name, which is gone with its user.
Must not live here: where the blocks come from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from actors.chain.history import Version
from actors.chain.schema import StoreError
from actors.ledger.network import Network
from actors.ledger.state import Applied, SignatureKnown, apply_block
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block
from actors.ledger.violation import Violation

CACHE_KIB = 16 * 1024
"""As the store's own."""
FLUSH_ACCOUNTS = 16_384
"""Changed ones that are held, 5 MiB: most are changed more than once before they are written."""


class ScratchError(StoreError):
    """The scratch file cannot be had or written; nothing is wrong with the store."""


class Replay:
    """The accounts as of the block that was applied last; at first as of genesis. One thread."""

    def __init__(self, network: Network) -> None:
        """Begin with genesis.

        Raises:
            ScratchError: As the other methods, where temporary files have no room or no place.
        """
        self._network = network
        self.tip = network.genesis.ref
        self._fresh: dict[bytes, tuple[int, Account]] = {}
        """Height and value of what is not written yet, by address."""
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._db.execute("PRAGMA journal_mode = OFF")
        with _scratch():
            self._db.execute(
                """CREATE TABLE accounts (
                address BLOB PRIMARY KEY,
                height INTEGER NOT NULL,
                balance INTEGER NOT NULL,
                nonce INTEGER NOT NULL) WITHOUT ROWID"""
            )

    def close(self) -> None:
        self._db.close()

    def account(self, address: bytes) -> Account:
        """An ``AccountLookup``."""
        fresh = self._fresh.get(address)
        if fresh is not None:
            return fresh[1]
        row = self._db.execute(
            "SELECT balance, nonce FROM accounts WHERE address = ?", (address,)
        ).fetchone()
        return EMPTY_ACCOUNT if row is None else Account(*row)

    def apply(
        self, block: Block, signature_known: SignatureKnown | None = None
    ) -> Applied | Violation:
        """Execute the next block; a violation changes nothing. As ``apply_block``."""
        with _scratch():
            applied = apply_block(
                self._network, self.tip, self.account, block, signature_known=signature_known
            )
            if isinstance(applied, Applied):
                number = block.number
                self._fresh.update({a: (number, new) for a, new in applied.accounts.items()})
                if len(self._fresh) >= FLUSH_ACCOUNTS:
                    self._flush()
                self.tip = block.ref
            return applied

    def versions(self) -> Iterator[Version]:
        """Every account, with the height from which on it is so, by address."""
        with _scratch():
            self._flush()
            yield from self._db.execute(
                "SELECT address, height, balance, nonce FROM accounts ORDER BY address"
            )

    def _flush(self) -> None:
        rows = sorted(
            (a, n, account.balance, account.nonce) for a, (n, account) in self._fresh.items()
        )
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")
        self._fresh.clear()


@contextmanager
def _scratch() -> Iterator[None]:
    """Says of what SQLite cannot do within that it is not about the store."""
    try:
        yield
    except sqlite3.Error as error:
        message = (
            f"cannot execute the chain again on a scratch file: {error}; SQLITE_TMPDIR may name a"
            " place with more room"
        )
        raise ScratchError(message) from error
