"""Keeps the write-ahead log of the store short although somebody always reads.

SQLite begins its log anew when all of it is in the file and nobody reads from it. It never waits for that:
with readers who take turns without a pause the log would grow for ever, and each commit with it.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from actors.chain.schema import BUSY_TIMEOUT_S, LOG_LIMIT_BYTES, StoreError

log = logging.getLogger(__name__)

WAIT_S = 0.2
"""For whoever reads: as long as an answer takes at most. A backup reads for minutes and is not waited for."""
TRIES = 3
"""One may wait for a reader of an older commit, and miss the moment in which it begins to read anew; the next
finds it at the newest commit and waits for that answer alone."""


class Checkpoints:
    """Looks after each commit whether the log has grown too long. For the writer's thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        """Look after the log of the writer's ``connection`` to the store at ``path``; None: it has none."""
        self._db = connection
        # SQLite keeps the log beside the file itself, wherever a link to it lies.
        self._log = None if path is None else Path(f"{path.resolve()}-wal")
        self._limit_bytes = LOG_LIMIT_BYTES

    def after_commit(self) -> None:
        """Begin a long log anew, between two answers: from then on readers read from the file.

        If somebody reads for longer, or the file has no room, it is tried again when the log has grown by
        as much again. Never fails, whatever the disk does: the commit stands, and whoever made it goes on to
        tell.
        """
        if self._log is None:
            return
        try:
            size_bytes = self._log.stat().st_size
        except OSError:
            return  # whoever took it away: the next commit says so
        if size_bytes < self._limit_bytes:
            return
        self._wait_at_most(WAIT_S)
        try:
            is_new = any(self._begin_anew() for _ in range(TRIES))
        except (sqlite3.OperationalError, StoreError) as error:
            is_new = False
            log.warning("the log of the store cannot be taken up into its file: %s", error)
        finally:
            self._wait_at_most(BUSY_TIMEOUT_S)
        self._limit_bytes = LOG_LIMIT_BYTES + (0 if is_new else size_bytes)

    def _begin_anew(self) -> bool:
        (is_busy, _, _) = self._db.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchone()
        return not is_busy

    def _wait_at_most(self, seconds: float) -> None:
        self._db.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
