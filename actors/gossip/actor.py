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
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, assert_never

from actors.config import DEFAULT_RATES, RateSettings
from actors.gossip.audience import Audience, Listener
from actors.gossip.counts import Tally
from actors.gossip.course import ID_BYTES, Course, Courses
from actors.gossip.docket import MAX_AWAITING, Docket, Handler, Round, Source, Waiting
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
from actors.gossip.news import News, Rumour, misdeed_of
from actors.gossip.report import kind_infos
from actors.gossip.seen import SEEN_CAPACITY, SEEN_LIFETIME_S
from actors.gossip.talk import Talk
from actors.messaging.messages import (
    Done,
    Inbound,
    MessagingCommand,
    Received,
    SendBatch,
    SendRegular,
)
from actors.peers.messages import (
    ConnectionMisbehaved,
    LinksReset,
    PeerEvent,
    PeerId,
    PeerLinked,
    PeerUnlinked,
    Resync,
)
from actors.runtime.actor import NodeActor
from actors.runtime.address import ActorDownError, Address
from actors.runtime.clock import Clock
from actors.tcp.messages import ConnId

VERDICT_TIMEOUT_S = 60.0
"""A handler that fell has lost its tickets; their senders' read credit must not be lost with them."""
SWEEP_S = 10.0
MAX_HELD = 1_024
"""Publishes before the peers room has told the links, a few messages after a start: of more than these,
such as a mempool told anew, the newest count most."""


# Every rumour passes here: a field by its position, and the members of enumerations under names of their
# own, for to look one up in its class takes longer than all that is done with it.
_kind_of = itemgetter(Inbound._fields.index("kind"))
_RELAY, _FINAL, _PASS, _UNHEARD = Decision.RELAY, Decision.FINAL, Decision.PASS, Decision.UNHEARD

