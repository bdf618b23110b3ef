"""The address book's place on the disk.

Lives here: when the book is read and written. Must not live here: what it holds (`book`).
"""

from __future__ import annotations

import logging

from actors.peers.book import AddressBook
from actors.runtime.clock import Clock
from actors.runtime.journal import Journal

log = logging.getLogger(__name__)

SAVE_EVERY_S = 30.0
"""To lose half a minute costs a few dials; a write of the largest book takes some milliseconds."""


class Shelf:
    """Keeps a book across a restart. Its writes do not wait for the disk: a book can be lost."""

    def __init__(self, book: AddressBook, journal: Journal, clock: Clock) -> None:
        self._book, self._journal, self._clock = book, journal, clock
        self._saved_changes = book.changes
        self._saved_s = clock.now_s() - SAVE_EVERY_S
        self._failed = False

    def load(self) -> None:
        """Read what was saved; a damaged or unreadable book is one of the addresses that are told us."""
        lines = self._journal.load()
        bad = self._book.load(lines, now_s=self._clock.now_s(), wall_s=self._clock.wall_s())
        self._journal.refused(bad)
        if lines:
            log.info("%d addresses are known from before", len(lines) - bad)

    def save_if_due(self) -> None:
        """Save what changed, unless the last time is not long ago."""
        if self._clock.now_s() - self._saved_s >= SAVE_EVERY_S:
            self.save_if_changed()

    def save_if_changed(self) -> None:
        """A full disk costs what a restart would forget; it is told once."""
        if self._book.changes == self._saved_changes:
            return
        now_s = self._saved_s = self._clock.now_s()
        lines = self._book.lines(now_s=now_s, wall_s=self._clock.wall_s())
        try:
            self._journal.save(lines, durable=False)
        except OSError as error:
            if not self._failed:
                log.error("the address book could not be saved: %s", error)  # noqa: TRY400 - no bug of ours
            self._failed = True
        else:
            self._failed = False
            self._saved_changes = self._book.changes
