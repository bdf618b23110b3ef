"""Files that are whole or not there at all, whatever happens while they are written."""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE_MODE = 0o600


def write_whole(path: Path, data: bytes, *, mode: int = PRIVATE_MODE) -> None:
    """Replace a file by a complete new one: written beside it, synced, renamed over it.

    Raises:
        OSError: the disk refused; the old file stands.
    """
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """The new name, too, is to survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
