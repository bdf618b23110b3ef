"""A look at the whole file of the store, beside the node that has just begun.

A start itself looks at what it stands on (`schema`), which takes no time; the rest of the file takes a second
for some 100 MB from a fast disk, and no start waits for that. Finds what SQLite can tell of its pages; what is
in them, `verify` tells. The thread lets go of the interpreter all the while.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from actors.chain.schema import REMEDY, StoreError, open_to_look

log = logging.getLogger(__name__)

JOIN_S = 10.0
"""SQLite looks up between two trees of the file at the latest: a tenth of a second for 25 MB from a fast disk.
Who ends a node with gigabytes on a slow one waits no longer; the thread goes with the process."""
INTERRUPT_EVERY_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class FoundDamaged:
    """The file of the store is damaged: a sentence for people. Tell."""

    reason: str


class Checkup:
    """One look, on a thread of its own, which ends by itself or with :meth:`close`. Any thread."""

    def __init__(self, path: Path, tell: Callable[[FoundDamaged], None]) -> None:
        """Begin at once; ``tell`` is called, on the thread, if there is damage."""
        self._path, self._tell = path, tell
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="troupe-checkup", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give up, if it is not done."""
        self._ended.set()
        self._thread.join(JOIN_S)

    def wait(self, timeout_s: float) -> bool:
        """Whether it is done by then."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _look(self) -> None:
        try:
            complaint = self._complaint()
        except sqlite3.OperationalError as error:
            if not self._ended.is_set():
                log.warning("the file of the chain could not be looked through: %s", error)
            return
        except StoreError as error:
            self._tell(FoundDamaged(str(error)))
            return
        if complaint is not None:
            self._tell(FoundDamaged(f"{self._path} is damaged ({complaint}): {REMEDY}"))

    def _complaint(self) -> str | None:
        """The first thing that SQLite finds wrong; None: nothing."""
        with closing(open_to_look(self._path)) as connection:
            connection.set_progress_handler(self._ended.is_set, INTERRUPT_EVERY_STEPS)
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        return None if verdict == "ok" else str(verdict)
