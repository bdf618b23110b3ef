"""The messaging room: frames become messages for the rooms, and the rooms' messages become frames.

It knows types, ids and the first part of kinds, and nothing of what a payload means.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from actors.config import DEFAULT_RATES, RateSettings
from actors.messaging.adoption import OpenLinks
from actors.messaging.asked import MAX_ASKED
from actors.messaging.codec import (
    MAX_MESSAGE_ID,
    Decoded,
    decode,
    encode,
    encode_regular,
    encode_responses,
)
from actors.messaging.fingerprint import not_refused
from actors.messaging.link import Link
from actors.messaging.messages import (
    AskPeer,
    CallRoll,
    Disconnect,
    Done,
    GetMessaging,
    Inbound,
    LinksNow,
    MessageType,
    MessagingCommand,
    OpenGate,
    Post,
    Received,
    RequestFailure,
    Respond,
    RespondBatch,
    Response,
    SendBatch,
    SendRegular,
    SendRequest,
    Unwatch,
    Watch,
)
from actors.messaging.requests import MAX_IN_FLIGHT, Pending
from actors.messaging.routes import Routes
from actors.messaging.tally import Tally
from actors.messaging.trace import Passing, Trace
from actors.messaging.traffic import RESPONSES, Traffic
from actors.peers.messages import ConnectionMisbehaved
from actors.runtime.actor import NodeActor
from actors.runtime.address import ActorDownError, Address
from actors.runtime.clock import Clock
from actors.runtime.quarantine import Quarantine
from actors.runtime.restraint import Restraint
from actors.tcp.messages import (
    Answer,
    Close,
    CloseReason,
    Connected,
    ConnectFailed,
    ConnectionsNow,
    ConnId,
    Disconnected,
    Establish,
    FramesReceived,
    Handled,
    HelloSaid,
    Idle,
    LinkEvent,
    RollCall,
    Send,
    TcpEvent,
    TcpInput,
)

log = logging.getLogger(__name__)

SWEEP_S = 0.5
"""Timeouts of requests are checked once in so long while any is in flight; the shortest are 3 s."""
UNASKED_POINTS = 10
"""WIRE: limits, requests in flight: a response to what was never asked on its connection."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sweep:
    """Requests may be overdue; only the one armed last counts. Tell."""


MessagingInput = MessagingCommand | TcpEvent | _Sweep


