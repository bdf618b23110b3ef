"""The decisions of getting blocks from others: whom to ask, what to believe, when to give up.

Values in, values out: the shells around it (`greeting`, `download`, `walkback`) send and receive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum

from actors.chain.locator import MAX_LOCATOR_HASHES, locator_numbers, make_locator
from actors.chain.tree import Header
from actors.chain.wire import MAX_BATCH_BLOCKS, MAX_BATCH_BYTES, decode_batch
from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.state import check_header
from actors.ledger.types import Block, BlockRef
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
MAX_KNOWN_BATCHES = 16
"""In a row, from one peer. Finding a fork takes `next_locator` as many as the doublings from a batch to
the widest gap of a locator: 14 on a chain of four million blocks."""


# -- whom we know -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SyncPeer:
    """A peer as far as blocks are concerned. Value.

    Attributes:
        conn: Carries what we send it.
        kind: Which kind of peer it is.
        agent: What it says that it runs.
        height: Of its tip. None: not known, or not to be believed.
        doubted: It failed us: what it says unasked of its height does not count.
        reached: Where a download from it was broken off, if that is on a side branch.
    """

    conn: ConnId
    kind: PeerKind = PeerKind.UNKNOWN
    agent: str | None = None
    height: int | None = None
    doubted: bool = False
    reached: BlockRef | None = None


class PeerTable:
    """Every peer and its connections; as many as the peers room admits."""

    def __init__(self) -> None:
        self._peers: dict[PeerId, SyncPeer] = {}
        """In the order in which they have their turn at a download."""
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
            believed = None if known.doubted else height
            self._peers[peer] = replace(known, kind=kind, agent=agent, height=believed)

    def heard_of(self, peer: PeerId, height: int) -> bool:
        """A peer has a block of this number. True when that is news of one of ours."""
        known = self._peers.get(peer)
        if known is None or known.kind is not PeerKind.TROUPE or known.doubted:
            return False
        if height <= (known.height or 0):
            return False
        self._peers[peer] = replace(known, height=height)
        return True

    def forget_height(self, peer: PeerId, reached: BlockRef | None = None) -> None:
        """The peer did not deliver what it claimed to have: all others have their turn before it.

        Until :meth:`trust` it cannot claim a height again. ``reached``: as in `SyncPeer`.
        """
        known = self._peers.pop(peer, None)
        if known is not None:
            self._peers[peer] = replace(known, height=None, doubted=True, reached=reached)

    def forget_heights(self) -> tuple[tuple[PeerId, ConnId], ...]:
        """Know no height of our kind of peer any more, nor where downloads ended; whom to ask, and where."""
        ours = {p: known for p, known in self._peers.items() if known.kind is PeerKind.TROUPE}
        for peer, known in ours.items():
            self._peers[peer] = replace(known, height=None, reached=None)
        return tuple((peer, known.conn) for peer, known in ours.items())

    def trust(self, peer: PeerId) -> None:
        """We asked the peer again: what it says from now on counts."""
        known = self._peers.get(peer)
        if known is not None:
            self._peers[peer] = replace(known, doubted=False)

    def next_above(self, height: int) -> PeerId | None:
        """Of the peers with a tip above ``height`` that can be downloaded from, whose turn it is.

        Not the highest: a height costs nothing to claim. A peer that is new, or comes back under
        another name, is the last in turn, so nobody is kept from having one.
        """
        return next(
            (
                peer
                for peer, known in self._peers.items()
                if known.kind is PeerKind.TROUPE and (known.height or 0) > height
            ),
            None,
        )

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
    NAMED = "blocks that we named as ours"
    SHORT = "less than it has and than there was room for"
    KNOWN = "one batch after the other that we have"
    INVALID = "an invalid block"
    INVALIDATED = "a chain that is not followed by the operator's word"


@dataclass(frozen=True, slots=True)
class Expected:
    """What an honest answer to a request fulfils, whoever sends it. Value.

    Attributes:
        beyond: It ends above this number, that of the last block received.
        named: It holds none of the locator's blocks: it begins behind the newest that the peer has.
        room_bytes: Of the answer before it, when that was short: its first block did not fit in there.
    """

    beyond: int = 0
    named: AbstractSet[bytes] = frozenset()
    room_bytes: int = 0


def judge_batch(
    payload: bytes | None,
    network: Network,
    header: Callable[[bytes], Header | None],
    expected: Expected,
) -> tuple[Block, ...] | BatchFault:
    """The blocks of an answer, if they are a run of blocks on one of ours and as ``expected``."""
    if payload is None:
        return BatchFault.NO_ANSWER
    blocks = decode_batch(payload)
    if blocks is None:
        return BatchFault.MALFORMED
    if not blocks:
        return BatchFault.EMPTY
    return _fault_of_run(blocks, network, header(blocks[0].parent_hash), expected) or blocks


def _fault_of_run(
    blocks: Sequence[Block], network: Network, parent: Header | None, expected: Expected
) -> BatchFault | None:
    if parent is None:
        return BatchFault.UNLINKED
    number, parent_hash = parent.number, parent.hash
    for block in blocks:
        if block.parent_hash != parent_hash or block.number != number + 1:
            return BatchFault.UNLINKED
        if check_header(network, block) is not None:
            return BatchFault.INVALID
        number, parent_hash = block.number, block.hash
    if number <= expected.beyond:
        return BatchFault.NO_PROGRESS
    if not expected.named.isdisjoint(block.hash for block in blocks):
        return BatchFault.NAMED
    return BatchFault.SHORT if len(blocks[0].raw) + 1 <= expected.room_bytes else None


def room_bytes(blocks: Sequence[Block], claimed: int) -> int:
    """The bytes that an answer left unused though its sender claimed blocks up to ``claimed``.

    0: it is a full one, or reached what was claimed when it was asked for.
    """
    if len(blocks) == MAX_BATCH_BLOCKS or blocks[-1].number >= claimed:
        return 0
    return max(0, MAX_BATCH_BYTES - sum(len(block.raw) + 1 for block in blocks))


def next_locator(
    tip: int, hash_at: Callable[[int], bytes | None], last: BlockRef | None
) -> tuple[bytes, ...]:
    """The locator of the next request; ``last`` is the last block received.

    While that is still one of our own canonical blocks, the fork is above it: doubling steps upwards
    from there find it, however wide the gap of the first locator that it is in.
    """
    if last is None or hash_at(last.number) != last.hash:
        return make_locator(tip, hash_at, None if last is None else last.hash)
    above: list[int] = []
    step = MAX_BATCH_BLOCKS
    while last.number + step <= tip and len(above) < MAX_LOCATOR_HASHES // 2:
        above.append(last.number + step)
        step *= 2
    numbers = (*reversed(above), *locator_numbers(last.number, MAX_LOCATOR_HASHES - len(above)))
    return tuple(block_hash for n in numbers if (block_hash := hash_at(n)) is not None)


def credible_height(height: int, tip: Header | None, our_height: int) -> int | None:
    """What a status is worth: a tip above ours that we have (``tip``) is one that we do not follow."""
    return None if height > our_height and tip is not None else height


# -- the walk back from others ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Walk:
    """The search for block ``wanted``, the parent of pending block ``child``. Value.

    ``number`` is what its number must be; ``conn`` had the child.
    """

    child: bytes
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
