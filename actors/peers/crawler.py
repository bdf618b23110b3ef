"""Crawls: asking peers, and nodes that are none, for their peers, for somebody who wants the graph.

What is learnt here is shown and not used: it does not change whom this node dials. Lives here: the
questions under way. Must not live here: what is known so far (`graph`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from actors.messaging.messages import Disconnect, Response, SendRequest
from actors.peers.addresses import read_peer_list, split_address
from actors.peers.graph import Graph
from actors.peers.messages import Crawl, NodeState, PeerId, Topology
from actors.peers.table import PeerTable
from actors.runtime.address import Address
from actors.runtime.clock import Clock
from actors.tcp.messages import CloseReason, Connect, Connected, ConnId

GET_PEERS = "p2p:get_peers"
ANSWER_S = 3.0
"""Who is there answers within milliseconds; the next one waits for the place."""
MAX_CRAWLS = 2
"""Each is somebody who looks at a picture."""
MAX_DIALING = 8
"""At once for one crawl: together with the node's own dials they leave most seats to peers."""
MAX_DIALED = 64
"""For one crawl: more of them is a scan of other people's machines."""


@dataclass(frozen=True, slots=True)
class CrawlOver:
    """A crawl's time is over; told by the timer alone. Tell."""

    crawl: int


@dataclass(slots=True)
class _Run:
    """A crawl under way."""

    graph: Graph
    peers: dict[PeerId, ConnId]
    answer: Future[Topology]
    dialing: int = 0
    dialed: int = 0


@dataclass(slots=True)
class _Question:
    """To one node. ``conn`` is None until it is up; ``dialed``: it is our own, for this alone."""

    crawl: int
    address: PeerId
    dialed: bool
    conn: ConnId | None = None


class Crawler:
    """At most `MAX_CRAWLS` at a time. Tokens are unlike all others of the room."""

    def __init__(
        self,
        *,
        own: PeerId,
        table: PeerTable,
        is_banned: Callable[[PeerId], bool],
        tcp: Address[Connect],
        messaging: Address[SendRequest | Disconnect],
        me: Address[Response],
        over_after: Callable[[float, CrawlOver], None],
        clock: Clock,
        tokens: Iterator[int],
    ) -> None:
        self._own, self._table, self._is_banned = own, table, is_banned
        self._tcp, self._messaging, self._me = tcp, messaging, me
        self._over_after, self._clock, self._tokens = over_after, clock, tokens
        self._runs: dict[int, _Run] = {}
        self._questions: dict[int, _Question] = {}

    def begin(self, command: Crawl, take_over: Callable[[], Future[Topology]]) -> None:
        """Start a crawl, whose answer goes to the future of ``take_over``; with too many of them, do
        nothing.
        """
        if len(self._runs) >= MAX_CRAWLS:
            return
        crawl = next(self._tokens)
        peers = {peer.id: peer.outbound for peer in self._table}
        graph = Graph(
            self._own,
            peers,
            depth=command.depth,
            max_nodes=command.max_nodes,
            may_ask=lambda address: not self._is_banned(address),
            wall_s=self._clock.wall_s(),
        )
        self._runs[crawl] = _Run(graph, peers, take_over())
        self._over_after(command.timeout_s, CrawlOver(crawl))
        self._go_on(crawl)

    def connected(self, connected: Connected) -> bool:
        """A connection is up; False: none of ours."""
        question = self._questions.get(connected.token or 0)
        if question is None or connected.token is None:
            return False
        question.conn = connected.conn
        self._ask(connected.token, connected.conn)
        return True

    def uses(self, conn: ConnId) -> bool:
        """Whether a connection was dialed for a crawl that is under way."""
        return any(each.dialed and each.conn == conn for each in self._questions.values())

    def failed(self, token: int) -> bool:
        """A dial came to nothing; False: none of ours."""
        question = self._take(token)
        if question is None:
            return False
        self._runs[question.crawl].graph.silent(
            question.address, NodeState.UNREACHABLE, self._clock.wall_s()
        )
        self._go_on(question.crawl)
        return True

    def answered(self, token: int, payload: bytes | None) -> bool:
        """A request ended; False: none of ours."""
        question = self._take(token)
        if question is None:
            return False
        graph, wall_s = self._runs[question.crawl].graph, self._clock.wall_s()
        if payload is None:
            graph.silent(question.address, NodeState.NO_ANSWER, wall_s)
        else:
            graph.heard(question.address, read_peer_list(payload), wall_s)
        self._go_on(question.crawl)
        return True

    def over(self, crawl: int) -> None:
        """The time of a crawl is over: what is known by now is the answer."""
        run = self._runs.pop(crawl, None)
        if run is None:
            return
        for token in [t for t, each in self._questions.items() if each.crawl == crawl]:
            self._hang_up(self._questions.pop(token))
        run.answer.set_result(run.graph.result())

    def abandon(self, error: Exception) -> None:
        """Let down whoever waits."""
        for run in self._runs.values():
            run.answer.set_exception(error)
        self._runs.clear()
        self._questions.clear()

    def _go_on(self, crawl: int) -> None:
        """Ask whom may be asked now, and end when nobody is left."""
        run = self._runs[crawl]
        while (address := run.graph.next_to_ask()) is not None:
            conn = run.peers.get(address)
            if conn is None and run.dialing >= MAX_DIALING:
                run.graph.put_back(address)
                break
            if conn is None and run.dialed >= MAX_DIALED:
                run.graph.leave_out(address)
                continue
            token = next(self._tokens)
            self._questions[token] = _Question(crawl, address, conn is None, conn)
            if conn is not None:
                self._ask(token, conn)
            else:
                self._dial(run, token, address)
        if run.graph.complete:
            self.over(crawl)

    def _dial(self, run: _Run, token: int, address: PeerId) -> None:
        run.dialing += 1
        run.dialed += 1
        host, port = split_address(address)
        self._tcp.tell(Connect(token, host, port))

    def _ask(self, token: int, conn: ConnId) -> None:
        self._messaging.tell(SendRequest(conn, GET_PEERS, b"", token, self._me, ANSWER_S))

    def _take(self, token: int) -> _Question | None:
        """A question that is decided; the place of its dial becomes free."""
        question = self._questions.pop(token, None)
        if question is not None and question.dialed:
            self._runs[question.crawl].dialing -= 1
            self._hang_up(question)
        return question

    def _hang_up(self, question: _Question) -> None:
        if question.dialed and question.conn is not None:
            self._messaging.tell(Disconnect(question.conn, CloseReason.LOCAL))
