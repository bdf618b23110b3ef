"""Hellos and questions for our peers, from whoever connected (WIRE: peers).

Order is what matters here. Our answer to a hello goes out first, since the other side drops what comes
before it; then the rooms are told of the peer; then messaging opens its gate, so that nothing of a peer
reaches a room that does not know it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

from actors.messaging.messages import (
    Done,
    Inbound,
    MessageType,
    MessagingCommand,
    OpenGate,
    Respond,
    RespondBatch,
)
from actors.peers.addresses import MAX_LIST_SENT, host_of, parse_address, write_peer_list
from actors.peers.book import AddressBook
from actors.peers.bouncer import Bouncer
from actors.peers.crawler import GET_PEERS
from actors.peers.dialer import Dialer
from actors.peers.links import Links
from actors.peers.messages import AddressSource, PeerId
from actors.peers.shares import may_tell, teller_of
from actors.peers.slots import Seats
from actors.peers.table import PeerTable
from actors.runtime.address import Address
from actors.tcp.messages import CloseReason, ConnId

log = logging.getLogger(__name__)

HELLO = "p2p:hello"
ACCEPTED = b"\x01"
REJECTED = b"\x00"


class Greeter:
    """Decides who is let into the table."""

    def __init__(
        self,
        *,
        own: PeerId,
        table: PeerTable,
        links: Links,
        book: AddressBook,
        bouncer: Bouncer,
        dialer: Dialer,
        seats: Seats,
        messaging: Address[MessagingCommand],
        close_later: Callable[[ConnId], None],
        rng: random.Random,
    ) -> None:
        self._own, self._table, self._links, self._book = own, table, links, book
        self._bouncer, self._dialer, self._seats = bouncer, dialer, seats
        self._messaging, self._close_later, self._rng = messaging, close_later, rng
        self._lingering: set[ConnId] = set()  # rejected dialers, each with its timer

    def received(self, messages: tuple[Inbound, ...]) -> None:
        """Answer a batch of one connection."""
        conn = messages[0].conn
        if conn not in self._links:
            return  # closing or gone: nothing waits for an answer, nothing more shall be read
        unanswered, asking = 0, list[int]()
        request = MessageType.REQUEST  # once: a look-up in its class takes longer than the rest
        for message in messages:
            _, type_, message_id, kind, _ = message
            if type_ is request and kind == GET_PEERS:
                asking.append(message_id)
            elif type_ is request and kind == HELLO:
                self._on_hello(message)
            else:
                unanswered += 1
        if asking:
            listed = self._list_for(conn)
            answers = tuple((message_id, listed) for message_id in asking)
            self._messaging.tell(RespondBatch(conn, answers))
        if unanswered:
            self._messaging.tell(Done(conn, unanswered, useless=unanswered))

    def lingered(self, conn: ConnId) -> None:
        """A rejected dialer had its time to leave."""
        self._lingering.discard(conn)
        if self._table.peer_of(conn) is None:  # a later incarnation may have accepted it
            self._links.close(conn, CloseReason.REJECTED)

    def _on_hello(self, hello: Inbound) -> None:
        """Always answer, at once (WIRE: nodes in the field, 2)."""
        if self._table.peer_of(hello.conn) is not None:
            self._respond(hello, ACCEPTED)  # said before: the first one counts
        elif hello.conn in self._lingering:
            self._respond(hello, REJECTED)  # as well: to see who gives way costs a look at all
        elif (admitted := self._admit(hello.conn, hello.payload)) is not None:
            peer, listed = admitted
            # The answer goes first: gossip of ours that overtakes it is dropped (the same place, 7).
            self._respond(hello, ACCEPTED, peer)
            self._links.link(hello.conn, peer, listed=listed)
            self._messaging.tell(OpenGate(hello.conn, peer))
        else:
            self._respond(hello, REJECTED)
            if not self._links[hello.conn].initiated:
                self._lingering.add(hello.conn)
                self._close_later(hello.conn)

    def _admit(self, conn: ConnId, payload: bytes) -> tuple[PeerId, bool] | None:
        """Which peer the hello makes of the connection, and whether others are told of it; None: it
        is rejected.
        """
        connected = self._links[conn]
        claimed = parse_address(payload.decode("ascii", "replace"))
        if claimed == self._own:
            self._dialer.note_own_hello()
        if claimed is None or claimed == self._own or connected.initiated:
            log.debug("connection %d: hello without use", conn)
            return None
        if self._bouncer.is_banned(claimed):
            return None
        peer = self._table.identify(claimed, connected.remote)
        if not self._seats.is_free(peer, connected.remote):
            leaving = self._seats.gives_way(peer, connected.remote)
            if leaving is None:
                return None
            self._links.drop(leaving, CloseReason.EVICTED)
        host = host_of(connected.remote)
        listed = peer == claimed and may_tell(claimed, host)
        if listed:
            self._book.add((claimed,), AddressSource.HELLO, teller_of(claimed, host))
        return peer, listed

    def _respond(self, hello: Inbound, verdict: bytes, asker: PeerId | None = None) -> None:
        listed = self._list_for(hello.conn, asker)
        self._messaging.tell(Respond(hello.conn, hello.message_id, verdict + listed))

    def _list_for(self, conn: ConnId, asker: PeerId | None = None) -> bytes:
        """Our peer list, for a peer or one about to be; nobody is told of itself.

        Of more peers than it holds the first is drawn, or nobody would ever hear of the later ones.
        """
        if asker is None and (peer := self._table.peer_of(conn)) is not None:
            asker = peer.id
        peers = len(self._table)
        first = self._rng.randrange(peers) if peers > MAX_LIST_SENT else 0
        return write_peer_list(self._table.addresses_for(asker, first))
