"""Files that are whole or not there at all, whatever happens while they are written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

PRIVATE_MODE = 0o600


def write_whole(path: Path, data: bytes, *, mode: int = PRIVATE_MODE, durable: bool = True) -> None:
    """Replace a file by a complete new one: written beside it, synced, renamed over it.

    Args:
        path: Its directory exists.
        data: All of the new content.
        mode: Who may read it.
        durable: False: it is not synced, which takes the disk's time. Until the system writes it some
            seconds later, a power cut may leave any content; the end of the process leaves it whole.

    Raises:
        OSError: the disk refused; the old file stands.
    """
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)  # left by a fall; a pipe of that name would have us wait
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)  # half of a file takes room that there is none of
        raise
    if durable:
        sync_directory(path.parent)


def read_whole(path: Path, limit_bytes: int) -> bytes:
    """All of a file; never waits, as a pipe of that name would.

    Raises:
        OSError: it cannot be read, is no file, or has more than ``limit_bytes``.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(None, "it is no file", str(path))
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise OSError(None, f"it has more than {limit_bytes} bytes", str(path))
    return data


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def sync_directory(path: Path) -> None:
    """The new name, too, is to survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
