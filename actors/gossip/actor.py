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
from itertools import compress, groupby, takewhile
from operator import itemgetter
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
"""80 connections of 256 frames each may have some 20,000. Where there are a thousand, or connections come and
go, this is the bound: what is beyond it is dropped, and its sender reads on."""
KEPT_PARTS = 8
"""One of so many equal parts of that is kept for each handler: a flood of transactions leaves room for blocks."""

MAX_HELD = 1_024
"""Publishes before the peers room has told the links, a few messages after a start: of more than these,
such as a mempool told anew, the newest count most."""


# Every rumour passes here: a field by its position, and the members of enumerations under names of their
# own, for to look one up in its class takes longer than all that is done with it.
_kind_of = itemgetter(Inbound._fields.index("kind"))
_REGULAR = MessageType.REGULAR
_RELAY, _FINAL, _PASS = Decision.RELAY, Decision.FINAL, Decision.PASS


class _Round(NamedTuple):
    """What the rumours of one connection have in common that went to their handler together."""

    peer: PeerId
    source: _Source
    since_s: float
    counts: Counts


_Source = tuple[ConnId, Address[GossipReceived] | None]
"""Whose read credit is with which handler."""
_Awaiting = tuple[Inbound, bytes, _Round]
"""A rumour at its handler, and the hash of its kind and payload. A plain tuple for speed."""


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
        self._judging: dict[Any, int] = dict.fromkeys(handlers.values(), 0)  # of these, by handler
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
        peer = self._links.peer_of(conn)
        now_s = self._clock.now_s()
        self._seen.expire(now_s)
        self._judged.expire(now_s)
        items: defaultdict[Address[GossipReceived], list[GossipItem]] = defaultdict(list)
        passed_on: list[tuple[str, bytes]] = []
        for wire_kind, run in groupby(messages, _kind_of):  # a look per run, not per message
            course, alike = self._courses.of(wire_kind), list(run)
            course.counts.received += len(alike)
            if peer is None or not course.is_wanted:
                course.counts.dropped += len(alike)
                continue
            round_ = _Round(peer, (conn, course.kind.handler), now_s, course.counts)
            news = self._news(alike, course, round_)
            if course.kind.handler is None:
                for message, _ in news:
                    passed_on += self._hear_unjudged(message, peer, course)
            else:
                items[course.kind.handler] += self._await_verdicts(news, course, round_)
        for handler, batch in items.items():
            if batch:
                handler.tell(GossipReceived(tuple(batch)))
        if peer is not None and passed_on:
            self._messaging.tell(SendBatch(self._links.outbound_but(peer), tuple(passed_on)))
        self._give_back({conn: len(messages) - sum(map(len, items.values()))})

    def _await_verdicts(
        self, news: list[tuple[Inbound, bytes]], course: Course, round_: _Round
    ) -> list[GossipItem]:
        """Let listeners hear news of one kind; what its handler is asked."""
        name, (peer, (conn, handler), _, _) = course.kind.name, round_
        if course.listeners:
            for message, _ in news:
                self._offer(course.listeners, name, message.payload, peer)
        first = self._last_ticket + 1
        self._last_ticket += len(news)
        self._judging[handler] += len(news)
        self._awaiting.update(enumerate([(*each, round_) for each in news], first))
        new = tuple.__new__  # as GossipItem(...), without the detour over its generated __new__
        return [
            new(GossipItem, (ticket, name, message.payload[ID_BYTES:], peer, conn))
            for ticket, (message, _) in enumerate(news, first)
        ]

    def _news(
        self, messages: list[Inbound], course: Course, round_: _Round
    ) -> list[tuple[Inbound, bytes]]:
        """Those of one kind that are well formed, have room and were not seen, with their content's hash."""
        salt, longest, judged = course.kind.salt, course.longest_bytes, self._judged.keys()
        fit = [
            message
            for message in messages[: self._room(course.kind.handler)]
            if message.type is _REGULAR and ID_BYTES <= len(message.payload) <= longest
        ]
        hashed = [(message, sha256(salt + message.payload[ID_BYTES:]).digest()) for message in fit]
        unjudged = [each for each in hashed if each[1] not in judged]
        keys = [message.payload[:ID_BYTES] + content for message, content in unjudged]
        news = list(compress(unjudged, self._seen.add_all(keys, round_.since_s)))
        course.counts.dropped += len(messages) - len(fit)
        course.counts.duplicates += len(fit) - len(news)
        return news

    def _room(self, handler: Address[GossipReceived] | None) -> int:
        """How many rumours more there is room for that this handler judges."""
        kept, others = MAX_AWAITING // KEPT_PARTS, self._judging.items()
        kept_for_others = sum(max(0, kept - count) for each, count in others if each is not handler)
        return max(0, MAX_AWAITING - len(self._awaiting) - kept_for_others)

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
        relays: defaultdict[PeerId, list[tuple[str, bytes]]] = defaultdict(list)
        done, final = list[_Source](), list[bytes]()
        pop = self._awaiting.pop
        for ticket, decision in decisions:
            judged = pop(ticket, None)
            if judged is None:
                continue  # it took too long, or was asked by an earlier incarnation
            message, content, round_ = judged
            done.append(round_.source)
            if decision is _RELAY or decision is _FINAL:
                final.append(content)
            if decision is _RELAY or decision is _PASS:
                round_.counts.relayed += 1
                relays[round_.peer].append((message.kind, message.payload))
            else:
                round_.counts.dropped += 1
        self._judged.add_all(final, self._clock.now_s())
        for peer, messages in relays.items():
            self._messaging.tell(SendBatch(self._links.outbound_but(peer), tuple(messages)))
        returned = Counter[ConnId]()
        for (conn, handler), messages_done in Counter(done).items():
            returned[conn] += messages_done
            self._judging[handler] -= messages_done
        self._give_back(returned)

    def _sweep(self) -> None:
        """End what no handler will judge any more, as if dropped."""
        self._clock.tell_after(SWEEP_S, self._me, _Sweep(self._incarnation))
        latest_s = self._clock.now_s() - VERDICT_TIMEOUT_S
        overdue = takewhile(lambda entry: entry[1][2].since_s <= latest_s, self._awaiting.items())
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
