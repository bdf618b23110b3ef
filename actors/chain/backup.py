"""A copy of the store that is whole or not there: drafted beside its place, checked, then named.

Restoring is putting the copy into a data directory as ``chain.db``.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from actors.chain.schema import StoreError, open_for_reading
from actors.chain.store import Reader
from actors.chain.verify import INTERRUPT_EVERY_STEPS
from actors.ledger.network import Network
from actors.ledger.types import BlockRef
from actors.runtime.files import PRIVATE_MODE, sync_directory

STEP_PAGES = 256
"""1 MiB of the usual pages: what is copied between two looks at whether to go on."""
DRAFT_SUFFIX = ".draft"
"""What a killed node leaves of a backup ends so, and is of no use."""

_READ_BACK = ("-journal", "-wal")
"""How the files end that SQLite reads back into whatever has taken the name of their database."""

CopyProgress = Callable[[int, int], None]
"""Called with bytes done and in all; what it raises ends the copying."""


class BackupError(Exception):
    """No backup was made; the text is one sentence without a full stop for its user."""


class BackupExistsError(BackupError):
    """There is a file of that name, or what SQLite left of one; it stands."""


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """A private file beside ``target`` that takes its name at the end, if nothing was raised.

    Raises:
        BackupError: the directory cannot be written, or has no room.
        BackupExistsError: the name is taken.
    """
    for taken in (target, *(Path(f"{target}{end}") for end in _READ_BACK)):
        if os.path.lexists(taken):
            raise _exists(taken)
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f"{target.name}.", suffix=DRAFT_SUFFIX, dir=target.parent
        )
    except OSError as error:
        message = f"cannot write to {target.parent}: {error.strerror}"
        raise BackupError(message) from error
    os.close(descriptor)
    draft = Path(name)
    try:
        yield draft
        _publish(draft, target)
    finally:
        for beside in (draft, *(Path(name + end) for end in ("-journal", "-wal", "-shm"))):
            beside.unlink(missing_ok=True)


def copy_store(
    source: Path,
    draft: Path,
    network: Network,
    progress: CopyProgress,
    ended: Callable[[], bool] = lambda: False,
) -> None:
    """Copy one snapshot of a store that may be written meanwhile, and check what SQLite can.

    Args:
        source: The store.
        draft: An empty file.
        network: The store's.
        progress: Told after each step.
        ended: Whether to give up: asked often while the copy is checked.

    Raises:
        BackupError: it cannot be read, there is no room for it, or the copy is not sound.
    """
    try:
        with closing(open_for_reading(source, network)) as reading:
            # With its snapshot held, writers do not make it begin anew.
            reading.execute("BEGIN")
            Reader(reading).tip()
            _copy(reading, draft, progress)
        fault = quick_check(draft, ended)
    except (sqlite3.Error, StoreError) as error:
        message = f"cannot copy the chain to {draft.parent}: {error}"
        raise BackupError(message) from error
    if fault is not None:
        message = f"the copy is not sound ({fault}): run `troupe verify` on the data directory"
        raise BackupError(message)


def tip_of(path: Path, network: Network) -> BlockRef:
    """The tip of a store."""
    with closing(open_for_reading(path, network)) as reading:
        return Reader(reading).tip()


def quick_check(path: Path, ended: Callable[[], bool] = lambda: False) -> str | None:
    """What SQLite finds wrong with a file; None: nothing. ``ended``: as of :func:`copy_store`.

    Raises:
        sqlite3.Error: It is no database at all, or ``ended``.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(ended, INTERRUPT_EVERY_STEPS)
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    return None if verdict == "ok" else str(verdict)


def _copy(reading: sqlite3.Connection, draft: Path, progress: CopyProgress) -> None:
    (page_bytes,) = reading.execute("PRAGMA page_size").fetchone()

    def on_step(_status: int, remaining: int, total: int) -> None:
        progress((total - remaining) * page_bytes, total * page_bytes)

    with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
        reading.backup(copy, pages=STEP_PAGES, progress=on_step)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, complete without another beside it


def _publish(draft: Path, target: Path) -> None:
    """Name the draft, never over another file: the name is taken first, and only by whoever is first."""
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE))
        draft.replace(target)
        sync_directory(target.parent)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        message = f"cannot write {target}: {error.strerror}"
        raise BackupError(message) from error


def _exists(target: Path) -> BackupExistsError:
    return BackupExistsError(f"{target} exists already and is never overwritten")
