"""The gossip actor: hears rumours, has them judged, passes them on, and lets outsiders listen and publish.

Built for batches: one ``Received`` becomes at most one message to each handler, one batch of verdicts
one relay for each peer that they came from, and read credit returns once per batch.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from typing import Any, NamedTuple, assert_never

from actors.gossip.allowance import Allowances
from actors.gossip.audience import Audience, Listener
from actors.gossip.counts import Counts, Tally
from actors.gossip.course import ID_BYTES, Course, Courses
from actors.gossip.kinds import WIRE_PREFIX, Kinds, is_well_formed
from actors.gossip.links import Links
from actors.gossip.messages import (
    Decision,
    GetGossip,
    GossipCommand,
    GossipInfo,
    GossipItem,
    GossipReceived,
    Heard,
    Listen,
    Publish,
    Published,
    PublishGossip,
    PublishRefusal,
    PublishTo,
    Unlisten,
    Verdicts,
)
from actors.gossip.report import kind_infos
from actors.gossip.seen import SEEN_CAPACITY, SEEN_LIFETIME_S, SeenKeys
from actors.messaging.messages import (
    Done,
    Inbound,
    MessageType,
    MessagingCommand,
    Received,
    SendBatch,
    SendRegular,
)
from actors.peers.messages import LinksReset, PeerEvent, PeerId, PeerLinked, PeerUnlinked, Resync
from actors.runtime.actor import NodeActor
from actors.runtime.address import ActorDownError, Address
from actors.runtime.clock import Clock
from actors.tcp.messages import ConnId

VERDICT_TIMEOUT_S = 60.0
"""A handler that fell has lost its tickets; their senders' read credit must not be lost with them."""
SWEEP_S = 10.0
MAX_AWAITING = 32_768
"""Read credit bounds them to some 20,000 (80 connections of 256 frames each); connections that come
and go are what this is against.
"""


MAX_HELD = 1_024
"""Publishes before the peers room has told the links, a few messages after a start: of more than these,
such as a mempool told anew, the newest count most.
"""


class _Awaiting(NamedTuple):
    """A rumour at its handler. A tuple for speed."""

    message: Inbound
    peer: PeerId
    content: bytes
    """Hash of kind and payload."""
    since_s: float
    counts: Counts


class _Held(NamedTuple):
    """What is published once the links are known, and who waits to be told so."""

    publish: Publish
    asker: Future[Any] | None


@dataclass(frozen=True, slots=True)
class _Sweep:
    """Some verdicts may be overdue. Tell."""

    incarnation: int


GossipInput = GossipCommand | Received | PeerEvent | _Sweep


