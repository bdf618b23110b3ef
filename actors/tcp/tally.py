"""What the tcp room counts: connections that came and went, dials, and what passed. Pure.

An open connection counts its own bytes; here they are added when it is gone, and when somebody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from actors.config import TcpSettings
from actors.tcp.connection import Connection
from actors.tcp.messages import CloseReason, TransportInfo


class Tally:
    """Counts since the actor began."""

    def __init__(self) -> None:
        self.accepted = self.dialed = self.refused = self.failed_dials = 0
        self._ended: Counter[CloseReason] = Counter()
        self._received_bytes = self._sent_bytes = 0
        self._received_frames = self._sent_frames = 0

    def left(self, connection: Connection, reason: CloseReason) -> None:
        """A connection is gone."""
        self._ended[reason] += 1
        self._received_bytes += connection.received_bytes
        self._sent_bytes += connection.outbox.sent_bytes
        self._received_frames += connection.received_frames
        self._sent_frames += connection.sent_frames

    def info(
        self,
        limits: TcpSettings,
        connections: Collection[Connection],
        *,
        dialing: int,
        accepting: bool,
    ) -> TransportInfo:
        """The counts, those of the open connections included."""
        return TransportInfo(
            limits=limits,
            connections=tuple(Counter(each.state for each in connections).items()),
            dialing=dialing,
            accepting=accepting,
            accepted=self.accepted,
            dialed=self.dialed,
            refused=self.refused,
            failed_dials=self.failed_dials,
            ended=tuple(self._ended.items()),
            received_bytes=self._received_bytes + sum(each.received_bytes for each in connections),
            sent_bytes=self._sent_bytes + sum(each.outbox.sent_bytes for each in connections),
            received_frames=self._received_frames
            + sum(each.received_frames for each in connections),
            sent_frames=self._sent_frames + sum(each.sent_frames for each in connections),
            unsent_bytes=sum(each.outbox.unsent_bytes for each in connections),
            held_bytes=sum(each.held_bytes for each in connections),
        )
