"""Connections and the links that they become, as the rooms are told of them.

Lives here: which connections are open, and the end of one with all that follows from it. Must not live
here: hellos (`actor`), or which address is which peer (`table`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from actors.messaging.messages import Disconnect
from actors.peers.bans import host_target
from actors.peers.book import REST_S, AddressBook
from actors.peers.dialer import Dialer
from actors.peers.messages import (
    BanTarget,
    ConnectOutcome,
    LinksReset,
    PeerEvent,
    PeerId,
    PeerLinked,
    PeerUnlinked,
)
from actors.peers.table import Link, PeerTable
from actors.runtime.address import Address
from actors.runtime.clock import Clock
from actors.runtime.events import Happened
from actors.runtime.restraint import Restraint
from actors.tcp.messages import CloseReason, Connected, ConnId

log = logging.getLogger(__name__)

COMINGS_AT_ONCE, COMINGS_PER_S = 200, 1.0
"""Lines about connections that come, and about those that go: a node of 80 in peace has none left out. Whoever
comes and goes without end writes 10 MiB a day."""

MAX_LEFT = 1_024
"""Connections that are over, of which something may still be found out: what waits in the house comes from
fewer."""


class Links:
    """The open connections; the only teller of links."""

    def __init__(
        self,
        *,
        table: PeerTable,
        book: AddressBook,
        dialer: Dialer,
        end_dial: Callable[[int, ConnectOutcome], None],
        messaging: Address[Disconnect],
        rooms: Sequence[Address[PeerEvent]],
        events: Address[Happened],
        clock: Clock,
        connections: dict[ConnId, Connected],
    ) -> None:
        self._table, self._book, self._dialer, self._end_dial = table, book, dialer, end_dial
        self._messaging, self._rooms, self._events = messaging, tuple(rooms), events
        self._coming = Restraint(log, rate=COMINGS_PER_S, burst=COMINGS_AT_ONCE)
        self._going = Restraint(log, rate=COMINGS_PER_S, burst=COMINGS_AT_ONCE)
        self._clock = clock
        self._open = connections  # tcp bounds them
        self._left: dict[ConnId, BanTarget | None] = {}

    def __contains__(self, conn: ConnId) -> bool:
        return conn in self._open

    def __getitem__(self, conn: ConnId) -> Connected:
        return self._open[conn]

    def __iter__(self) -> Iterator[Connected]:
        return iter(tuple(self._open.values()))

    def begin(self) -> None:
        """Whatever an earlier incarnation told, these are the links."""
        for room in self._rooms:
            self.resync(room)

    def opened(self, connected: Connected) -> None:
        self._open[connected.conn] = connected

    def forget(self, conn: ConnId) -> bool:
        """A connection is over, and so are its link and its dial; False: it was before."""
        if conn not in self._open:
            return False
        self._note_left(conn)
        connected = self._open.pop(conn)
        self._unlink(conn)
        if connected.token is not None:
            self._end_dial(connected.token, ConnectOutcome.NO_ANSWER)
        return True

    def close(self, conn: ConnId, reason: CloseReason) -> bool:
        """Part with a connection now; that tcp still writes what was sent is its own business.

        Returns False when it was closed before.
        """
        if not self.forget(conn):
            return False
        self._messaging.tell(Disconnect(conn, reason))
        return True

    def drop(self, peer_id: PeerId, reason: CloseReason) -> bool:
        """Close every connection of a peer, the outbound one last, and leave its address alone."""
        peer = self._table.get(peer_id)
        if peer is None:
            return False
        for link in reversed(peer.links):
            self.close(link.conn, reason)
        # A claimant's misdeeds are not the owner's.
        if peer.verified or reason is CloseReason.LOCAL:
            self._book.rest(peer_id, self._clock.now_s() + REST_S)
        return True

    def link(self, conn: ConnId, peer: PeerId, *, listed: bool) -> None:
        """The hello on a connection is accepted: it is a link of this peer from now on."""
        connected = self._open[conn]
        for event in self._table.release(peer, connected.remote):
            self._announce(event)
        link = Link(conn, connected.remote, connected.initiated)
        linked = self._table.link(peer, link, listed=listed, now_s=self._clock.now_s())
        told, now_s = (conn, peer, len(self._table)), self._clock.now_s()
        self._coming.info(now_s, "connection %d to peer %s (%d peers)", *told)
        self._announce(linked)

    def resync(self, room: Address[PeerEvent]) -> None:
        """Tell a room the links as they are."""
        links = tuple(self._table.links())
        room.tell(LinksReset(links))
        for link in links:
            room.tell(link)

    def culprit_of(self, conn: ConnId) -> BanTarget | None:
        """What is banned for what came on a connection, also when it is over; None: that cannot be."""
        connected = self._open.get(conn)
        if connected is None:
            return self._left.get(conn)
        peer = self._table.peer_of(conn)
        return peer.culprit if peer is not None else host_target(connected.remote)

    def _note_left(self, conn: ConnId) -> None:
        self._left[conn] = self.culprit_of(conn)
        if len(self._left) > MAX_LEFT:
            del self._left[next(iter(self._left))]

    def _unlink(self, conn: ConnId) -> None:
        peer = self._table.unlink(conn)
        if peer is None:
            return
        outbound = peer.outbound if peer.links else None
        told, now_s = (conn, peer.id, len(self._table)), self._clock.now_s()
        self._going.info(now_s, "connection %d to peer %s is gone (%d peers)", *told)
        self._announce(PeerUnlinked(peer.id, conn, outbound))
        if outbound is None and peer.verified:  # that a claimant left says nothing of the address
            now_s = self._clock.now_s()
            self._dialer.lost(peer.id, now_s, lasted_s=now_s - peer.since_s)

    def _announce(self, event: PeerLinked | PeerUnlinked) -> None:
        for room in self._rooms:
            room.tell(event)
        self._events.tell(Happened(event))
