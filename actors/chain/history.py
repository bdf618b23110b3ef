"""The store's part about old account versions: how far back the accounts can be asked for.

With a history of N blocks they can be as of the newest N: a version is deleted once a later one of its
account is as old as the oldest of these. The blocks themselves are all kept. Must not live here: the
statements that add versions (`store`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from actors.chain.rows import decode_stored
from actors.chain.schema import REMEDY, StoreError
from actors.config import MIN_KEEP_HISTORY
from actors.ledger.state import touched_addresses

STEP_VERSIONS = 20_000
"""Looked at in one transaction while an old chain's history is shortened: some 50 ms, and 2 MiB of log."""

Version = tuple[bytes, int, int, int]
"""Address, height, balance and nonce: an account from that height on."""

_NEXT_STEP = """SELECT min(address) FROM accounts WHERE address > (
    SELECT address FROM accounts WHERE address >= ? ORDER BY address LIMIT 1 OFFSET ?)"""
_DELETE_SUPERSEDED = """DELETE FROM accounts WHERE address >= :first AND {until} height < (
    SELECT max(height) FROM accounts AS newer
    WHERE newer.address = accounts.address AND newer.height <= :start)"""


def require_history(keep: int) -> None:
    """See that a length of the history makes sense; 0: all is kept.

    Raises:
        StoreError: It does not.
    """
    if keep != 0 and keep < MIN_KEEP_HISTORY:
        message = (
            f"a history of {keep} blocks is too short:"
            f" keep at least {MIN_KEEP_HISTORY}, or 0 to keep all"
        )
        raise StoreError(message)


def history_start(connection: sqlite3.Connection) -> int:
    """The oldest block as of which accounts can be asked for.

    Raises:
        StoreError: What is noted of it makes no sense: the file is damaged.
    """
    row = connection.execute("SELECT value FROM meta WHERE key = 'history'").fetchone()
    with _understood("where the history of accounts begins"):
        return 0 if row is None else int(row[0])


def shortened_to(connection: sqlite3.Connection) -> bytes | None:
    """The address that shortening the history goes on with; None: none is under way.

    Raises:
        StoreError: As :func:`history_start`.
    """
    row = connection.execute("SELECT value FROM meta WHERE key = 'pruning'").fetchone()
    with _understood("how far the history of accounts is shortened"):
        return None if row is None else bytes.fromhex(row[0])


class History:
    """The statements about history. Writes belong inside a transaction of the store."""

    def __init__(self, connection: sqlite3.Connection, keep: int) -> None:
        """Keep the versions that the newest ``keep`` blocks need; 0: all."""
        self._db, self._keep = connection, keep
        self._start: int | None = None
        """Where the history begins; None: to be asked for."""

    def history_start(self) -> int:
        """The oldest block as of which accounts can be asked for: remembered between writes."""
        if self._start is None:
            self._start = history_start(self._db)
        return self._start

    def forget_history(self, tip: int) -> None:
        """Delete what is superfluous now that the canonical chain has grown to block ``tip``.

        Costs what the blocks did that the history ends with: as many as the chain has grown by.
        """
        begin, start = self.history_start(), tip - self._keep
        if not self._keep or start <= begin:
            return
        newest: dict[bytes, int] = {}
        rows = self._db.execute(
            "SELECT canonical.number, raw, hash FROM canonical JOIN blocks ON id = block"
            " WHERE canonical.number > ? AND canonical.number <= ? ORDER BY canonical.number",
            (begin, start),
        )
        for number, raw, block_hash in rows:
            block = decode_stored(raw, block_hash)  # another block's accounts must not be deleted
            newest.update(dict.fromkeys(touched_addresses(block), number))
        self._db.executemany(
            "DELETE FROM accounts WHERE address = ? AND height < ?", sorted(newest.items())
        )
        self._begin_history(start)

    def shorten_history(self, tip: int) -> bool:
        """One step of bringing a chain whose history is longer to what is kept; whether it was the last.

        A second for some 300,000 versions. What is cut off between two steps goes on at the next start: no
        answer depends on it, the history begins where it will in the end.
        """
        begin, start = self.history_start(), tip - self._keep
        first = shortened_to(self._db)
        if not self._keep or (start <= begin and first is None):
            return True
        if start > begin:
            first = b""
            self._begin_history(start)
        (end,) = self._db.execute(_NEXT_STEP, (first, STEP_VERSIONS)).fetchone()
        self._db.execute(
            _DELETE_SUPERSEDED.format(until="" if end is None else "address < :end AND"),
            {"first": first, "end": end, "start": self.history_start()},
        )
        if end is None:
            self._db.execute("DELETE FROM meta WHERE key = 'pruning'")
        else:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('pruning', ?)", (end.hex(),))
        return end is None

    def replace_versions(self, versions: Iterable[Version], start: int) -> None:
        """Have these versions, the state as of block ``start``, and no history before it."""
        self._db.execute("DELETE FROM accounts")
        self._db.executemany("INSERT INTO accounts VALUES (?, ?, ?, ?)", versions)
        self._db.execute("DELETE FROM meta WHERE key = 'pruning'")
        self._begin_history(start)

    def _begin_history(self, start: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('history', ?)", (str(start),))
        self._start = start


@contextmanager
def _understood(what: str) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        message = f"{what} cannot be read: {REMEDY}"
        raise StoreError(message) from error
