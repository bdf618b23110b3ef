"""The search actor: asks the network, answers it from the providers and items, and carries answers back."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from actors.config import DEFAULT_RATES, RateSettings
from actors.gossip.messages import (
    Decision,
    GossipCommand,
    GossipItem,
    GossipReceived,
    Publish,
    PublishTo,
    Verdicts,
)
from actors.messaging.messages import (
    Done,
    Inbound,
    MessageType,
    MessagingCommand,
    Received,
    SendRegular,
)
from actors.peers.messages import LinksReset, PeerEvent, PeerId, PeerLinked, PeerUnlinked, Resync
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import Clock
from actors.search.allowance import Allowance
from actors.search.items import Items
from actors.search.lookups import LookUps
from actors.search.messages import (
    Answer,
    AnswerSink,
    CloseSearch,
    ItemInfo,
    ListItems,
    LookedUp,
    LookUp,
    OpenSearch,
    ProvideItem,
    ProvideOutcome,
    SearchCommand,
    SearchEnded,
    SearchRefusal,
    StartSearch,
    WithdrawItem,
)
from actors.search.routes import (
    ID_BYTES,
    QUESTION_PREFIX,
    ROUTE_LIFETIME_S,
    OwnRoute,
    RelayedRoute,
    Routes,
    WatchedRoute,
    is_question,
    parts_of,
)
from actors.tcp.messages import ConnId

ANSWER_PREFIX = "search_response:"

LOOK_UP_TIMEOUT_S = 10.0
"""A provider that fell has lost its look-ups; a peer waits for read credit meanwhile."""


@dataclass(frozen=True, slots=True)
class _Asked(GossipReceived):
    """Questions of one peer whose turn has come. Tell."""


@dataclass(frozen=True, slots=True)
class _TimedOut:
    """The time of a search of ours, or of an outsider's, is over. Tell."""

    search_id: bytes


@dataclass(frozen=True, slots=True)
class _Sweep:
    """Some look-ups may be overdue. Tell."""

    incarnation: int


SearchTimer = _TimedOut | _Sweep
SearchInput = SearchCommand | GossipReceived | Received | PeerEvent | SearchTimer


