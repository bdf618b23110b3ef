"""Where a few lines outlive the process: all of them in one file.

The file is written whole and put in place at once, so that a reader finds the old or the new one.
Must not live here: what a line means; what is read is judged anew by whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from actors.runtime.files import write_whole


class Journal(Protocol):
    """The capability to keep lines across a restart."""

    def load(self) -> list[bytes]:
        """The lines last saved; none if there never were any."""

    def save(self, lines: Iterable[bytes]) -> None:
        """Keep these lines instead of the former ones, or raise OSError and keep those."""


class FileJournal:
    """A journal in one file; its directory exists."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[bytes]:
        try:
            return self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []

    def save(self, lines: Iterable[bytes]) -> None:
        write_whole(self._path, b"".join(b"%b\n" % line for line in lines))
