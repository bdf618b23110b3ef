"""The peers actor: says and answers hellos, tells the rooms who is a peer, keeps the number of peers.

Order is what matters here. Our answer to a hello goes out first, since the other side drops what comes
before it; then the rooms are told of the peer; then messaging opens its gate, so that nothing of a peer
reaches a room that does not know it.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Iterator, Sequence
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
from actors.peers.bouncer import Bouncer
from actors.peers.crawler import GET_PEERS, Crawler, CrawlOver
from actors.peers.desk import Desk
from actors.peers.dialer import Dialer
from actors.peers.links import Links
from actors.peers.messages import (
    AddressSource,
    Classify,
    ConnectOutcome,
    DropPeer,
    PeerEvent,
    PeerId,
    PeersCommand,
    Resync,
)
from actors.peers.table import PeerTable
from actors.runtime.actor import NodeActor
from actors.runtime.address import ActorDownError, Address
from actors.runtime.clock import Clock
from actors.runtime.events import Happened
from actors.runtime.journal import Journal
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


PeersTimer = _Maintain | _Seek | _Linger | CrawlOver
PeersInput = PeersCommand | LinkEvent | Received | Response | PeersTimer


class PeersActor(NodeActor):
    """Keeps the peer table, and decides who is let into it."""

    def __init__(
        self,
        *,
        settings: PeersSettings,
        me: Address[PeersInput],
        tcp: Address[Connect],
        messaging: Address[MessagingCommand],
        rooms: Sequence[Address[PeerEvent]],
        events: Address[Happened],
        bans: Journal,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        """Raises ValueError where the settings hold an address that is none."""
        super().__init__()
        self._settings, self._me, self._messaging = settings, me, messaging
        self._clock, self._rng = clock, rng
        self._own = require_address(settings.advertise)
        self._bootstrap = tuple(map(require_address, settings.bootstrap))
        self._lingering: set[ConnId] = set()  # rejected dialers, each with its timer
        # Tokens and timers of an earlier incarnation may still arrive: ours differ from them.
        self._incarnation = rng.getrandbits(62)
        tokens = itertools.count(self._incarnation + 1)
        self._table = PeerTable()
        self._bouncer = Bouncer(bans, clock)
        self._book = self._new_book(rng)
        self._dialer = Dialer(
            own=self._own,
            table=self._table,
            book=self._book,
            tcp=tcp,
            is_banned=self._bouncer.is_banned,
            seek_after=lambda delay_s: self._tell_after(delay_s, _Seek()),
            tokens=tokens,
        )
        self._furnish(tcp, rooms, events, tokens)

    def _new_book(self, rng: random.Random) -> AddressBook:
        return AddressBook(
            own=self._own,
            bootstrap=self._bootstrap,
            capacity=self._settings.known_addresses,
            redial_first_s=self._settings.redial_first_s,
            redial_most_s=self._settings.redial_most_s,
            rng=rng,
        )

    def _furnish(
        self,
        tcp: Address[Connect],
        rooms: Sequence[Address[PeerEvent]],
        events: Address[Happened],
        tokens: Iterator[int],
    ) -> None:
        """The parts that stand on table, book, bans and dialer."""
        self._links = Links(
            table=self._table,
            book=self._book,
            dialer=self._dialer,
            end_dial=self._end_dial,
            messaging=self._messaging,
            rooms=rooms,
            events=events,
            clock=self._clock,
        )
        self._crawler = Crawler(
            own=self._own,
            table=self._table,
            is_banned=self._bouncer.is_banned,
            tcp=tcp,
            messaging=self._messaging,
            me=self._me,
            over_after=self._tell_after,
            clock=self._clock,
            tokens=tokens,
        )
        self._desk = Desk(
            self._table,
            self._book,
            self._dialer,
            self._links,
            self._bouncer,
            self._crawler,
            self._clock,
        )

    def on_start(self) -> None:
        self._bouncer.load()
        self._links.begin()
        self._maintain()

    def on_stop(self) -> None:
        self.on_crash()

    def on_crash(self) -> None:
        for waited_for in (self._dialer, self._crawler):
            waited_for.abandon(ActorDownError(self.box.name))

    def on_receive(self, message: PeersInput) -> object:  # noqa: C901 - a case a message
        match message:
            case Received(messages):
                self._on_received(messages)
            case Connected():
                self._on_connected(message)
            case Disconnected(conn):
                self._links.forget(conn)
            case ConnectFailed(token):
                if not self._crawler.failed(token):
                    self._end_dial(token, ConnectOutcome.UNREACHABLE)
            case Idle(conn):
                self._ask_for_peers(conn)
            case Response(token, conn, payload):
                self._on_response(token, conn, payload)
            case _Maintain() | _Seek() | _Linger() | CrawlOver():
                self._on_timer(message)
            case DropPeer(peer, reason):
                self._links.drop(peer, reason)
            case Classify():
                self._table.classify(message)
            case Resync(reply_to):
                self._links.resync(reply_to)
            case _:
                return self._desk.answer(message, self.defer)
        return None

    def _on_timer(self, timer: PeersTimer) -> None:
        match timer:
            case _Maintain(incarnation):
                if incarnation == self._incarnation:
                    self._maintain()
            case _Seek():
                self._seek()
            case _Linger(conn):
                self._lingering.discard(conn)
                if self._table.peer_of(conn) is None:
                    self._links.close(conn, CloseReason.REJECTED)
            case CrawlOver(crawl):
                self._crawler.over(crawl)
            case _:
                assert_never(timer)

    # -- connections --------------------------------------------------------------------------

    def _on_connected(self, connected: Connected) -> None:
        conn, token = connected.conn, connected.token
        if self._bouncer.bars(connected):
            self._messaging.tell(Disconnect(conn, CloseReason.BANNED))
            if token is not None and not self._crawler.failed(token):
                self._end_dial(token, ConnectOutcome.BANNED)
            return
        if self._crawler.connected(connected):
            return
        dial = self._dialer.get(token)
        if connected.initiated and dial is None:  # an earlier incarnation's
            self._messaging.tell(Disconnect(conn, CloseReason.LOCAL))
            return
        self._links.opened(connected)
        if dial is not None and token is not None:
            dial.conn = conn
            hello = self._own.encode("ascii")
            self._messaging.tell(SendRequest(conn, HELLO, hello, token, self._me, HELLO_ANSWER_S))

    # -- accepting ------------------------------------------------------------------------------

    def _on_received(self, messages: tuple[Inbound, ...]) -> None:
        conn = messages[0].conn
        if conn not in self._links:
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
            self._links.link(hello.conn, peer, listed=listed)
            self._messaging.tell(OpenGate(hello.conn, peer))
        else:
            self._respond(hello, REJECTED)
            if hello.conn not in self._lingering and not self._links[hello.conn].initiated:
                self._lingering.add(hello.conn)
                self._tell_after(self._settings.reject_linger_s, _Linger(hello.conn))

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
        if not self._table.has_room(peer, connected.remote, 2 * self._settings.max_peers):
            return None
        listed = peer == claimed
        if listed:
            self._book.add((claimed,), AddressSource.HELLO)
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
            self._book.add(read_peer_list(payload), AddressSource.PEER_LIST)
        elif self._crawler.answered(token, payload):
            pass
        elif (dial := self._dialer.get(token)) is not None:
            self._on_hello_answer(token, dial.address, conn, payload)

    def _on_hello_answer(
        self, token: int, address: PeerId, conn: ConnId, payload: bytes | None
    ) -> None:
        listed = read_peer_list(payload[1:] if payload else b"")
        self._book.add(listed, AddressSource.PEER_LIST)
        if payload is None or conn not in self._links:
            self._end_dial(token, ConnectOutcome.NO_ANSWER)
            self._links.close(conn, CloseReason.HELLO_TIMEOUT)
        elif payload.startswith(ACCEPTED):
            self._links.link(conn, address, listed=True)
            self._messaging.tell(OpenGate(conn, address))
            self._end_dial(token, ConnectOutcome.CONNECTED)
        else:
            self._end_dial(token, ConnectOutcome.REJECTED)
            self._links.close(conn, CloseReason.REJECTED)

    def _end_dial(self, token: int, outcome: ConnectOutcome) -> None:
        """Only the first outcome counts."""
        if self._dialer.get(token) is not None:
            self._dialer.end(token, outcome, self._clock.now_s())
            self._seek()

    # -- the number of peers --------------------------------------------------------------------

    def _maintain(self) -> None:
        self._tell_after(self._settings.maintain_every_s, _Maintain(self._incarnation))
        for peer in self._table.surplus(self._settings.max_peers, self._bootstrap):
            self._links.drop(peer, CloseReason.EVICTED)
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
