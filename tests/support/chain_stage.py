"""The chain actor and its reader on the pump, with a probe for every room that they tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from actors.chain import wire
from actors.chain.actor import ChainActor
from actors.chain.messages import ChainInfo, GetChain, TipChanged
from actors.chain.reader import ReaderActor
from actors.chain.room import Neighbours
from actors.chain.signatures import Signatures
from actors.chain.store import Store
from actors.chain.sync import MAX_PENDING_BLOCKS
from actors.gossip.messages import Decision, GossipItem, GossipReceived, Publish, Verdicts
from actors.ledger.network import Network
from actors.ledger.types import Block
from actors.messaging.messages import Inbound, MessageType, Received, Response, SendRequest
from actors.peers.messages import PeerId, PeerLinked
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.search.messages import SearchEnded, StartSearch
from actors.tcp.messages import ConnId
from tests.support.chains import EASY, raws
from tests.support.probe import Probe, stage

A, B, C = PeerId("a:1"), PeerId("b:1"), PeerId("c:1")
"""Peers; their connections are 1, 2 and 3."""
CONNS = {A: ConnId(1), B: ConnId(2), C: ConnId(3)}
AGENT = "troupe/test"


class ChainStage:
    """One chain actor and its reader alone; every method leaves the pump idle."""

    def __init__(
        self,
        *chain: Block,
        path: Path | None = None,
        store: Store | None = None,
        network: Network = EASY,
        seed: int = 1,
        max_pending: int = MAX_PENDING_BLOCKS,
        signatures: Signatures | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.pump = Pump(seed, self.clock)
        self.messaging = Probe(self.pump, "messaging")
        self.peers = Probe(self.pump, "peers")
        self.gossip = Probe(self.pump, "gossip")
        self.search = Probe(self.pump, "search")
        self.mempool = Probe(self.pump, "mempool")
        self.miner = Probe(self.pump, "miner")
        self.events = Probe(self.pump, "events")
        self.provided = Probe(self.pump, "provided")
        self.supervisor = Probe(self.pump, "supervisor")
        self.store = store or Store.open(path, network)
        self.network = network
        self._tickets = 0
        neighbours = Neighbours(
            messaging=self.messaging.address,
            peers=self.peers.address,
            gossip=self.gossip.address,
            search=self.search.address,
            mempool=self.mempool.address,
            miner=self.miner.address,
            events=self.events.address,
            supervisor=self.supervisor.address,
        )
        self.chain = stage(
            self.pump,
            "chain",
            lambda me: ChainActor(
                store=self.store,
                network=network,
                agent=AGENT,
                clock=self.clock,
                me=me,
                neighbours=neighbours,
                signatures=signatures,
                max_pending=max_pending,
            ),
        )
        self.reader = stage(
            self.pump,
            "reader",
            lambda me: ReaderActor(
                store=self.store.reader(),
                me=me,
                messaging=self.messaging.address,
                peers=self.provided.address,
                supervisor=self.supervisor.address,
            ),
        )
        self.pump.run_until_idle()
        if chain:
            self.gossiped(*chain)
            self.forget()

    def forget(self) -> None:
        """Empty every probe."""
        for probe in (
            self.messaging,
            self.peers,
            self.gossip,
            self.search,
            self.mempool,
            self.miner,
            self.events,
        ):
            probe.take()

    def tell(self, message: object) -> None:
        self.chain.tell(message)
        self.pump.run_until_idle()

    def info(self) -> ChainInfo:
        return self.pump.ask(self.chain, GetChain())

    # -- peers ------------------------------------------------------------------------------------

    def link(self, peer: PeerId) -> None:
        self.tell(PeerLinked(peer, CONNS[peer], initiated=True, first=True))

    def link_troupe(self, peer: PeerId, *chain: Block) -> None:
        """A peer of our kind whose tip is the last of ``chain``."""
        self.link(peer)
        self.answer(self.status_of(chain[-1] if chain else self.network.genesis))

    def link_legacy(self, peer: PeerId) -> None:
        self.link(peer)
        self.answer(None)

    def status_of(self, tip: Block, network: Network | None = None) -> bytes:
        network = network or self.network
        return wire.encode_status(
            wire.Status(network.name, network.genesis.hash, tip.number, tip.hash, "troupe/peer")
        )

    def answer(self, payload: bytes | None) -> None:
        """Answer the newest request."""
        request = self.messaging.of(SendRequest)[-1]
        self.tell(Response(request.token, request.conn, payload))

    def requests(self) -> list[SendRequest]:
        """Taken: the requests sent since."""
        taken = [m for m in self.messaging.messages if isinstance(m, SendRequest)]
        self.messaging.take()
        return taken

    def ask_by_wire(self, peer: PeerId, kind: str, payload: bytes) -> list[object]:
        """A peer's request; what messaging was told in turn."""
        self.messaging.take()
        actor = self.reader if kind == wire.GET_BLOCKS_KIND else self.chain
        actor.tell(Received((Inbound(CONNS[peer], MessageType.REQUEST, 7, kind, payload),)))
        self.pump.run_until_idle()
        return self.messaging.take()

    # -- blocks -----------------------------------------------------------------------------------

    def gossiped(self, *blocks: Block, peer: PeerId = A) -> list[Decision]:
        return self.gossiped_raw(*raws(blocks), peer=peer)

    def gossiped_raw(self, *payloads: bytes, peer: PeerId = A) -> list[Decision]:
        """Gossip in one batch; the decisions in order."""
        first = self._tickets
        items = tuple(
            GossipItem(first + n, "bc:new_block", payload, peer, CONNS[peer])
            for n, payload in enumerate(payloads)
        )
        self._tickets += len(items)
        self.tell(GossipReceived(items))
        verdicts = self.gossip.of(Verdicts)[-1]
        assert [ticket for ticket, _ in verdicts.decisions] == [item.ticket for item in items]
        return [decision for _, decision in verdicts.decisions]

    def published(self) -> list[bytes]:
        return [publish.payload for publish in self.gossip.of(Publish)]

    def changes(self) -> list[TipChanged]:
        return self.mempool.of(TipChanged)

    # -- searches ---------------------------------------------------------------------------------

    def searched(self) -> StartSearch:
        """The search of the moment."""
        search: StartSearch = self.search.messages[-1]
        return search

    def found(self, block: Block | bytes | None, conn: ConnId | None = None) -> None:
        """End the search of the moment."""
        search = self.searched()
        answer = block.raw if isinstance(block, Block) else block
        self.tell(SearchEnded(search.token, answer, conn if answer is not None else None))

    def walk(self, blocks: Sequence[Block], conn: ConnId) -> None:
        """Answer every search out of ``blocks`` until one is not for them."""
        known = {block.hash: block for block in blocks}
        seen = -1
        while len(self.search.messages) > seen and self.searched().query in known:
            seen = len(self.search.messages)
            self.found(known[self.searched().query], conn)
            if len(self.search.messages) == seen:
                return
