"""What all connections together may hold of the process's memory (WIRE: limits; a host has to have so much).

Each may hold a share of what is free (dynamic thresholds, as switches divide a common buffer): while little is
held a share is more than any connection can use; the more is held the smaller it is, so that whoever holds
most is read no further, and whoever says little goes on as ever. Pure, but for connections, of which it reads
what they hold. Must not live here: the limits of one connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from actors.config import TcpSettings
from actors.tcp.connection import Connection

SHARE_PARTS = 8
"""A connection may hold one of so many parts of what is free. One alone may hold a ninth of all, by default
6 MiB: twice what its own limits let come in."""
LEAST_SHARE_BYTES = 4 * 1024
"""Small talk is read whatever others hold: of 2,000 connections that is 8 MiB."""
KEPT_PARTS = 8
"""One of so many parts of the budget is kept for frames above their share, as many at a time as it holds:
where all send a large block at once, each has its turn, and none waits for all others to give up."""
CALM_PARTS = 2
"""While one of so many parts of what is shared is free, nobody is asked what he holds: each one's own limits do."""
RESUMED_AT_ONCE = 16
"""Connections looked at again in one pass of the loop, oldest pause first."""


class Budget:
    """Keeps count of what is held; each operation costs the same however many connections there are."""

    def __init__(self, settings: TcpSettings, connections: Iterable[Connection] = ()) -> None:
        self._limit_bytes = settings.buffer_limit_bytes
        kept_bytes = self._limit_bytes // KEPT_PARTS
        self._shared_bytes = self._limit_bytes - kept_bytes
        self._calm_bytes = self._shared_bytes // CALM_PARTS
        self._most_patrons = max(1, kept_bytes // settings.frame_limit_bytes)
        self.held_bytes = 0
        self._patrons: dict[Connection, int] = {}  # each by the frames that it had sent before
        self._paused: dict[Connection, None] = {}
        for connection in connections:
            connection.counted_bytes = 0
            self.count(connection)

    @property
    def is_short(self) -> bool:
        """Whether somebody waits for room, or must go."""
        return bool(self._paused) or self.held_bytes > self._limit_bytes

    def count(self, connection: Connection) -> None:
        """Note what a connection holds now, whatever happened to it."""
        self.held_bytes += connection.held_bytes - connection.counted_bytes
        connection.counted_bytes = connection.held_bytes

    def leave(self, connection: Connection) -> None:
        """A connection is gone."""
        self.held_bytes -= connection.counted_bytes
        self._patrons.pop(connection, None)
        self._paused.pop(connection, None)

    def room_for(self, connection: Connection) -> int:
        """How many bytes may be read of a connection now; 0: it is to be paused, and will be resumed."""
        free_bytes = self._shared_bytes - self.held_bytes
        if free_bytes > self._calm_bytes:
            return free_bytes
        room_bytes = max(LEAST_SHARE_BYTES, free_bytes // SHARE_PARTS) - connection.counted_bytes
        if room_bytes <= 0 and not self._is_patron(connection):
            self._paused[connection] = None
            return 0
        return max(room_bytes, LEAST_SHARE_BYTES)

    def resume(self) -> list[Connection]:
        """Some that were paused, to be asked about again."""
        resumed = list(islice(self._paused, RESUMED_AT_ONCE))
        for connection in resumed:
            del self._paused[connection]
        return resumed

    def greediest(self, connections: Iterable[Connection]) -> Connection | None:
        """Who must go, because more is held than there may be; None: nobody."""
        if self.held_bytes <= self._limit_bytes:
            return None
        return max(connections, key=lambda each: each.counted_bytes, default=None)

    def _is_patron(self, connection: Connection) -> bool:
        """Whether it may go on for the sake of its unfinished frame, which is all that it holds."""
        patrons = self._patrons
        for each in [each for each, sent in patrons.items() if sent != each.received_frames]:
            del patrons[each]  # its frame is through, and it may never ask again
        if connection in patrons:
            return True
        if len(patrons) >= self._most_patrons or not connection.is_within_frame:
            return False
        patrons[connection] = connection.received_frames
        return True
