"""While the store takes no blocks: who is told, what is kept for later, and when it is tried again.

It may be full, fail, or be damaged; what could not be written left no trace in it. The room goes on with all
that needs no writing. Must not live here: what goes on when it is over (`intake`, `actor`).
"""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actors.chain.messages import StoreFault
from actors.chain.orphans import Orphan
from actors.chain.room import Room
from actors.chain.schema import DoubtfulCommitError, StoreError, is_of_disk, unreadable
from actors.ledger.state import check_header
from actors.runtime.supervisor import Ailing

log = logging.getLogger(__name__)

FIRST_RETRY_S = 1.0
"""A log that is rotated makes room at once."""
LAST_RETRY_S = 60.0
"""Each further try waits twice as long as the one before, and no longer than this: it costs a small write, and
whoever made room does not want to wait."""
MAX_KEPT = 16
"""Blocks of at most 1 MiB that came meanwhile: our own miner's, which nobody else has, and the newest gossiped
ones, after which an old node is silent until there is another. All that is below them is asked for again."""


class Outage:
    """Whether there is one, and what was not lost to it."""

    def __init__(self, room: Room, try_again: Callable[[float], None]) -> None:
        """``try_again`` is called with the seconds after which the next try is due, once for each try."""
        self._network, self._to, self._clock = room.network, room.to, room.clock
        self._name = room.me.name
        self._try_again = try_again
        self._kept: deque[Orphan] = deque()
        self._told: str | None = None
        """The reason that was told last; it stands until the store has taken something."""
        self._retry_s = FIRST_RETRY_S
        self._ended_s = self._clock.now_s() - LAST_RETRY_S
        self.is_on = False
        """Whether to leave the store alone until the next try."""

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Within, the store is written and read: if it takes or gives nothing, the rest is left out, and an
        outage begins.
        """
        try:
            yield
        except (StoreError, sqlite3.DatabaseError) as error:
            is_doubtful = isinstance(error, DoubtfulCommitError)
            if is_doubtful or not (isinstance(error, StoreError) or is_of_disk(error)):
                raise
            self._begin(str(unreadable(error)))

    def _begin(self, reason: str) -> None:
        if self._told is None and self._clock.now_s() - self._ended_s >= LAST_RETRY_S:
            self._retry_s = FIRST_RETRY_S
        if reason != self._told:
            log.error("no block can be stored, mining pauses: %s", reason)
            self._told = reason
            self._to.supervisor.tell(Ailing(self._name, reason))
            self._to.miner.tell(StoreFault(reason))
        if not self.is_on:
            self.is_on = True
            self._try_again(self._retry_s)
            self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)

    def keep(self, held: Orphan) -> None:
        """Hold a block until the store takes it, in place of the oldest gossiped one if there are too many.

        Our own come one at a time, as the miner pauses: they are never displaced, by gossip least of all.
        """
        if held.block.hash in {kept.block.hash for kept in self._kept}:
            return
        if check_header(self._network, held.block) is not None:
            return  # to hold it shall cost its maker a proof of work
        if len(self._kept) == MAX_KEPT:
            gossiped = next((kept for kept in self._kept if kept.peer is not None), None)
            if gossiped is None:
                return
            self._kept.remove(gossiped)
        self._kept.append(held)

    def begin_try(self) -> tuple[Orphan, ...]:
        """The store may be written from now on, to see whether it can be; returns what is to be taken first."""
        self.is_on = False
        kept = tuple(self._kept)
        self._kept.clear()
        return kept

    def end(self) -> None:
        """It took something."""
        if self._told is not None:
            log.info("blocks can be stored again")
            self._told = None
            self._ended_s = self._clock.now_s()
            self._to.supervisor.tell(Ailing(self._name, None))
            self._to.miner.tell(StoreFault(None))
