"""The peers as what outlives an actor: who they are, and over which connections.

The next incarnation enters them into a table of its own, so nobody says hello again. The roll, which it calls
for and messaging tells whenever news may have been lost, brings the table into line with what there is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from actors.messaging.messages import Disconnect, LinksNow, OpenGate
from actors.peers.crawler import Crawler
from actors.peers.links import Links
from actors.peers.poison import Suspects
from actors.peers.table import PeerTable
from actors.runtime.address import Address
from actors.tcp.messages import CloseReason, Connected, ConnId


class Company:
    """The table and the open connections. Only who plays touches them, or who knows that nobody does."""

    def __init__(self) -> None:
        self.table = PeerTable()
        self.open: dict[ConnId, Connected] = {}
        self.suspects = Suspects()
        self.lives = 0
        """How many incarnations there were."""

    def clear(self) -> None:
        """Forget all: incarnations that went on with them kept failing. The roll ends their connections."""
        self.table, self.open = PeerTable(), {}

    def name_of(self, conn: ConnId) -> str:
        """Whose a connection is, for people; empty: nobody knows. Any thread: a look, no more."""
        peer, connected = self.table.peer_of(conn), self.open.get(conn)
        if peer is not None:
            return peer.id
        return "" if connected is None else connected.remote

    def adopt(self) -> tuple[PeerTable, dict[ConnId, Connected]]:
        """Table and connections of the next incarnation.

        A connection that we dialed and that is no link yet is forgotten: its dial ended with who dialed.
        """
        self.lives += 1
        self.table = self.table.again()
        self.open = {
            conn: connected
            for conn, connected in self.open.items()
            if not connected.initiated or self.table.peer_of(conn) is not None
        }
        return self.table, self.open


@dataclass(frozen=True, slots=True)
class Roll:
    """Brings what the room knows into line with which connections there are."""

    table: PeerTable
    links: Links
    crawler: Crawler
    messaging: Address[Disconnect | OpenGate]
    on_connected: Callable[[Connected], None]

    def answer(self, now: LinksNow) -> None:
        """Forget who is gone, greet who is new, and have all gates open that are to be."""
        there = {each.connected.conn for each in now.links}
        for connected in self.links:
            if connected.conn not in there:
                self.links.forget(connected.conn)
        for each in now.links:
            conn = each.connected.conn
            peer = self.table.peer_of(conn)
            if peer is not None:
                self.messaging.tell(OpenGate(conn, peer.id))
            elif each.peer:  # of somebody whom we do not know any more
                self.links.forget(conn)
                self.messaging.tell(Disconnect(conn, CloseReason.LOCAL))
            elif conn not in self.links and not self.crawler.uses(conn):
                self.on_connected(each.connected)