class MessagingActor(NodeActor):
    """Decodes, gates and routes what comes in; encodes what goes out; ends each request once.

    ``rooms`` maps a kind, or the first part of kinds, to the actor that handles it; ``links`` (the peers room) is
    told of connections. ``me`` is its own address; ``kept`` outlives the incarnation.
    """

    def __init__(
        self,
        *,
        tcp: Address[TcpInput],
        rooms: Mapping[str, Address[Received]],
        links: Address[LinkEvent | LinksNow | ConnectionMisbehaved],
        me: Address[_Sweep | Done],
        clock: Clock,
        kept: OpenLinks | None = None,
        quarantine: Quarantine | None = None,
        rates: RateSettings = DEFAULT_RATES,
    ) -> None:
        super().__init__()
        self._tcp, self._peers, self._me, self._clock = tcp, links, me, clock
        self._routes = Routes(rooms)
        self._kept, self._quarantine = kept or OpenLinks(), quarantine or Quarantine()
        self._links, self._asked = self._kept.links, self._kept.asked
        self._sweep: _Sweep | None = None
        self._last_regular_id = 0
        self._tally, self._traffic, self._trace = Tally(), Traffic(), Trace()
        self._rates, self._faults = rates, Restraint(log)

    def on_start(self) -> None:
        self._kept.lives += 1
        if self._kept.lives > 1:
            self._tcp.tell(RollCall())
            self._arm_sweep()

    def on_stop(self) -> None:
        self._trace.close()
        if not self.returns:
            self._asked.abandon(ActorDownError(self.box.name))

    def on_crash(self) -> None:
        """Those who watch come back; who waits for a response gets it of the next incarnation."""
        self._trace.close()

    def on_receive(  # noqa: C901, PLR0912 - a case per message is what a room looks like
        self, message: MessagingInput
    ) -> object:
        match message:
            case FramesReceived(conn, frames):
                self._on_frames(conn, frames)
            case RespondBatch(conn, answers):
                self._respond(conn, answers)
            case Respond(conn, message_id, payload):
                self._respond(conn, ((message_id, payload),))
            case Done(conn, count, useless):
                self._finish(conn, count, useless)
            case SendRegular(conns, kind, payload):
                self._send_regular(conns, ((kind, payload),))
            case SendBatch(conns, messages):
                self._send_regular(conns, messages)
            case SendRequest():
                self._send_request(message)
            case OpenGate(conn, peer):
                self._open_gate(conn, peer)
            case Disconnect(conn, reason):
                self._disconnect(conn, reason)
            case Post() | AskPeer() | Watch() | Unwatch() | GetMessaging():
                return self._on_people(message)
            case Connected() | ConnectFailed() | Disconnected() | Idle():
                self._on_link_event(message)
            case ConnectionsNow(connections):
                self._on_roll(connections)
            case CallRoll():
                self._peers.tell(LinksNow(self._kept.open()))
            case _Sweep():
                self._end_overdue(message)
            case _:
                assert_never(message)
        return None

    # -- in -------------------------------------------------------------------------------------

    def _on_frames(self, conn: ConnId, frames: tuple[bytes, ...]) -> None:
        link = self._open_link(conn)
        if link is None:  # if it is only forgotten here, the roll brings it back
            self._tcp.tell(Handled(conn, len(frames)))
            return
        self._tally.received += len(frames)
        if refused := self._quarantine.refused:
            admitted = not_refused(frames, refused)
            self._finish(conn, len(frames) - len(admitted))
            frames = admitted
        decoded = decode(conn, frames)
        self._traffic.received(decoded.inbound)
        if self._trace.is_watched:
            self._show_received(link, decoded)
        strays = self._on_responses(link, decoded.responses) if decoded.responses else 0
        passage = link.pass_gate(decoded.inbound)
        self._tally.dropped_at_gate += passage.dropped
        if passage.says_hello:
            self._tcp.tell(HelloSaid(conn))
        dropped = passage.dropped + self._deliver(passage.delivered)
        self._finish(conn, len(decoded.responses) + dropped, strays + dropped)
        if decoded.fault is not None:
            self._tally.malformed += 1
            fault, now_s = decoded.fault.value, self._clock.now_s()
            self._faults.warning(now_s, "connection %d sent what is no message: %s", conn, fault)
            self._disconnect(conn, CloseReason.PROTOCOL)

    def _deliver(self, messages: list[Inbound]) -> int:
        """Hand messages to their rooms; how many are for nobody and thereby dealt with."""
        delivered = 0
        for room, batch in self._routes.sort(messages):
            room.tell(batch)
            delivered += len(batch.messages)
        return len(messages) - delivered

    def _on_responses(self, link: Link, responses: list[Inbound]) -> int:
        """End the requests that they answer; how many answer none."""
        self._traffic.received_responses(responses)
        answered = link.requests.answer_all(responses)
        self._tally.responses(answered)
        for pending, payload in answered.ended:
            pending.reply_to.tell(Response(pending.token, link.conn, payload))
        if answered.unasked:
            points = answered.unasked * UNASKED_POINTS
            self._peers.tell(ConnectionMisbehaved(link.conn, points, "an unasked response"))
        return answered.late + answered.unasked

    def _finish(self, conn: ConnId, messages: int, useless: int = 0) -> None:
        """Return the read credit of messages that are dealt with; later, if too many were useless, so that
        their sender is read more slowly.
        """
        if not messages:
            return
        link = self._links.get(conn) if useless else None
        if link is not None:
            wait_s = link.owe_for(useless, self._rates, self._clock.now_s())
            if wait_s > 0:
                self._clock.tell_after(wait_s, self._me, Done(conn, messages))
                return
        self._tcp.tell(Handled(conn, messages))

    # -- out ------------------------------------------------------------------------------------

    def _respond(self, conn: ConnId, answers: tuple[tuple[int, bytes], ...]) -> None:
        if not answers:
            return
        frames = tuple(encode_responses(answers))
        self._traffic.sent(RESPONSES, len(answers), sum([len(payload) for _, payload in answers]))
        if self._trace.is_watched:
            self._show_sent(
                (conn,),
                *(
                    (MessageType.RESPONSE, message_id, "", payload)
                    for message_id, payload in answers
                ),
            )
        self._tcp.tell(Answer(conn, frames))

    def _send_regular(
        self, conns: tuple[ConnId, ...], messages: tuple[tuple[str, bytes], ...]
    ) -> None:
        if not conns or not messages:
            return
        first_id = self._last_regular_id + 1
        self._last_regular_id = self._last_regular_id + len(messages) & MAX_MESSAGE_ID
        self._traffic.sent_regular(messages, len(conns))
        if self._trace.is_watched:
            numbered = enumerate(messages, first_id)
            passing = ((MessageType.REGULAR, id_ & MAX_MESSAGE_ID, *each) for id_, each in numbered)
            self._show_sent(conns, *passing)
        self._tcp.tell(Send(conns, tuple(encode_regular(first_id, messages))))

    def _send_request(self, request: SendRequest) -> None:
        link = self._open_link(request.conn)
        message_id = None if link is None else link.requests.ask(request, self._clock.now_s())
        if message_id is None:
            request.reply_to.tell(Response(request.token, request.conn, None))
            return
        frame = encode(MessageType.REQUEST, message_id, request.kind, request.payload)
        self._traffic.sent(request.kind, 1, len(request.payload))
        if self._trace.is_watched:
            passing = (MessageType.REQUEST, message_id, request.kind, request.payload)
            self._show_sent((request.conn,), passing)
        self._tcp.tell(Send((request.conn,), (frame,)))
        if self._sweep is None:
            self._arm_sweep()

    # -- people: any kind to anybody, and a look at what passes -----------------------------------

    def _on_people(self, message: Post | AskPeer | Watch | Unwatch | GetMessaging) -> object:
        match message:
            case Post(conns, kind, payload):
                there = tuple(conn for conn in conns if self._open_link(conn) is not None)
                self._send_regular(there, ((kind, payload),))
                return len(there)
            case AskPeer():
                return self._ask_peer(message)
            case Watch():
                return self._trace.add(message)
            case Unwatch(sink):
                self._trace.remove(sink)
                return None
            case GetMessaging():
                return self._tally.info(self._traffic, self._routes, self._links.values())
            case _:
                assert_never(message)

    def _ask_peer(self, question: AskPeer) -> RequestFailure | None:
        """None: the answer comes when the request has ended."""
        link = self._open_link(question.conn)
        if link is None:
            return RequestFailure.NO_CONNECTION
        if len(self._asked) >= MAX_ASKED or len(link.requests) >= MAX_IN_FLIGHT:
            return RequestFailure.BUSY
        waiting = self._asked.wait(self.defer())
        self._send_request(
            SendRequest(
                question.conn, question.kind, question.payload, 0, waiting, question.timeout_s
            )
        )
        return None

    def _show_received(self, link: Link, decoded: Decoded) -> None:
        messages = [(*message[1:],) for message in (*decoded.inbound, *decoded.responses)]
        self._trace.show((link,), messages, self._clock.wall_s(), sent=False)

    def _show_sent(self, conns: tuple[ConnId, ...], *messages: Passing) -> None:
        links = [link for conn in conns if (link := self._links.get(conn)) is not None]
        self._trace.show(links, messages, self._clock.wall_s(), sent=True)

    # -- connections ----------------------------------------------------------------------------

    def _on_link_event(self, event: LinkEvent) -> None:
        match event:
            case Connected(conn):
                self._links.setdefault(conn, Link(event))
            case Disconnected(conn):
                link = self._links.pop(conn, None)
                if link is not None:
                    self._report_absent(conn, link.requests.give_up())
            case ConnectFailed() | Idle():
                pass
            case _:
                assert_never(event)
        self._peers.tell(event)

    def _on_roll(self, connections: tuple[Connected, ...]) -> None:
        """Bring what we know into line with what there is; tell tcp anew what it may have missed."""
        for event in self._kept.missed(connections):
            self._on_link_event(event)
            if isinstance(event, Connected):
                self._links[event.conn].requests.is_whole = False
        for command in self._kept.repeated():
            self._tcp.tell(command)
        self._peers.tell(LinksNow(self._kept.open()))

    def _open_link(self, conn: ConnId) -> Link | None:
        """The connection, unless it is gone or on its way out."""
        link = self._links.get(conn)
        return None if link is None or link.closing else link

    def _open_gate(self, conn: ConnId, peer: str) -> None:
        if (link := self._open_link(conn)) is not None:
            self._tcp.tell(Establish(conn))
            self._finish(conn, self._deliver(link.open(peer)))

    def _disconnect(self, conn: ConnId, reason: CloseReason) -> None:
        link = self._links.get(conn)
        if link is not None:
            if link.closing:
                return
            link.closing = True
        self._tcp.tell(Close(conn, reason))  # also of one that is only forgotten here

    # -- requests that are never answered -------------------------------------------------------

    def _arm_sweep(self) -> None:
        self._sweep = _Sweep()
        self._clock.tell_after(SWEEP_S, self._me, self._sweep)

    def _end_overdue(self, sweep: _Sweep) -> None:
        if sweep is not self._sweep:
            return  # a former incarnation's
        now_s = self._clock.now_s()
        for link in self._links.values():
            self._report_absent(link.conn, link.requests.expire(now_s))
        self._sweep = None
        if any(len(link.requests) for link in self._links.values()):
            self._arm_sweep()

    def _report_absent(self, conn: ConnId, requests: Iterable[Pending]) -> None:
        for pending in requests:
            pending.reply_to.tell(Response(pending.token, conn, None))
