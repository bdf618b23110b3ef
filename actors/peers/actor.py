"""The peers actor: says and answers hellos, tells the rooms who is a peer, keeps the number of peers.

Order is what matters here. Our answer to a hello goes out first, since the other side drops what comes
before it; then the rooms are told of the peer; then messaging opens its gate, so that nothing of a peer
reaches a room that does not know it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from actors.config import PeersSettings
from actors.messaging.messages import (
    Disconnect,
    Done,
    Inbound,
    MessageType,
    MessagingCommand,
    OpenGate,
    Received,
    Respond,
    RespondBatch,
    Response,
    SendRequest,
)
from actors.peers.addresses import parse_address, read_peer_list, require_address, write_peer_list
from actors.peers.book import AddressBook
from actors.peers.dialer import REST_S, Dialer
from actors.peers.messages import (
    Classify,
    ConnectOutcome,
    ConnectPeer,
    DisconnectPeer,
    DropPeer,
    LinksReset,
    ListPeers,
    PeerEvent,
    PeerId,
    PeerLinked,
    PeersCommand,
    PeerUnlinked,
    Resync,
)
from actors.peers.table import Link, PeerTable
from actors.runtime.actor import NodeActor
from actors.runtime.address import ActorDownError, Address
from actors.runtime.clock import Clock
from actors.runtime.events import Happened
from actors.tcp.messages import (
    CloseReason,
    Connect,
    Connected,
    ConnectFailed,
    ConnId,
    Disconnected,
    Idle,
    LinkEvent,
)

log = logging.getLogger(__name__)

HELLO = "p2p:hello"
GET_PEERS = "p2p:get_peers"
ACCEPTED = b"\x01"
REJECTED = b"\x00"

HELLO_ANSWER_S = 10.0
"""WIRE: messages, the time that a response has."""


@dataclass(frozen=True, slots=True)
class _Maintain:
    """Compare the number of peers with what is wanted. Tell."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class _Seek:
    """The back-off of some address is over. Tell."""


@dataclass(frozen=True, slots=True)
class _Linger:
    """A rejected dialer had its time to leave. Tell."""

    conn: ConnId


PeersTimer = _Maintain | _Seek | _Linger
PeersInput = PeersCommand | LinkEvent | Received | Response | PeersTimer


