"""Open questions, ours and others', and the way back of their answers (WIRE: search).

Lives here: what is asked, who was asked, whom the answer is for, and whether an answer is one. Must
not live here: how to look something up, or anything that sends.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice

from actors.gossip.messages import GossipItem
from actors.peers.messages import PeerId
from actors.search.messages import MAX_WATCHED_SEARCHES, AnswerSink, StartSearch
from actors.tcp.messages import ConnId

QUESTION_PREFIX = "search:"
"""Before the kind of a question, as gossip has it."""
ID_BYTES = 16
"""WIRE: search."""
HASH_BYTES = 32
BLOCK = "block"

MAX_ROUTES = 1_024
"""WIRE: limits, searches."""
ROUTE_LIFETIME_S = 30.0
"""WIRE: search."""
MAX_SETTLED = 64
"""Questions of others that one answer without an id goes back to, the oldest ones: as many peers may have asked
for a block that they lack, and whoever asks a thousand times has a thousand answers from one otherwise."""
MAX_OWN_SEARCHES = 1_024
"""As many as others may have: a walk back asks for one block at a time."""
MAX_ANSWERS = 64
MAX_ANSWER_BYTES = 2 * 1024 * 1024
"""Of one search of an outsider, which is over then. So all of them hold less than 100 MiB, each one's last
answer included.
"""


@dataclass(slots=True)
class Route:
    """An open question."""

    id: bytes
    kind: str
    question: bytes
    asked: frozenset[PeerId]
    """To whom the question went. An answer on any connection of such a peer counts: which of several
    links it sends on is its own choice. Questions share it: of a thousand peers it has 64 KiB.
    """

    def went_to(self, peer: PeerId) -> bool:
        """Whether the peer may answer it."""
        return peer in self.asked


@dataclass(slots=True)
class OwnRoute(Route):
    """A question of one of our own rooms."""

    search: StartSearch


@dataclass(slots=True)
class WatchedRoute(Route):
    """A question of an outsider, who wants every distinct answer."""

    sink: AnswerSink
    digests: set[bytes] = field(default_factory=set)
    answered_bytes: int = 0

    def take(self, answer: bytes) -> bool:
        """Note an answer; False if it is not news."""
        digest = sha256(answer).digest()
        if self.is_full or digest in self.digests:
            return False
        self.digests.add(digest)
        self.answered_bytes += len(answer)
        return True

    @property
    def is_full(self) -> bool:
        """Whether there is nothing more to come: a block has but one answer."""
        most = 1 if self.kind == BLOCK else MAX_ANSWERS
        return len(self.digests) >= most or self.answered_bytes > MAX_ANSWER_BYTES


@dataclass(slots=True)
class RelayedRoute(Route):
    """A question that came over a connection, and whose answer goes back there."""

    asker: PeerId
    back_to: ConnId
    until_s: float
    answered: bool = False
    """One answer per id: kept, so that a replay of the question finds it taken."""

    def went_to(self, peer: PeerId) -> bool:
        """To all but who asks."""
        return peer != self.asker and peer in self.asked


class Routes:
    """Every open question by its id. Others' are bounded: of too many the oldest goes of whoever has asked most,
    so that one peer's do not displace another's. Ours they cannot displace.
    """

    def __init__(self) -> None:
        self._own: dict[bytes, OwnRoute] = {}
        self._watched: dict[bytes, WatchedRoute] = {}
        self._relayed: OrderedDict[bytes, RelayedRoute] = OrderedDict()
        self._of_asker: defaultdict[PeerId, OrderedDict[bytes, None]] = defaultdict(OrderedDict)
        self._for_block: defaultdict[tuple[bytes, bool], dict[bytes, Route]] = defaultdict(dict)
        """The open ones for a block, by its hash and whether they are others': an answer without an id finds
        them."""

    def __contains__(self, search_id: bytes) -> bool:
        return self._get(search_id) is not None

    def has(self, search_id: bytes, kind: str, question: bytes) -> bool:
        """Whether it is this very question that is open under the id, and none that took the id before it."""
        route = self._get(search_id)
        return route is not None and (route.kind, route.question) == (kind, question)

    def open_own(self, route: OwnRoute) -> bool:
        """Note a question of ours. False: too many are open."""
        if len(self._own) >= MAX_OWN_SEARCHES:
            return False
        self._own[route.id] = route
        self._index(route)
        return True

    def close_own(self, search_id: bytes) -> StartSearch | None:
        """Forget a question of ours; None if it is closed already."""
        route = self._own.pop(search_id, None)
        self._unindex(route)
        return None if route is None else route.search

    def own(self) -> Iterator[StartSearch]:
        """What we ask."""
        return (route.search for route in self._own.values())

    def open_watched(self, route: WatchedRoute) -> bool:
        """Note a question of an outsider. False: too many are open."""
        if len(self._watched) >= MAX_WATCHED_SEARCHES:
            return False
        self._watched[route.id] = route
        self._index(route)
        return True

    def close_watched(self, search_id: bytes) -> AnswerSink | None:
        """Forget a question of an outsider; None if it is closed already."""
        route = self._watched.pop(search_id, None)
        self._unindex(route)
        return None if route is None else route.sink

    def watched(self) -> tuple[WatchedRoute, ...]:
        """What outsiders ask."""
        return tuple(self._watched.values())

    def remember(self, route: RelayedRoute) -> None:
        """Note the way back of a question that is passed on; its id is new."""
        self._relayed[route.id] = route
        self._of_asker[route.asker][route.id] = None
        self._index(route)
        if len(self._relayed) > MAX_ROUTES:
            heaviest = max(self._of_asker.values(), key=len)
            self._forget(next(iter(heaviest)))

    def expire(self, now_s: float) -> None:
        """Forget the ways back whose time is over."""
        while self._relayed and next(iter(self._relayed.values())).until_s <= now_s:
            self._forget(next(iter(self._relayed)))

    def take_answer(self, kind: str, payload: bytes, peer: PeerId) -> tuple[bytes, list[Route]]:
        """The answer in a response, and the questions that it settles: each is settled once.

        A response without its search id (WIRE: nodes in the field, 5) settles what it answers of what went to
        this peer: every question of ours, and some of others. It may begin as an id that somebody made up.
        """
        search_id, answer = payload[:ID_BYTES], payload[ID_BYTES:]
        routes: list[Route] = []
        route = self._get(search_id)
        if route is not None and is_answer(kind, route.question, answer):
            routes = [route]
        elif kind == BLOCK and self._for_block:
            answer, block_hash = payload, sha256(payload).digest()
            others = self._for_block.get((block_hash, True), {}).values()
            asked = (route for route in others if route.went_to(peer))
            ours = self._for_block.get((block_hash, False), {}).values()
            routes = [*ours, *islice(asked, MAX_SETTLED)]
        settled = [route for route in routes if route.kind == kind and route.went_to(peer)]
        return answer, [route for route in settled if self._settle(route, answer)]

    def _get(self, search_id: bytes) -> Route | None:
        return (
            self._own.get(search_id) or self._watched.get(search_id) or self._relayed.get(search_id)
        )

    def _settle(self, route: Route, answer: bytes) -> bool:
        """Note that a question is answered; False if it was before, or by this."""
        if isinstance(route, RelayedRoute):
            first, route.answered = not route.answered, True
            self._unindex(route)
            return first
        if isinstance(route, WatchedRoute):
            return route.take(answer)
        return self.close_own(route.id) is not None

    def _forget(self, search_id: bytes) -> None:
        route = self._relayed.pop(search_id)
        asked = self._of_asker[route.asker]
        del asked[search_id]
        if not asked:
            del self._of_asker[route.asker]
        self._unindex(route)

    def _index(self, route: Route) -> None:
        if route.kind == BLOCK:
            self._for_block[_place_of(route)][route.id] = route

    def _unindex(self, route: Route | None) -> None:
        asking = None if route is None else self._for_block.get(_place_of(route))
        if route is not None and asking is not None:
            asking.pop(route.id, None)  # an answered one is there no more
            if not asking:
                del self._for_block[_place_of(route)]


def _place_of(route: Route) -> tuple[bytes, bool]:
    return route.question, isinstance(route, RelayedRoute)


def parts_of(item: GossipItem) -> tuple[str, bytes, bytes]:
    """The kind, the search id and the question of a gossiped search."""
    kind = item.kind.removeprefix(QUESTION_PREFIX)
    return kind, item.payload[:ID_BYTES], item.payload[ID_BYTES:]


def is_question(kind: str, question: bytes) -> bool:
    """Whether a question can have an answer at all."""
    return kind != BLOCK or len(question) == HASH_BYTES


def is_answer(kind: str, question: bytes, answer: bytes) -> bool:
    """Whether an answer may be believed and relayed: for a block its hash tells."""
    return kind != BLOCK or sha256(answer).digest() == question
