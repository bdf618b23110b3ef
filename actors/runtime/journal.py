"""Where a few lines outlive the process: all of them in one file.

The file is written whole and put in place at once, so that a reader finds the old or the new one. Nothing
that it holds is worth a node that does not start: a file that cannot be read is as good as none, is put aside
for its owner, and the log names it. Must not live here: what a line means; what is read is judged anew by whoever wrote it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from actors.runtime.files import read_whole, write_whole

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024
"""Ten times the largest that is ever written, a full mempool of the longest transactions."""


UNREADABLE = ".unreadable"
"""Behind the name of a file that was put aside."""


class Journal(Protocol):
    """The capability to keep lines across a restart."""

    def load(self) -> list[bytes]:
        """The lines last saved; none if there never were any, or none that can be read."""

    def refused(self, bad: int) -> None:
        """So many of the lines loaded make no sense: told to the operator, unless there are none."""

    def save(self, lines: Iterable[bytes], *, durable: bool = True) -> None:
        """Keep these lines instead of the former ones, or raise OSError and keep those.

        What is not ``durable`` does not wait for the disk, and a power cut soon after may cost it.
        """


class FileJournal:
    """A journal in one file; its directory exists."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[bytes]:
        try:
            return read_whole(self._path, MAX_BYTES).splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            log.error("cannot read %s, going on without: %s", self._path, error.strerror)  # noqa: TRY400 - no bug of ours
            self._put_aside()
            return []

    def _put_aside(self) -> None:
        """Out of the way of what is saved next: one of them is kept, the last."""
        aside = self._path.with_name(self._path.name + UNREADABLE)
        try:
            self._path.replace(aside)
        except OSError as error:
            log.warning("%s stays where it is: %s", self._path, error.strerror)
        else:
            log.warning("what cannot be read is kept as %s", aside)

    def refused(self, bad: int) -> None:
        if bad:
            log.warning("%d lines of %s make no sense and are left out", bad, self._path)

    def save(self, lines: Iterable[bytes], *, durable: bool = True) -> None:
        write_whole(self._path, b"".join(b"%b\n" % line for line in lines), durable=durable)
