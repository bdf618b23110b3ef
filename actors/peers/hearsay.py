"""Lists of addresses that others tell: asked for, judged, and noted in the book.

Must not live here: what a list looks like (`addresses`), or who may tell what (`shares`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from actors.peers.addresses import host_of, is_peer_list, read_peer_list
from actors.peers.book import AddressBook
from actors.peers.links import Links
from actors.peers.messages import AddressSource, ConnectionMisbehaved, PeerId
from actors.peers.shares import may_tell, teller_of
from actors.peers.table import PeerTable
from actors.peers.warden import Warden
from actors.tcp.messages import ConnId

MALFORMED_LIST_POINTS = 5
"""WIRE: limits, peer list."""


@dataclass(frozen=True, slots=True)
class Hearsay:
    """Takes lists up, each on the account of whose it is; ``request`` asks the node at a connection for its."""

    table: PeerTable
    links: Links
    book: AddressBook
    warden: Warden
    request: Callable[[ConnId], None]

    def ask(self, conn: ConnId) -> None:
        """A request that every node answers: a sign of life, and news for the book."""
        if self.table.peer_of(conn) is not None:
            self.request(conn)

    def answered(self, conn: ConnId, payload: bytes) -> None:
        """Ours write sound lists; the field passes on whatever the hellos of its peers said."""
        peer = self.table.peer_of(conn)
        self.note(conn, PeerId("") if peer is None else peer.id, payload)
        if not is_peer_list(payload):
            reason = "a malformed peer list"
            self.warden.connection_misbehaved(
                ConnectionMisbehaved(conn, MALFORMED_LIST_POINTS, reason, ours_only=True)
            )

    def note(self, conn: ConnId, peer: PeerId, payload: bytes) -> None:
        """Take up a list, as far as who sent it can know, on the account of his network."""
        if conn in self.links:
            host = host_of(self.links[conn].remote)
            told = (each for each in read_peer_list(payload) if may_tell(each, host))
            self.book.add(told, AddressSource.PEER_LIST, teller_of(peer, host))
