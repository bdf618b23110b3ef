"""The peers actor: keeps the number of peers, has them greeted, told of, scored and remembered.

What is decided is decided by its parts (see the room's map); here is who of them is told what, and when.
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
    CallRoll,
    Disconnect,
    LinksNow,
    MessagingCommand,
    OpenGate,
    Received,
    Response,
    SendRequest,
)
from actors.peers.addresses import require_address
from actors.peers.adoption import Company, Roll
from actors.peers.book import AddressBook
from actors.peers.bouncer import Bouncer
from actors.peers.crawler import GET_PEERS, Crawler, CrawlOver
from actors.peers.desk import Desk
from actors.peers.dialer import Dialer
from actors.peers.greeter import ACCEPTED, HELLO, Greeter
from actors.peers.hearsay import Hearsay
from actors.peers.links import Links
from actors.peers.messages import (
    Brought,
    Classify,
    ConnectionMisbehaved,
    ConnectOutcome,
    DropPeer,
    Misbehaved,
    PeerEvent,
    PeerId,
    PeersCommand,
    Poisoned,
    Resync,
)
from actors.peers.scores import Scores
from actors.peers.shelf import Shelf
from actors.peers.slots import Seats, SlotPolicy
from actors.peers.warden import Warden
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

KNOWN_PER_PEER = 3
"""Addresses for each peer that there may be: most of what is told is stale, and a book is no phone book."""
SALT_BYTES = 16
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
PeersInput = PeersCommand | LinkEvent | LinksNow | Received | Response | PeersTimer


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
        addresses: Journal,
        clock: Clock,
        rng: random.Random,
        scores: Scores | None = None,
        company: Company | None = None,
    ) -> None:
        """``scores`` and ``company`` are those of the incarnation before.

        Raises ValueError where the settings hold an address that is none.
        """
        super().__init__()
        self._settings, self._me, self._messaging = settings, me, messaging
        self._clock, self._rng = clock, rng
        self._own = require_address(settings.advertise)
        self._bootstrap = dict.fromkeys(map(require_address, settings.bootstrap))
        # Tokens and timers of an earlier incarnation may still arrive: ours differ from them.
        self._incarnation = rng.getrandbits(62)
        tokens = itertools.count(self._incarnation + 1)
        self._company, self._slots = company or Company(), SlotPolicy(settings.max_peers)
        self._table, connections = self._company.adopt()
        self._bouncer = Bouncer(bans, clock)
        self._book = self._new_book(rng)
        self._shelf = Shelf(self._book, addresses, clock)
        self._meet(tcp, rooms, events, tokens, connections)
        self._furnish(tcp, tokens, Scores() if scores is None else scores)

    def _meet(
        self,
        tcp: Address[Connect],
        rooms: Sequence[Address[PeerEvent]],
        events: Address[Happened],
        tokens: Iterator[int],
        connections: dict[ConnId, Connected],
    ) -> None:
        """The dials and the links, which know each other."""
        self._dialer = Dialer(
            own=self._own,
            kept=self._bootstrap,
            table=self._table,
            book=self._book,
            tcp=tcp,
            is_banned=self._bouncer.is_banned,
            seek_after=lambda delay_s: self._tell_after(delay_s, _Seek()),
            tokens=tokens,
        )
        self._links = Links(
            table=self._table,
            book=self._book,
            dialer=self._dialer,
            end_dial=self._end_dial,
            messaging=self._messaging,
            rooms=rooms,
            events=events,
            clock=self._clock,
            connections=connections,
        )

    def _new_book(self, rng: random.Random) -> AddressBook:
        return AddressBook(
            own=self._own,
            bootstrap=self._bootstrap,
            capacity=max(self._settings.known_addresses, KNOWN_PER_PEER * self._settings.max_peers),
            redial_first_s=self._settings.redial_first_s,
            redial_most_s=self._settings.redial_most_s,
            rng=rng,
        )

    def _furnish(
        self,
        tcp: Address[Connect],
        tokens: Iterator[int],
        scores: Scores,
    ) -> None:
        """The parts that stand on table, links, slots, book, bans and dialer."""
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
        self._roll = Roll(
            self._table, self._links, self._crawler, self._messaging, self._on_connected
        )
        self._warden = Warden(self._table, self._links, self._bouncer, scores, self._clock)
        self._hearsay = Hearsay(
            self._table, self._links, self._book, self._warden, self._request_peers
        )
        salt, score_of = self._rng.randbytes(SALT_BYTES), self._warden.score_of
        self._seats = Seats(self._slots, self._table, self._bootstrap, score_of, salt)
        self._greeter = Greeter(
            own=self._own,
            table=self._table,
            links=self._links,
            book=self._book,
            bouncer=self._bouncer,
            dialer=self._dialer,
            seats=self._seats,
            messaging=self._messaging,
            close_later=self._linger,
            rng=self._rng,
        )
        self._desk = Desk(
            table=self._table,
            book=self._book,
            dialer=self._dialer,
            links=self._links,
            bouncer=self._bouncer,
            warden=self._warden,
            slots=self._slots,
            crawler=self._crawler,
            clock=self._clock,
        )

    def on_start(self) -> None:
        self._bouncer.load()
        self._shelf.load()
        self._links.begin()
        if self._company.lives > 1:
            self._messaging.tell(CallRoll())
        self._maintain()

    def on_stop(self) -> None:
        self._shelf.save_if_changed()
        self.on_crash()

    def on_crash(self) -> None:
        """Let down who waits, and keep the bans: who felled us must not be free again for that."""
        for waited_for in (self._dialer, self._crawler):
            waited_for.abandon(ActorDownError(self.box.name))
        self._bouncer.save_if_changed()

    def on_receive(  # noqa: C901, PLR0912 - a case a message
        self, message: PeersInput
    ) -> object:
        match message:
            case Received(messages):
                self._greeter.received(messages)
            case Connected():
                self._on_connected(message)
            case Disconnected(conn):
                self._links.forget(conn)
            case LinksNow():
                self._roll.answer(message)
            case ConnectFailed(token):
                if not self._crawler.failed(token):
                    self._end_dial(token, ConnectOutcome.UNREACHABLE)
            case Idle(conn):
                self._hearsay.ask(conn)
            case Response(token, conn, payload):
                self._on_response(token, conn, payload)
            case _Maintain() | _Seek() | _Linger() | CrawlOver():
                self._on_timer(message)
            case DropPeer(peer, reason, conn):
                meant = self._table.get(peer) if conn is None else self._table.peer_of(conn)
                if meant is not None:
                    self._links.drop(meant.id, reason)
            case Misbehaved():
                self._warden.misbehaved(message)
            case ConnectionMisbehaved():
                self._warden.connection_misbehaved(message)
            case Poisoned(conn):
                self._warden.poisoned(conn, self._company.suspects)
            case Classify():
                self._table.classify(message)
            case Brought():
                self._table.brought(message, self._clock.now_s())
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
                self._greeter.lingered(conn)
            case CrawlOver(crawl):
                self._crawler.over(crawl)
            case _:
                assert_never(timer)

    # -- connections --------------------------------------------------------------------------

    def _on_connected(self, connected: Connected) -> None:
        conn, token = connected.conn, connected.token
        if self._table.peer_of(conn) is not None:
            return  # told anew: messaging has forgotten it
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
        if dial is not None and token is not None and not self._dialer.reached(dial, connected):
            self._messaging.tell(Disconnect(conn, CloseReason.LOCAL))
            self._end_dial(token, ConnectOutcome.ALREADY_CONNECTED)
            return
        self._links.opened(connected)
        if dial is not None and token is not None:
            hello = self._own.encode("ascii")
            self._messaging.tell(SendRequest(conn, HELLO, hello, token, self._me, HELLO_ANSWER_S))

    # -- dialing --------------------------------------------------------------------------------

    def _on_response(self, token: int, conn: ConnId, payload: bytes | None) -> None:
        if token == self._incarnation:
            self._hearsay.answered(conn, payload or b"")
        elif self._crawler.answered(token, payload):
            pass
        elif (dial := self._dialer.get(token)) is not None:
            self._on_hello_answer(token, dial.address, conn, payload)

    def _on_hello_answer(
        self, token: int, address: PeerId, conn: ConnId, payload: bytes | None
    ) -> None:
        self._hearsay.note(conn, address, payload[1:] if payload else b"")
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
        for peer in self._seats.surplus():
            self._links.drop(peer, CloseReason.EVICTED)
        self._seek()
        wanted = self._slots.missing(self._table)
        if wanted and len(self._table) and not len(self._dialer):
            self._hearsay.ask(self._rng.choice(list(self._table)).outbound)
        self._bouncer.save_if_changed()
        self._shelf.save_if_due()

    def _seek(self) -> None:
        self._dialer.seek(self._slots.missing(self._table), self._clock.now_s())

    def _request_peers(self, conn: ConnId) -> None:
        self._messaging.tell(
            SendRequest(conn, GET_PEERS, b"", self._incarnation, self._me, HELLO_ANSWER_S)
        )

    def _linger(self, conn: ConnId) -> None:
        self._tell_after(self._settings.reject_linger_s, _Linger(conn))

    def _tell_after(self, delay_s: float, timer: PeersTimer) -> None:
        self._clock.tell_after(delay_s, self._me, timer)
