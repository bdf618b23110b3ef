"""The decisions of getting blocks from others: whom to ask, what to believe, when to give up.

Values in, values out: the shells around it (`greeting`, `download`, `walkback`) send and receive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from actors.chain.tree import Header
from actors.chain.wire import decode_batch
from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.state import check_header
from actors.ledger.types import Block
from actors.ledger.violation import Violation
from actors.peers.messages import PeerId, PeerKind
from actors.tcp.messages import ConnId

STATUS_TIMEOUT_S = 3.0
"""WIRE: extensions. No answer by then: the peer is of the old kind."""
BATCH_TIMEOUT_S = 10.0
"""Half a megabyte over a slow line; a peer that needs longer is slower than another will be."""
ASK_AGAIN_S = 30.0
"""After a download failed with nobody else to ask: a busy peer may have time again."""
SEARCH_TIMEOUTS_S = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""WIRE: extensions, the walk back. Unanswered for two minutes, the walk gives up."""
MAX_PENDING_BLOCKS = 1_000_000
"""WIRE: limits. A longer walk is not worth its disk."""


# -- whom we know -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SyncPeer:
    """A peer as far as blocks are concerned; ``height`` None: not known, or not to be believed.
    Value.
    """

    conn: ConnId
    kind: PeerKind = PeerKind.UNKNOWN
    agent: str | None = None
    height: int | None = None


class PeerTable:
    """Every peer and its connections; as many as the peers room admits."""

    def __init__(self) -> None:
        self._peers: dict[PeerId, SyncPeer] = {}
        self._owner: dict[ConnId, PeerId] = {}

    def link(self, peer: PeerId, conn: ConnId) -> bool:
        """Note a connection. True when it is the peer's first: it carries what we send."""
        self._owner[conn] = peer
        if peer in self._peers:
            return False
        self._peers[peer] = SyncPeer(conn)
        return True

    def unlink(self, peer: PeerId, conn: ConnId, outbound: ConnId | None) -> None:
        """Forget a connection; ``outbound`` carries what we send now, None: the peer is gone."""
        self._owner.pop(conn, None)
        if outbound is None:
            self._peers.pop(peer, None)
        elif peer in self._peers:
            self._peers[peer] = replace(self._peers[peer], conn=outbound)

    def clear(self) -> None:
        self._peers.clear()
        self._owner.clear()

    def get(self, peer: PeerId | None) -> SyncPeer | None:
        return None if peer is None else self._peers.get(peer)

    def owner(self, conn: ConnId | None) -> PeerId | None:
        return None if conn is None else self._owner.get(conn)

    def is_troupe(self, peer: PeerId | None) -> bool:
        known = self.get(peer)
        return known is not None and known.kind is PeerKind.TROUPE

    def classify(self, peer: PeerId, kind: PeerKind, agent: str | None, height: int | None) -> None:
        """Note what a peer turned out to be."""
        known = self._peers.get(peer)
        if known is not None:
            self._peers[peer] = SyncPeer(known.conn, kind, agent, height)

    def heard_of(self, peer: PeerId, height: int) -> bool:
        """A peer has a block of this number. True when that is news of one of ours."""
        known = self._peers.get(peer)
        if known is None or known.kind is not PeerKind.TROUPE or height <= (known.height or 0):
            return False
        self._peers[peer] = replace(known, height=height)
        return True

    def forget_height(self, peer: PeerId) -> None:
        """The peer did not deliver what it claimed to have."""
        known = self._peers.get(peer)
        if known is not None:
            self._peers[peer] = replace(known, height=None)

    def highest_above(self, height: int) -> PeerId | None:
        """Of the peers that can be downloaded from, the one with the highest tip above ``height``."""
        above = [
            (known.height, peer)
            for peer, known in self._peers.items()
            if known.kind is PeerKind.TROUPE and known.height is not None and known.height > height
        ]
        return max(above, key=lambda entry: entry[0])[1] if above else None

    def best_height(self) -> int:
        """The highest tip that anybody claims to have."""
        return max((known.height or 0 for known in self._peers.values()), default=0)

    def another(self, conn: ConnId | None) -> ConnId | None:
        """Where to ask when ``conn`` gave no answer."""
        owner = self.owner(conn)
        return next((known.conn for p, known in self._peers.items() if p != owner), None)


# -- downloads from our kind ------------------------------------------------------------------------


class BatchFault(Enum):
    """Why an answer to `chain:get_blocks` ended the download from that peer."""

    NO_ANSWER = "no answer"
    EMPTY = "nothing, though it claimed more"
    MALFORMED = "malformed"
    UNLINKED = "blocks that do not link"
    NO_PROGRESS = "nothing beyond what it sent before"
    INVALID = "an invalid block"


def judge_batch(
    payload: bytes | None,
    network: Network,
    header: Callable[[bytes], Header | None],
    beyond: int,
) -> tuple[Block, ...] | BatchFault:
    """The blocks of an answer, if they are a run of blocks on one of ours that ends above ``beyond``."""
    if payload is None:
        return BatchFault.NO_ANSWER
    blocks = decode_batch(payload)
    if blocks is None:
        return BatchFault.MALFORMED
    if not blocks:
        return BatchFault.EMPTY
    parent = header(blocks[0].parent_hash)
    if parent is None:
        return BatchFault.UNLINKED
    number, parent_hash = parent.number, parent.hash
    for block in blocks:
        if block.parent_hash != parent_hash or block.number != number + 1:
            return BatchFault.UNLINKED
        if check_header(network, block) is not None:
            return BatchFault.INVALID
        number, parent_hash = block.number, block.hash
    return blocks if number > beyond else BatchFault.NO_PROGRESS


def credible_height(height: int, tip: Header | None, our_height: int) -> int | None:
    """What a status is worth: a tip above ours that we have (``tip``) is known to be invalid."""
    return None if height > our_height and tip is not None else height


# -- the walk back from others ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Walk:
    """The search for block ``wanted``, whose number must be ``number``. ``conn`` had its child. Value."""

    wanted: bytes
    number: int
    conn: ConnId | None
    token: int
    attempt: int = 0


def search_at(walk: Walk, another: ConnId | None) -> tuple[ConnId | None, float] | None:
    """Whom to ask (None: everybody) and for how many seconds; None: give up.

    First the peer that had the child, then another one, then all by gossip.
    """
    if walk.attempt >= len(SEARCH_TIMEOUTS_S):
        return None
    only = {0: walk.conn, 1: another}.get(walk.attempt)
    return only, SEARCH_TIMEOUTS_S[walk.attempt]


def judge_found(walk: Walk, answer: bytes, network: Network) -> Block | None:
    """The wanted block; None when it can be no ancestor: then its child is invalid as well."""
    block = decode_block(answer)
    if isinstance(block, Violation) or block.hash != walk.wanted or block.number != walk.number:
        return None
    return block if check_header(network, block) is None else None