class SearchActor(NodeActor):
    """Knows the open questions; ``providers`` by kind have the answers, and ``items`` those of outsiders."""

    def __init__(
        self,
        *,
        me: Address[SearchInput],
        providers: Mapping[str, Address[LookUp]],
        items: Items,
        gossip: Address[GossipCommand],
        messaging: Address[MessagingCommand],
        peers: Address[Resync],
        clock: Clock,
        rng: random.Random,
        rates: RateSettings = DEFAULT_RATES,
    ) -> None:
        super().__init__()
        self._me, self._providers, self._items = me, providers, items
        self._gossip, self._messaging, self._peers = gossip, messaging, peers
        self._clock, self._rng, self._rates = clock, rng, rates
        self._routes = Routes()
        self._peer_of: dict[ConnId, PeerId] = {}
        self._everyone: frozenset[PeerId] | None = None  # of the peers; anew when they have changed
        self._links_known = False
        self._unasked: dict[
            bytes, OwnRoute | WatchedRoute
        ] = {}  # open ones of ours, bounded as these are
        self._allowances: dict[PeerId, Allowance] = {}
        # Look-ups and timers of an earlier incarnation may still arrive: ours differ from them.
        self._incarnation = rng.getrandbits(62)
        self._look_ups = LookUps(self._incarnation)

    def on_start(self) -> None:
        self._peers.tell(Resync(self._me))
        self._sweep()

    def on_crash(self) -> None:
        """End what the next incarnation will not know of."""
        for search in self._routes.own():
            search.reply_to.tell(SearchEnded(search.token, None, None))
        for route in self._routes.watched():
            route.sink.lost()
        self._end_unheard(self._look_ups.take_all())

    on_stop = on_crash

    def on_receive(self, message: SearchInput) -> object:  # noqa: C901 - a case a message
        match message:
            case StartSearch():
                self._start(message)
            case _Asked(items):
                self._look_up(items)
            case GossipReceived(items):
                self._admit(items)
            case LookedUp(ticket, answer):
                self._on_looked_up(ticket, answer)
            case Received(messages):
                self._on_received(messages)
            case PeerLinked() | PeerUnlinked() | LinksReset():
                self._on_peer_event(message)
            case OpenSearch():
                return self._open(message)
            case CloseSearch(sink):
                self._close(sink)
            case ProvideItem() | WithdrawItem() | ListItems():
                return self._on_items(message)
            case _TimedOut() | _Sweep():
                self._on_timer(message)
            case _:
                assert_never(message)
        return None

    def _on_timer(self, timer: SearchTimer) -> None:
        match timer:
            case _TimedOut(search_id):
                self._unasked.pop(search_id, None)
                if (search := self._routes.close_own(search_id)) is not None:
                    search.reply_to.tell(SearchEnded(search.token, None, None))
                elif (watcher := self._routes.close_watched(search_id)) is not None:
                    watcher.end()
            case _Sweep(incarnation):
                if incarnation == self._incarnation:
                    self._sweep()
            case _:
                assert_never(timer)

    def _on_peer_event(self, event: PeerEvent) -> None:
        self._everyone = None
        match event:
            case PeerLinked(peer, conn):
                self._peer_of[conn] = peer
                self._allowances.setdefault(peer, self._new_allowance())
            case PeerUnlinked(peer, conn, outbound):
                self._peer_of.pop(conn, None)
                self._drop_waiting(peer)
                if outbound is None:
                    self._allowances.pop(peer, None)
            case LinksReset(links):
                self._peer_of = {link.conn: link.peer for link in links}
                for peer in self._allowances:
                    self._drop_waiting(peer)
                self._allowances = {link.peer: self._new_allowance() for link in links}
                self._links_known = True
                self._ask()
            case _:
                assert_never(event)

    def _new_allowance(self) -> Allowance:
        return Allowance(self._rates, self._clock.now_s())

    def _drop_waiting(self, peer: PeerId) -> None:
        """Where a connection is gone, nobody waits for answers any more."""
        self._end_unheard(self._look_ups.take_waiting(peer, self._peer_of))

    # -- our own searches -----------------------------------------------------------------------

    def _start(self, search: StartSearch) -> None:
        search_id = self._rng.randbytes(ID_BYTES)
        route = OwnRoute(search_id, search.kind, search.query, frozenset(), search)
        if not self._routes.open_own(route):
            search.reply_to.tell(SearchEnded(search.token, None, None))
            return
        self._clock.tell_after(search.timeout_s, self._me, _TimedOut(search_id))
        self._unasked[search_id] = route
        self._ask()

    def _ask(self) -> None:
        """Put our questions, once it is known to whom: after a restart the links are told behind what
        was in the mailbox already, and an answer counts only from a peer that was asked.
        """
        if not self._links_known:
            return
        routes, self._unasked = self._unasked, {}
        for search_id, route in routes.items():
            only = route.search.only if isinstance(route, OwnRoute) else None
            route.asked = self._all_peers() if only is None else self._peers_on(only)
            kind, payload = QUESTION_PREFIX + route.kind, search_id + route.question
            if only is None:
                self._gossip.tell(Publish(kind, payload))
            else:
                self._gossip.tell(PublishTo((only,), kind, payload))

    def _all_peers(self) -> frozenset[PeerId]:
        if self._everyone is None:
            self._everyone = frozenset(self._peer_of.values())
        return self._everyone

    def _peers_on(self, conn: ConnId) -> frozenset[PeerId]:
        peer = self._peer_of.get(conn)
        return frozenset() if peer is None else frozenset({peer})

    # -- outsiders ------------------------------------------------------------------------------

    def _open(self, search: OpenSearch) -> SearchRefusal | None:
        if not is_question(search.kind, search.query):
            return SearchRefusal.NO_QUESTION
        if self._links_known and not self._peer_of:
            return SearchRefusal.NO_PEERS
        search_id = self._rng.randbytes(ID_BYTES)
        route = WatchedRoute(search_id, search.kind, search.query, frozenset(), search.sink)
        if not self._routes.open_watched(route):
            return SearchRefusal.TOO_MANY
        self._clock.tell_after(search.timeout_s, self._me, _TimedOut(search_id))
        self._unasked[search_id] = route
        self._ask()
        return None

    def _close(self, sink: AnswerSink) -> None:
        for route in self._routes.watched():
            if route.sink is sink:
                self._routes.close_watched(route.id)
                self._unasked.pop(route.id, None)

    def _on_items(
        self, message: ProvideItem | WithdrawItem | ListItems
    ) -> ProvideOutcome | bool | tuple[ItemInfo, ...]:
        match message:
            case ProvideItem(kind):
                if kind in self._providers:
                    return ProvideOutcome.RESERVED
                return self._items.provide(message, self._clock.wall_s())
            case WithdrawItem(kind, query):
                return self._items.withdraw(kind, query)
            case ListItems():
                return self._items.list(message)
            case _:
                assert_never(message)

    # -- others' questions ----------------------------------------------------------------------

    def _admit(self, items: tuple[GossipItem, ...]) -> None:
        """Take up questions of one peer, later if it asks too fast: its read credit waits with them."""
        allowance = self._allowances.get(items[0].peer)
        if allowance is None and self._links_known:  # a peer no more: nobody waits for an answer
            self._end_unheard(items)
            return
        wait_s = (
            0.0 if allowance is None else allowance.look_ups.owe(len(items), self._clock.now_s())
        )
        if wait_s > 0:
            self._clock.tell_after(wait_s, self._me, _Asked(items))
        else:
            self._look_up(items)

    def _look_up(self, items: tuple[GossipItem, ...]) -> None:
        self._routes.expire(self._clock.now_s())
        decided: list[tuple[GossipItem, Decision]] = []
        waiting: list[GossipItem] = []
        for item in items:
            kind, search_id, question = parts_of(item)
            if len(search_id) < ID_BYTES or not is_question(kind, question):
                decided.append((item, Decision.FINAL))
            elif self._routes.has(search_id, kind, question):
                decided.append((item, Decision.DROP))
            elif kind in self._providers:
                waiting.append(item)
            else:
                decided.append((item, self._decide(item, self._items.answer(kind, question))))
        self._judge(*decided)
        self._look_ups.add(waiting, items[0].peer)
        self._take_turns()

    def _take_turns(self) -> None:
        """Ask the providers, while they have places for more."""
        while turn := self._look_ups.next_turn(self._clock.now_s()):
            for ticket, item in turn:
                kind, _, question = parts_of(item)
                self._providers[kind].tell(LookUp(ticket, question, self._me))

    def _on_looked_up(self, ticket: int, answer: bytes | None) -> None:
        item = self._look_ups.take(ticket)
        if item is None:
            return  # too late
        self._judge((item, self._decide(item, answer)))
        self._take_turns()

    def _decide(self, item: GossipItem, answer: bytes | None) -> Decision:
        """Answer a question, or have it passed on when we have no answer."""
        if answer is None:
            return self._pass_on(item)
        kind, search_id, _ = parts_of(item)
        self._messaging.tell(SendRegular((item.conn,), ANSWER_PREFIX + kind, search_id + answer))
        return Decision.FINAL  # one answer per id: the same bytes are not asked again

    def _pass_on(self, item: GossipItem) -> Decision:
        """Have a question relayed and remember the way back, if the peer has not had too many."""
        now_s = self._clock.now_s()
        kind, search_id, question = parts_of(item)
        allowance = self._allowances.get(item.peer)
        if search_id in self._routes:
            return Decision.DROP
        if allowance is None or not allowance.relays.take(now_s):
            return Decision.UNHEARD
        asked, until_s = self._all_peers(), now_s + ROUTE_LIFETIME_S
        self._routes.remember(
            RelayedRoute(search_id, kind, question, asked, item.peer, item.conn, until_s)
        )
        return Decision.PASS

    def _judge(self, *decided: tuple[GossipItem, Decision]) -> None:
        if decided:
            self._gossip.tell(
                Verdicts(tuple((item.ticket, decision) for item, decision in decided))
            )

    def _end_unheard(self, items: Iterable[GossipItem]) -> None:
        """Neither answered nor passed on: whoever asks first and goes keeps nobody else's question from us."""
        self._judge(*((item, Decision.UNHEARD) for item in items))

    def _sweep(self) -> None:
        """End what no provider will answer any more."""
        self._clock.tell_after(LOOK_UP_TIMEOUT_S, self._me, _Sweep(self._incarnation))
        self._end_unheard(self._look_ups.take_overdue(self._clock.now_s() - LOOK_UP_TIMEOUT_S))
        self._take_turns()

    # -- answers --------------------------------------------------------------------------------

    def _on_received(self, messages: tuple[Inbound, ...]) -> None:
        """Answers to nothing earn no points: who asks several peers has several answers, a field node's come
        late and without an id, and a route may be forgotten. They are useless, and so bounded.
        """
        conn = messages[0].conn
        peer = self._peer_of.get(conn)
        useless = 0
        if peer is not None:
            self._routes.expire(self._clock.now_s())
            for message in messages:
                answers = message.type is MessageType.REGULAR and self._on_answer(message, peer)
                useless += not answers
        self._messaging.tell(Done(conn, len(messages), useless))

    def _on_answer(self, message: Inbound, peer: PeerId) -> bool:
        """Whether it settles a question."""
        kind = message.kind.removeprefix(ANSWER_PREFIX)
        answer, settled = self._routes.take_answer(kind, message.payload, peer)
        for route in settled:
            match route:
                case OwnRoute(search=search):
                    search.reply_to.tell(SearchEnded(search.token, answer, message.conn))
                case RelayedRoute(id=search_id, back_to=conn):
                    self._messaging.tell(SendRegular((conn,), message.kind, search_id + answer))
                case WatchedRoute(id=search_id, sink=sink):
                    sink.offer(Answer(answer, peer, message.conn, self._clock.wall_s()))
                    if route.is_full and self._routes.close_watched(search_id) is not None:
                        sink.end()
        return bool(settled)