class GossipActor(NodeActor):
    """Floods; keeps what was seen and what awaits a verdict."""

    def __init__(
        self,
        *,
        me: Address[GossipInput],
        handlers: Mapping[str, Address[GossipReceived]],
        limits_bytes: Mapping[str, int],
        messaging: Address[MessagingCommand],
        peers: Address[Resync],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        super().__init__()
        self._me, self._messaging, self._peers = me, messaging, peers
        self._clock, self._rng = clock, rng
        self._kinds = Kinds(handlers, limits_bytes)
        self._links = Links()
        self._held: deque[_Held] = deque()
        self._audience, self._allowances, self._tally = Audience(), Allowances(), Tally()
        self._courses = Courses(self._kinds, self._audience, self._tally)
        # Ids are kept with the hash of what they named, or known ids would suppress other news.
        self._seen, self._judged = SeenKeys(), SeenKeys()
        self._awaiting: dict[int, _Awaiting] = {}
        self._owed: Counter[ConnId] = Counter()  # read credit that is with us
        # Verdicts on an earlier incarnation's tickets may still arrive: ours differ from them.
        self._incarnation = self._last_ticket = rng.getrandbits(62)

    def on_start(self) -> None:
        self._peers.tell(Resync(self._me))
        self._sweep()

    def on_crash(self) -> None:
        """Give back all read credit, of which the next incarnation will not know, leave it what is still
        to be published, and tell the outsiders, whom it will not know either.
        """
        for conn, messages in self._owed.items():
            self._messaging.tell(Done(conn, messages))
        for news in self._held:
            if news.asker is None:
                self._me.tell(news.publish)
            self._refuse_held(news)
        for listener in self._audience:
            listener.lost()

    on_stop = on_crash

    def on_receive(  # noqa: C901 - a case per message is what a room looks like
        self, message: GossipInput
    ) -> object:
        match message:
            case Received(messages):
                self._on_received(messages)
            case Verdicts(decisions):
                self._on_verdicts(decisions)
            case Publish():
                self._hold(_Held(message, None))
            case PublishTo(conns, kind, payload):
                self._publish(conns, kind, payload)
            case PublishGossip(kind, payload):
                return self._publish_for_asker(kind, payload)
            case PeerLinked() | PeerUnlinked() | LinksReset():
                self._links.apply(message)
                self._allowances.apply(message)
                self._publish_held()
            case Listen(sink, wanted):
                self._courses.forget()
                return self._audience.join(sink, wanted)
            case Unlisten(sink):
                self._courses.forget()
                self._audience.leave(sink)
            case GetGossip():
                return self._info()
            case _Sweep(incarnation):
                if incarnation == self._incarnation:
                    self._sweep()
            case _:
                assert_never(message)
        return None

    # -- in -------------------------------------------------------------------------------------

    def _on_received(self, messages: tuple[Inbound, ...]) -> None:
        conn = messages[0].conn
        self._owed[conn] += len(messages)
        courses = {kind: self._courses.of(kind) for kind in {each.kind for each in messages}}
        peer = self._links.peer_of(conn)
        if peer is None:
            for message in messages:
                counts = courses[message.kind].counts
                counts.received += 1
                counts.dropped += 1
            self._give_back({conn: len(messages)})
        else:
            now_s = self._clock.now_s()
            self._seen.expire(now_s)
            self._judged.expire(now_s)
            asked = self._hear(messages, peer, courses)
            self._give_back({conn: len(messages) - asked})

    def _hear(
        self, messages: tuple[Inbound, ...], peer: PeerId, courses: Mapping[str, Course]
    ) -> int:
        """Have what is news judged, and what no room judges passed on; how many messages are with rooms."""
        now_s = self._clock.now_s()
        items: defaultdict[Address[GossipReceived], list[GossipItem]] = defaultdict(list)
        passed_on: list[tuple[str, bytes]] = []
        asked = 0
        for message in messages:
            kind, counts, listeners, _, is_wanted, longest = course = courses[message.kind]
            payload = message.payload
            counts.received += 1
            if (
                not is_wanted
                or message.type is not MessageType.REGULAR
                or not ID_BYTES <= len(payload) <= longest
                or len(self._awaiting) >= MAX_AWAITING
            ):
                counts.dropped += 1
                continue
            body = payload[ID_BYTES:]
            content = sha256(kind.salt + body).digest()
            if content in self._judged or not self._seen.add(payload[:ID_BYTES] + content, now_s):
                counts.duplicates += 1
                continue
            if kind.handler is None:
                passed_on += self._hear_unjudged(message, peer, course)
                continue
            if listeners:
                self._offer(listeners, kind.name, payload, peer)
            self._last_ticket = ticket = self._last_ticket + 1
            self._awaiting[ticket] = _Awaiting(message, peer, content, now_s, counts)
            items[kind.handler].append(GossipItem(ticket, kind.name, body, peer, message.conn))
            asked += 1
        for handler, batch in items.items():
            handler.tell(GossipReceived(tuple(batch)))
        if passed_on:
            self._messaging.tell(SendBatch(self._links.outbound_but(peer), tuple(passed_on)))
        return asked

    def _hear_unjudged(
        self, message: Inbound, peer: PeerId, course: Course
    ) -> tuple[tuple[str, bytes], ...]:
        """Let listeners hear what no room judges, as far as its peer may speak; what is to be passed on."""
        now_s = self._clock.now_s()
        is_good = is_well_formed(course.kind.name, message.payload[ID_BYTES:])
        if is_good and self._allowances.may_be_heard(peer, now_s):
            self._offer(course.listeners, course.kind.name, message.payload, peer)
        may_pass = is_good and course.is_subscribed
        if not may_pass or not self._allowances.may_be_relayed(peer, now_s):
            course.counts.dropped += 1
            return ()
        course.counts.relayed += 1
        return ((message.kind, message.payload),)

    def _offer(
        self, listeners: tuple[Listener, ...], kind: str, payload: bytes, peer: PeerId | None
    ) -> None:
        """Let listeners hear a payload, which begins with its message id."""
        if listeners:
            at_s = self._clock.wall_s()
            heard = Heard(payload[:ID_BYTES], kind, payload[ID_BYTES:], peer, at_s)
            for listener in listeners:
                listener.offer(heard)

    # -- verdicts -------------------------------------------------------------------------------

    def _on_verdicts(self, decisions: tuple[tuple[int, Decision], ...]) -> None:
        now_s = self._clock.now_s()
        done: Counter[ConnId] = Counter()
        relays: defaultdict[PeerId, list[tuple[str, bytes]]] = defaultdict(list)
        for ticket, decision in decisions:
            judged = self._awaiting.pop(ticket, None)
            if judged is None:
                continue  # it took too long, or was asked by an earlier incarnation
            message = judged.message
            done[message.conn] += 1
            if decision is Decision.RELAY or decision is Decision.FINAL:
                self._judged.add(judged.content, now_s)
            if decision is Decision.RELAY or decision is Decision.PASS:
                judged.counts.relayed += 1
                relays[judged.peer].append((message.kind, message.payload))
            else:
                judged.counts.dropped += 1
        for peer, messages in relays.items():
            self._messaging.tell(SendBatch(self._links.outbound_but(peer), tuple(messages)))
        self._give_back(done)

    def _sweep(self) -> None:
        """End what no handler will judge any more, as if dropped."""
        self._clock.tell_after(SWEEP_S, self._me, _Sweep(self._incarnation))
        latest_s = self._clock.now_s() - VERDICT_TIMEOUT_S
        overdue = takewhile(lambda entry: entry[1].since_s <= latest_s, self._awaiting.items())
        self._on_verdicts(tuple((ticket, Decision.DROP) for ticket, _ in overdue))

    def _give_back(self, done: Mapping[ConnId, int]) -> None:
        """Return the read credit of messages that are dealt with."""
        for conn, messages in done.items():
            if messages:
                self._messaging.tell(Done(conn, messages))
                self._owed[conn] -= messages
            if not self._owed[conn]:
                del self._owed[conn]

    # -- out ------------------------------------------------------------------------------------

    def _publish_for_asker(self, kind: str, payload: bytes) -> PublishRefusal | None:
        """Publish what an outsider says, and answer him when it is done; or refuse it."""
        known = self._kinds.named(kind)
        if known.handler is not None:
            return PublishRefusal.HANDLED
        if len(payload) > known.limit_bytes:
            return PublishRefusal.TOO_LONG
        if not is_well_formed(kind, payload):
            return PublishRefusal.MALFORMED
        self._hold(_Held(Publish(kind, payload), self.defer()))
        return None

    def _hold(self, news: _Held) -> None:
        """Publish as soon as may be; of too much that waits the oldest goes."""
        if len(self._held) >= MAX_HELD:
            self._refuse_held(self._held.popleft())
        self._held.append(news)
        self._publish_held()

    def _refuse_held(self, news: _Held) -> None:
        if news.asker is not None:
            news.asker.set_exception(ActorDownError(self.box.name))

    def _publish_held(self) -> None:
        """Send our news to every peer, once it is known who that is: after a restart the links are told
        behind what was in the mailbox already.
        """
        while self._held and self._links.known:
            publish, asker = self._held.popleft()
            conns = self._links.outbound()
            message_id = self._publish(conns, publish.kind, publish.payload)
            listeners = self._audience.of(publish.kind)
            self._offer(listeners, publish.kind, message_id + publish.payload, None)
            if asker is not None:
                asker.set_result(Published(message_id, len(conns)))

    def _publish(self, conns: tuple[ConnId, ...], name: str, payload: bytes) -> bytes:
        """Send news of our own; it is accepted by definition, so its echo is a duplicate."""
        kind = self._kinds.named(name)
        message_id = self._rng.randbytes(ID_BYTES)
        content = sha256(kind.salt + payload).digest()
        now_s = self._clock.now_s()
        self._seen.add(message_id + content, now_s)
        if kind.handler is not None:  # of what nobody judges the same may be said again
            self._judged.add(content, now_s)
        self._tally.of(name, ours=True).published += 1
        self._messaging.tell(SendRegular(conns, WIRE_PREFIX + name, message_id + payload))
        return message_id

    # -- numbers --------------------------------------------------------------------------------

    def _info(self) -> GossipInfo:
        return GossipInfo(
            seen_ids=len(self._seen),
            seen_contents=len(self._judged),
            max_seen=SEEN_CAPACITY,
            seen_lifetime_s=SEEN_LIFETIME_S,
            awaiting_verdict=len(self._awaiting),
            max_awaiting_verdict=MAX_AWAITING,
            listeners=len(self._audience),
            kinds=kind_infos(self._tally, self._kinds, self._audience),
        )
