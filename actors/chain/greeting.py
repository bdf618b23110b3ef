"""`chain:status`: where a peer stands, and with it which kind of peer it is (WIRE: extensions)."""

from __future__ import annotations

import logging

from actors.chain.room import Room
from actors.chain.sync import STATUS_TIMEOUT_S, credible_height
from actors.chain.wire import STATUS_KIND, Status, decode_status, encode_status
from actors.gossip.messages import PublishTo
from actors.messaging.messages import Response, SendRequest
from actors.peers.messages import Classify, DropPeer, PeerId, PeerKind
from actors.runtime.restraint import Restraint
from actors.tcp.messages import CloseReason, ConnId

log = logging.getLogger(__name__)


class Greeting:
    """Asks every new peer for its status, tells ours, and classifies the peer by the outcome."""

    def __init__(self, room: Room, agent: str) -> None:
        self._store, self._network, self._table = room.store, room.network, room.table
        self._to, self._me, self._tokens = room.to, room.me, room.tokens
        self._clock, self._agent = room.clock, agent
        self._strangers = Restraint(log)
        self._asked: dict[int, PeerId] = {}
        """By token. Each is answered or reported absent once, so it is as bounded as the peers."""

    def ask(self, peer: PeerId, conn: ConnId) -> None:
        """Ask for a status; one more question to the same peer does no harm."""
        token = next(self._tokens)
        self._asked[token] = peer
        self._to.messaging.tell(
            SendRequest(conn, STATUS_KIND, self.status(), token, self._me, STATUS_TIMEOUT_S)
        )

    def ask_anew(self) -> None:
        """Ask all of our kind again, and believe in no height until they answer."""
        for peer, conn in self._table.forget_heights():
            self.ask(peer, conn)

    def status(self) -> bytes:
        """Our own."""
        tip, genesis = self._store.tip(), self._network.genesis
        return encode_status(
            Status(self._network.name, genesis.hash, tip.number, tip.hash, self._agent)
        )

    def forget(self) -> None:
        """The links are gone; what is still outstanding is reported absent and means nothing."""
        self._asked.clear()

    def on_response(self, response: Response) -> PeerKind | None:
        """Take the answer to a question of ours; what the peer turned out to be, if it was one."""
        peer = self._asked.pop(response.token, None)
        known = self._table.get(peer)
        if peer is None or known is None or known.conn != response.conn:
            return None  # not ours, or asked on a connection that was lost since
        self._table.trust(peer)
        status = None if response.payload is None else decode_status(response.payload)
        if status is not None:
            self.learn(peer, status)
            return PeerKind.TROUPE
        if known.kind is PeerKind.TROUPE:
            return None  # it spoke our language before: it is only slow
        self._on_legacy(peer, known.conn)
        return PeerKind.LEGACY

    def learn(self, peer: PeerId, status: Status) -> None:
        """Take a status, whether asked for or told along with the peer's own question."""
        if (status.network, status.genesis_hash) != (
            self._network.name,
            self._network.genesis.hash,
        ):
            told = (peer, status.network)
            self._strangers.warning(self._clock.now_s(), "%s is of another network, %s", *told)
            known = self._table.get(peer)
            conn = None if known is None else known.conn
            self._to.peers.tell(DropPeer(peer, CloseReason.OTHER_NETWORK, conn))
            return
        self._to.peers.tell(Classify(peer, PeerKind.TROUPE, status.agent, status.height))
        ours, theirs = self._store.tip(), self._store.header(status.tip_hash)
        height = credible_height(status.height, theirs, ours.number)
        self._table.classify(peer, PeerKind.TROUPE, status.agent, height)

    def heard_of(self, peer: PeerId, height: int) -> None:
        """A peer of ours has a higher block than we knew of: people see that, too."""
        known = self._table.get(peer)
        if known is not None and self._table.heard_of(peer, height):
            self._to.peers.tell(Classify(peer, PeerKind.TROUPE, known.agent, height))

    def _on_legacy(self, peer: PeerId, conn: ConnId) -> None:
        """It learns of a chain only from a gossiped block: send it our tip (WIRE: field, 6)."""
        self._table.classify(peer, PeerKind.LEGACY, None, None)
        self._to.peers.tell(Classify(peer, PeerKind.LEGACY, None, None))
        tip = self._store.tip()
        raw = self._store.raw(tip.hash)
        if tip.number > 0 and raw is not None:
            self._to.gossip.tell(PublishTo((conn,), "bc:new_block", raw))