class PeersActor(NodeActor):
    """Keeps the peer table; the only teller of links."""

    def __init__(
        self,
        *,
        settings: PeersSettings,
        me: Address[PeersInput],
        tcp: Address[Connect],
        messaging: Address[MessagingCommand],
        rooms: Sequence[Address[PeerEvent]],
        events: Address[Happened],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        """Raises ValueError where the settings hold an address that is none."""
        super().__init__()
        self._settings, self._me, self._messaging = settings, me, messaging
        self._rooms, self._events, self._clock, self._rng = tuple(rooms), events, clock, rng
        self._own = require_address(settings.advertise)
        self._bootstrap = tuple(map(require_address, settings.bootstrap))
        self._open: dict[ConnId, Connected] = {}  # tcp bounds the connections
        self._lingering: set[ConnId] = set()  # rejected dialers, each with its timer
        # Tokens and timers of an earlier incarnation may still arrive: ours differ from them.
        self._incarnation = rng.getrandbits(62)
        self._table = PeerTable()
        self._book = AddressBook(
            own=self._own,
            bootstrap=self._bootstrap,
            capacity=settings.known_addresses,
            redial_first_s=settings.redial_first_s,
            redial_most_s=settings.redial_most_s,
            rng=rng,
        )
        self._dialer = Dialer(
            own=self._own,
            table=self._table,
            book=self._book,
            tcp=tcp,
            seek_after=lambda delay_s: self._tell_after(delay_s, _Seek()),
            tokens_after=self._incarnation,
        )

    def on_start(self) -> None:
        for room in self._rooms:
            room.tell(LinksReset())
        self._maintain()

    def on_stop(self) -> None:
        self._dialer.abandon(ActorDownError(self.box.name))

    def on_crash(self) -> None:
        self._dialer.abandon(ActorDownError(self.box.name))

    def on_receive(self, message: PeersInput) -> object:
        match message:
            case Received(messages):
                self._on_received(messages)
            case Connected():
                self._on_connected(message)
            case Disconnected(conn):
                self._forget(conn)
            case ConnectFailed(token):
                self._end_dial(token, ConnectOutcome.UNREACHABLE)
            case Idle(conn):
                self._ask_for_peers(conn)
            case Response(token, conn, payload):
                self._on_response(token, conn, payload)
            case _Maintain() | _Seek() | _Linger():
                self._on_timer(message)
            case _:
                return self._on_command(message)
        return None

    def _on_command(self, command: PeersCommand) -> object:
        match command:
            case ConnectPeer(address):
                return self._dialer.connect(address, self.defer)
            case DisconnectPeer(peer):
                return self._drop(peer, CloseReason.LOCAL)
            case DropPeer(peer, reason):
                self._drop(peer, reason)
            case Classify():
                self._table.classify(command)
            case ListPeers():
                return tuple(peer.info(self._clock.now_s()) for peer in self._table)
            case Resync(reply_to):
                links = tuple(self._table.links())
                reply_to.tell(LinksReset(links))
                for link in links:
                    reply_to.tell(link)
            case _:
                assert_never(command)
        return None

    def _on_timer(self, timer: PeersTimer) -> None:
        match timer:
            case _Maintain(incarnation):
                if incarnation == self._incarnation:
                    self._maintain()
            case _Seek():
                self._seek()
            case _Linger(conn):
                if self._table.peer_of(conn) is None:
                    self._close(conn, CloseReason.REJECTED)
            case _:
                assert_never(timer)

    # -- connections --------------------------------------------------------------------------

    def _on_connected(self, connected: Connected) -> None:
        conn = connected.conn
        dial = self._dialer.get(connected.token)
        if connected.initiated and dial is None:  # an earlier incarnation's
            self._messaging.tell(Disconnect(conn, CloseReason.LOCAL))
            return
        self._open[conn] = connected
        if dial is not None and connected.token is not None:
            dial.conn = conn
            hello = self._own.encode("ascii")
            self._messaging.tell(
                SendRequest(conn, HELLO, hello, connected.token, self._me, HELLO_ANSWER_S)
            )

    def _forget(self, conn: ConnId) -> bool:
        """A connection is over, and so are its link and its dial; False: it was before."""
        connected = self._open.pop(conn, None)
        if connected is None:
            return False
        self._lingering.discard(conn)
        self._unlink(conn)
        if connected.token is not None:
            self._end_dial(connected.token, ConnectOutcome.NO_ANSWER)
        return True

    def _close(self, conn: ConnId, reason: CloseReason) -> None:
        """Part with a connection now; that tcp still writes what was sent is its own business."""
        if self._forget(conn):
            self._messaging.tell(Disconnect(conn, reason))

    def _drop(self, peer_id: PeerId, reason: CloseReason) -> bool:
        """Close every connection of a peer, the outbound one last, and leave its address alone."""
        peer = self._table.get(peer_id)
        if peer is None:
            return False
        for link in reversed(peer.links):
            self._close(link.conn, reason)
        if (
            peer.verified or reason is CloseReason.LOCAL
        ):  # a claimant's misdeeds are not the owner's
            self._book.rest(peer_id, self._clock.now_s() + REST_S)
        return True

    # -- links: what the rooms are told ---------------------------------------------------------

    def _link(self, conn: ConnId, peer: PeerId, *, listed: bool) -> None:
        connected = self._open[conn]
        for event in self._table.release(peer, connected.remote):
            self._announce(event)
        link = Link(conn, connected.remote, connected.initiated)
        linked = self._table.link(peer, link, listed=listed, now_s=self._clock.now_s())
        log.info("connection %d to peer %s (%d peers)", conn, peer, len(self._table))
        self._announce(linked)

    def _unlink(self, conn: ConnId) -> None:
        peer = self._table.unlink(conn)
        if peer is None:
            return
        outbound = peer.outbound if peer.links else None
        log.info("connection %d to peer %s is gone (%d peers)", conn, peer.id, len(self._table))
        self._announce(PeerUnlinked(peer.id, conn, outbound))
        if outbound is None and peer.verified:  # that a claimant left says nothing of the address
            now_s = self._clock.now_s()
            self._dialer.lost(peer.id, now_s, lasted_s=now_s - peer.since_s)

    def _announce(self, event: PeerLinked | PeerUnlinked) -> None:
        for room in self._rooms:
            room.tell(event)
        self._events.tell(Happened(event))

    # -- accepting ------------------------------------------------------------------------------

    def _on_received(self, messages: tuple[Inbound, ...]) -> None:
        conn = messages[0].conn
        if conn not in self._open:
            return  # closing or gone: nothing waits for an answer, nothing more shall be read
        unanswered, asking = 0, list[int]()
        for message in messages:
            if message.type is MessageType.REQUEST and message.kind == HELLO:
                self._on_hello(message)
            elif message.type is MessageType.REQUEST and message.kind == GET_PEERS:
                asking.append(message.message_id)
            else:
                unanswered += 1
        if asking:
            listed = self._list_for(conn)
            answers = tuple((message_id, listed) for message_id in asking)
            self._messaging.tell(RespondBatch(conn, answers))
        if unanswered:
            self._messaging.tell(Done(conn, unanswered))

    def _on_hello(self, hello: Inbound) -> None:
        """Always answer, at once (WIRE: nodes in the field, 2)."""
        if self._table.peer_of(hello.conn) is not None:
            self._respond(hello, ACCEPTED)  # said before: the first one counts
        elif (admitted := self._admit(hello.conn, hello.payload)) is not None:
            peer, listed = admitted
            # The answer goes first: gossip of ours that overtakes it is dropped (the same place, 7).
            self._respond(hello, ACCEPTED, peer)
            self._link(hello.conn, peer, listed=listed)
            self._messaging.tell(OpenGate(hello.conn))
        else:
            self._respond(hello, REJECTED)
            if hello.conn not in self._lingering and not self._open[hello.conn].initiated:
                self._lingering.add(hello.conn)
                self._tell_after(self._settings.reject_linger_s, _Linger(hello.conn))

    def _admit(self, conn: ConnId, payload: bytes) -> tuple[PeerId, bool] | None:
        """Which peer the hello makes of the connection, and whether others are told of it; None: it
        is rejected.
        """
        connected = self._open[conn]
        claimed = parse_address(payload.decode("ascii", "replace"))
        if claimed == self._own:
            self._dialer.note_own_hello()
        if claimed is None or claimed == self._own or connected.initiated:
            log.debug("connection %d: hello without use", conn)
            return None
        peer = self._table.identify(claimed, connected.remote)
        if not self._table.has_room(peer, connected.remote, 2 * self._settings.max_peers):
            return None
        listed = peer == claimed
        if listed:
            self._book.add((claimed,))
        return peer, listed

    def _respond(self, hello: Inbound, verdict: bytes, asker: PeerId | None = None) -> None:
        listed = self._list_for(hello.conn, asker)
        self._messaging.tell(Respond(hello.conn, hello.message_id, verdict + listed))

    def _list_for(self, conn: ConnId, asker: PeerId | None = None) -> bytes:
        """Our peer list, for a peer or one about to be; nobody is told of itself."""
        if asker is None and (peer := self._table.peer_of(conn)) is not None:
            asker = peer.id
        return write_peer_list(self._table.addresses_for(asker))

    # -- dialing --------------------------------------------------------------------------------

    def _on_response(self, token: int, conn: ConnId, payload: bytes | None) -> None:
        if token == self._incarnation and payload is not None:
            self._book.add(read_peer_list(payload))
        elif (dial := self._dialer.get(token)) is not None:
            self._on_hello_answer(token, dial.address, conn, payload)

    def _on_hello_answer(
        self, token: int, address: PeerId, conn: ConnId, payload: bytes | None
    ) -> None:
        self._book.add(read_peer_list(payload[1:] if payload else b""))
        if payload is None or conn not in self._open:
            self._end_dial(token, ConnectOutcome.NO_ANSWER)
            self._close(conn, CloseReason.HELLO_TIMEOUT)
        elif payload.startswith(ACCEPTED):
            self._link(conn, address, listed=True)
            self._messaging.tell(OpenGate(conn))
            self._end_dial(token, ConnectOutcome.CONNECTED)
        else:
            self._end_dial(token, ConnectOutcome.REJECTED)
            self._close(conn, CloseReason.REJECTED)

    def _end_dial(self, token: int, outcome: ConnectOutcome) -> None:
        """Only the first outcome counts."""
        if self._dialer.get(token) is not None:
            self._dialer.end(token, outcome, self._clock.now_s())
            self._seek()

    # -- the number of peers --------------------------------------------------------------------

    def _maintain(self) -> None:
        self._tell_after(self._settings.maintain_every_s, _Maintain(self._incarnation))
        for peer in self._table.surplus(self._settings.max_peers, self._bootstrap):
            self._drop(peer, CloseReason.EVICTED)
        self._seek()
        if self._missing() and len(self._table) and not len(self._dialer):
            self._ask_for_peers(self._rng.choice(list(self._table)).outbound)

    def _missing(self) -> int:
        """How many peers we seek: up to half of ``max_peers`` (WIRE: peers)."""
        half = -(-self._settings.max_peers // 2)
        return max(0, half - len(self._table))

    def _seek(self) -> None:
        self._dialer.seek(self._missing(), self._clock.now_s())

    def _ask_for_peers(self, conn: ConnId) -> None:
        """A request that every node answers: a sign of life, and news for the book."""
        if self._table.peer_of(conn) is not None:
            self._messaging.tell(
                SendRequest(conn, GET_PEERS, b"", self._incarnation, self._me, HELLO_ANSWER_S)
            )

    def _tell_after(self, delay_s: float, timer: PeersTimer) -> None:
        self._clock.tell_after(delay_s, self._me, timer)
