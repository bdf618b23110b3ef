"""Peers of our kind around a chain stage, each with a chain of its own, which answer when they are told to."""

from __future__ import annotations

from actors.chain import wire
from actors.ledger.types import Block
from actors.messaging.messages import Response, SendRequest
from actors.peers.messages import ConnectionMisbehaved, Misbehaved, PeerId
from tests.support.chain_stage import CONNS, ChainStage
from tests.support.chains import raws

OWNERS = {conn: peer for peer, conn in CONNS.items()}


class SyncPeers:
    """Keeps the questions of the stage's actor until somebody answers them."""

    def __init__(self, chain: ChainStage) -> None:
        self.chain = chain
        self.chains: dict[PeerId, tuple[Block, ...]] = {}
        self.asked: list[PeerId] = []
        """Whom we asked for blocks, in order."""
        self._open: dict[PeerId, SendRequest] = {}

    def join(self, peer: PeerId, *blocks: Block, claims: Block | None = None) -> None:
        """A peer with a chain behind genesis; ``claims``: its tip as it says, if it is another."""
        self.chains[peer] = blocks
        self.chain.link(peer)
        (status,) = (r for r in self._take() if r.kind == wire.STATUS_KIND)
        tip = claims or (blocks[-1] if blocks else self.chain.network.genesis)
        self.chain.tell(Response(status.token, status.conn, self.chain.status_of(tip)))

    @property
    def waiting(self) -> set[PeerId]:
        """Those that have a question for blocks to answer."""
        self._take()
        return set(self._open)

    def answer(self, peer: PeerId, payload: bytes | None = None) -> None:
        """As an honest peer, or with these bytes."""
        self._take()
        request = self._open.pop(peer)
        said = self.batch(peer, request) if payload is None else payload
        self.chain.tell(Response(request.token, request.conn, said))

    def fall_silent(self, peer: PeerId) -> None:
        """The time for its answer is over."""
        self._take()
        request = self._open.pop(peer)
        self.chain.tell(Response(request.token, request.conn, None))

    def serve(self, *besides: PeerId) -> int:
        """Answer honestly until nobody is asked any more, but for some; how many answers it took."""
        answers = 0
        while ready := [peer for peer in self.waiting if peer not in besides]:
            for peer in sorted(ready):
                self.answer(peer)
                answers += 1
        return answers

    def batch(self, peer: PeerId, request: SendRequest) -> bytes:
        """What an honest peer answers."""
        locator = wire.decode_locator(request.payload)
        assert locator is not None
        numbers = {block.hash: block.number for block in self.chains[peer]}
        start = next((numbers[named] for named in locator if named in numbers), 0)
        return wire.encode_batch(raws(self.chains[peer][start:]))

    def blamed(self) -> list[tuple[PeerId, int]]:
        """Who was given points, and how many."""
        told = self.chain.peers.messages
        by_name = [(m.peer, m.points) for m in told if isinstance(m, Misbehaved)]
        by_conn = [(OWNERS[m.conn], m.points) for m in told if isinstance(m, ConnectionMisbehaved)]
        return by_name + by_conn

    def _take(self) -> list[SendRequest]:
        taken = self.chain.requests()
        for request in taken:
            if request.kind == wire.GET_BLOCKS_KIND:
                peer = OWNERS[request.conn]
                assert peer not in self._open, "one question at a time"
                self.asked.append(peer)
                self._open[peer] = request
        return taken