_Asked = dict[Handler, list[GossipItem]]
"""What handlers are to be told, once for each batch."""


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
        peers: Address[Resync | ConnectionMisbehaved],
        clock: Clock,
        rng: random.Random,
        rates: RateSettings = DEFAULT_RATES,
        links: Links | None = None,
    ) -> None:
        """``links`` are those of the incarnation before: what waits in the mailbox came over them."""
        super().__init__()
        self._me, self._messaging, self._peers = me, messaging, peers
        self._clock, self._rng, self._kinds = clock, rng, Kinds(handlers, limits_bytes)
        self._held: deque[_Held] = deque()
        self._audience, self._tally = Audience(), Tally()
        self._courses = Courses(self._kinds, self._audience, self._tally)
        self._links, self._news = links or Links(), News()
        self._talk = Talk(self._news, self._offer, rates)
        self._owed: Counter[ConnId] = Counter()  # read credit that is with us
        # Verdicts on an earlier incarnation's tickets may still arrive: ours differ from them.
        self._incarnation = rng.getrandbits(62)
        self._docket = Docket(handlers.values(), self._incarnation)

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
                self._on_peer_event(message)
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

    def _on_peer_event(self, event: PeerEvent) -> None:
        """What waits for the turn of a peer that is gone is ended."""
        for peer in self._links.apply(event):
            self._drop(self._docket.forget(peer))
        self._talk.apply(event)
        self._publish_held()

    def _drop(self, waiting: list[Waiting]) -> None:
        for (message, _), _ in waiting:
            self._courses.of(message.kind).counts.dropped += 1
        self._give_back(Counter(message.conn for (message, _), _ in waiting))

    # -- in -------------------------------------------------------------------------------------

    def _on_received(self, messages: tuple[Inbound, ...]) -> None:
        conn = messages[0].conn
        self._owed[conn] += len(messages)
        peer = self._links.peer_of(conn)
        now_s = self._clock.now_s()
        self._news.expire(now_s)
        asked: _Asked = defaultdict(list)
        passed_on: list[tuple[str, bytes]] = []
        useless = unsound = kept = 0
        for wire_kind, run in groupby(messages, _kind_of):  # a look per run, not per message
            course, alike = self._courses.of(wire_kind), list(run)
            course.counts.received += len(alike)
            if peer is None or not course.is_wanted:
                course.counts.dropped += len(alike)
                useless += len(alike) if peer is not None else 0
                continue
            rumours = self._news.sound(alike, course)
            lost = len(alike) - len(rumours)
            useless += lost
            course.counts.dropped += lost
            if course.kind.handler is None:
                passed_on += self._talk.hear(rumours, peer, course, now_s)
            else:
                unsound += lost
                round_ = Round(peer, (conn, course.kind.handler), now_s, course.counts)
                kept += self._enter(rumours, course, round_, asked)
        self._ask(asked)
        if peer is not None and passed_on:
            self._messaging.tell(SendBatch(self._links.outbound_but(peer), tuple(passed_on)))
        self._give_back({conn: len(messages) - kept}, useless)
        if unsound:
            self._peers.tell(misdeed_of(conn, unsound))

    def _enter(self, rumours: list[Rumour], course: Course, round_: Round, asked: _Asked) -> int:
        """Have rumours of one kind judged, now or when their peer's turn comes; how many are kept for it."""
        kind, handler, docket, counts = course.kind, round_.source[1], self._docket, course.counts
        free = docket.free(kind, handler)
        if len(rumours) <= free and docket.is_ample_for(len(rumours)):
            return self._await_verdicts(rumours, course, round_, asked)
        if len(rumours) > (room := docket.room(handler, round_.peer)):
            counts.dropped += len(rumours) - room
            rumours = rumours[:room]
        kept = self._await_verdicts(rumours[:free], course, round_, asked) if free else 0
        rumours = rumours[free:]
        waiting = self._news.unheard(rumours)
        counts.duplicates += len(rumours) - len(waiting)
        docket.queue(waiting, kind, handler, round_.peer)
        return kept + len(waiting)

    def _await_verdicts(
        self, rumours: list[Rumour], course: Course, round_: Round, asked: _Asked
    ) -> int:
        """Let listeners hear news of one kind, and ask its handler; how much was news."""
        name, (peer, (conn, handler), since_s, counts) = course.kind.name, round_
        news = self._news.note(rumours, since_s)
        counts.duplicates += len(rumours) - len(news)
        if course.listeners:
            for message, _ in news:
                self._offer(course.listeners, name, message.payload, peer)
        first = self._docket.give(news, round_)
        new = tuple.__new__  # as GossipItem(...), without the detour over its generated __new__
        asked[handler] += [
            new(GossipItem, (ticket, name, message.payload[ID_BYTES:], peer, conn))
            for ticket, (message, _) in enumerate(news, first)
        ]
        return len(news)

    def _ask(self, asked: _Asked) -> None:
        for handler, items in filter(itemgetter(1), asked.items()):
            handler.tell(GossipReceived(tuple(items)))

    def _take_turns(self, handler: Handler) -> Counter[ConnId]:
        """Hand on what waits, while there are places; the credit of what is no news any more."""
        now_s, returned = self._clock.now_s(), Counter[ConnId]()
        while waiting := self._docket.next_turn(handler):
            for (conn, wire_kind), run in groupby(waiting, Waiting.where):
                asked: _Asked = defaultdict(list)
                rumours, course = [each.rumour for each in run], self._courses.of(wire_kind)
                round_ = Round(waiting[0].peer, (conn, handler), now_s, course.counts)
                returned[conn] += len(rumours)
                returned[conn] -= self._await_verdicts(rumours, course, round_, asked)
                self._ask(asked)
        return returned

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
        done, final = list[Source](), list[bytes]()
        pop = self._docket.awaiting.pop
        for ticket, decision in decisions:
            judged = pop(ticket, None)
            if judged is None:
                continue  # it took too long, or was asked by an earlier incarnation
            message, content, (peer, source, _, counts) = judged
            done.append(source)
            if decision is _RELAY or decision is _FINAL:
                final.append(content)
            elif decision is _UNHEARD:
                self._news.take_back((message, content))
            if decision is _RELAY or decision is _PASS:
                counts.relayed += 1
                relays[peer].append((message.kind, message.payload))
            else:
                counts.dropped += 1
        self._news.note_judged(final, self._clock.now_s())
        for peer, messages in relays.items():
            self._messaging.tell(SendBatch(self._links.outbound_but(peer), tuple(messages)))
        returned, awaited = Counter[ConnId](), set[Handler]()
        for (conn, handler), messages_done in Counter(done).items():
            returned[conn] += messages_done
            if self._docket.judged(handler, messages_done):
                awaited.add(handler)
        for handler in awaited:
            returned += self._take_turns(handler)
        self._give_back(returned)

    def _sweep(self) -> None:
        """End what no handler will judge any more, and what waits for such a one, as if unheard."""
        self._clock.tell_after(SWEEP_S, self._me, _Sweep(self._incarnation))
        overdue = self._docket.overdue(self._clock.now_s() - VERDICT_TIMEOUT_S)
        for handler in dict.fromkeys(overdue.values()):
            self._drop(self._docket.abandon(handler))
        self._on_verdicts(tuple((ticket, _UNHEARD) for ticket in overdue))

    def _give_back(self, done: Mapping[ConnId, int], useless: int = 0) -> None:
        """Return the read credit of messages that are dealt with; ``useless``: of so many of them."""
        for conn, messages in done.items():
            if messages:
                self._messaging.tell(Done(conn, messages, useless))
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
        """Send news of our own."""
        kind = self._kinds.named(name)
        message_id = self._rng.randbytes(ID_BYTES)
        self._news.note_own(message_id, kind, payload, self._clock.now_s())
        self._tally.of(name, ours=True).published += 1
        self._messaging.tell(SendRegular(conns, WIRE_PREFIX + name, message_id + payload))
        return message_id

    # -- numbers --------------------------------------------------------------------------------

    def _info(self) -> GossipInfo:
        return GossipInfo(
            seen_ids=self._news.ids,
            seen_contents=self._news.contents,
            max_seen=SEEN_CAPACITY,
            seen_lifetime_s=SEEN_LIFETIME_S,
            awaiting_verdict=len(self._docket),
            max_awaiting_verdict=MAX_AWAITING,
            listeners=len(self._audience),
            kinds=kind_infos(self._tally, self._kinds, self._audience),
        )
