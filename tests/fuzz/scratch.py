"""A folder for targets that read files: in memory where the system has such a place, and gone in the end."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

MEMORY = Path("/dev/shm")
PLACE = "TMPDIR"
"""The variable that says where it is, instead."""


def temporary() -> TemporaryDirectory[str]:
    """A new folder, for as long as it is entered or its process lasts."""
    in_memory = MEMORY if MEMORY.is_dir() and PLACE not in os.environ else None
    return TemporaryDirectory(prefix="troupe-fuzz-", dir=in_memory)


_own = cache(temporary)


def folder() -> Path:
    """This process's own."""
    return Path(_own().name)


def file_of(name: str, data: bytes) -> Path:
    """A file of these bytes, instead of the one that had its name."""
    path = folder() / name
    path.write_bytes(data)
    return path
