"""The decisions of getting blocks from others: whom to ask, what to believe, when to give up.

Values in, values out: the shells around it (`greeting`, `download`, `walkback`) send and receive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum

from actors.chain.locator import MAX_LOCATOR_HASHES, locator_numbers, make_locator
from actors.chain.tree import Header
from actors.chain.wire import MAX_BATCH_BLOCKS, MAX_BATCH_BYTES, decode_batch
from actors.config import KIB, MIB
from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.state import check_header
from actors.ledger.types import Block, BlockRef
from actors.ledger.violation import Rule, Violation
from actors.tcp.messages import ConnId

STATUS_TIMEOUT_S = 3.0
"""WIRE: extensions. No answer by then: the peer is of the old kind."""
BATCH_TIMEOUT_S = 10.0
"""Half a megabyte over a slow line; a peer that needs longer is slower than another will be."""
ASK_AGAIN_S = 30.0
"""After a download failed with nobody else to ask: a busy peer may have time again."""
SEARCH_TIMEOUTS_S = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""WIRE: extensions, the walk back. Unanswered for two minutes, the walk gives up."""
YIELDING_ATTEMPT = 3
"""From this one on, when all have been asked and eight seconds were over, a walk lets others go first. It may be
that nobody has its block, and a block that stands on nothing is made as fast as any other."""
MAX_PENDING_BLOCKS = 1_000_000
"""WIRE: limits. A longer walk is not worth its disk."""
MAX_KNOWN_BATCHES = 16
"""In a row, from one peer. Finding a fork takes `next_locator` as many as the doublings from a batch to
the widest gap of a locator: 14 on a chain of four million blocks."""

FRAME_OVERHEAD_BYTES = 64
"""Type, id, kind and search id around a block: 43 bytes in a ``search_response:block``."""


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
    WORKLESS = "a block without proof of work"
    INVALID = "an invalid block"
    INVALIDATED = "a chain that is not followed by the operator's word"


POINTS = {
    BatchFault.NO_ANSWER: 10,
    BatchFault.EMPTY: 10,
    BatchFault.MALFORMED: 20,
    BatchFault.UNLINKED: 20,
    BatchFault.NO_PROGRESS: 10,
    BatchFault.NAMED: 10,
    BatchFault.SHORT: 10,
    BatchFault.KNOWN: 0,
    BatchFault.WORKLESS: 100,
    BatchFault.INVALID: 20,
    BatchFault.INVALIDATED: 0,
}
"""WIRE: limits, score. 20 for what no node of ours sends. 10 for what an honest one does rarely: when it is
overloaded, or its tip went back. Nothing for what an honest one may do all the time: it has much of the
branch that we have, or does not share our operator's opinion. Half of it is forgotten in a minute, and
between two faults of a peer there are `ASK_AGAIN_S`: tens never add up to a ban."""


def gossip_points(violation: Violation, *, is_ours: bool) -> int:
    """For who gossiped a block that breaks a rule; ``is_ours``: it is of our kind.

    WIRE: limits, score. All check the proof of work before they relay a block, only our kind the rest.
    """
    if violation.rule is Rule.WORK:
        return 100
    return 20 if is_ours else 0


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
        violation = check_header(network, block)
        if violation is None and len(block.raw) > longest_block_bytes(network):
            return BatchFault.INVALID
        if violation is not None:
            return BatchFault.WORKLESS if violation.rule is Rule.WORK else BatchFault.INVALID
        number, parent_hash = block.number, block.hash
    if number <= expected.beyond:
        return BatchFault.NO_PROGRESS
    if not expected.named.isdisjoint(block.hash for block in blocks):
        return BatchFault.NAMED
    return BatchFault.SHORT if len(blocks[0].raw) + 1 <= expected.room_bytes else None


def longest_block_bytes(network: Network) -> int:
    """WIRE: limits, gossip payload. No valid block is longer: the fields of `ed25519` have fixed lengths. On
    `p192-sha1`, where the field does not even check how many transactions a block has, it is what fits a frame
    both as gossip and as the answer to a search: a longer one could be taken and not be passed on.
    """
    if network.key_scheme == "p192-sha1":
        return MIB - FRAME_OVERHEAD_BYTES
    return max(16 * KIB, KIB * (network.max_transactions_per_block + 1))


def room_bytes(blocks: Sequence[Block], claimed: int) -> int:
    """The bytes that an answer left unused though its sender claimed blocks up to ``claimed``.

    0: it is a full one, or reached what was claimed when it was asked for.
    """
    if len(blocks) == MAX_BATCH_BLOCKS or blocks[-1].number >= claimed:
        return 0
    return max(0, MAX_BATCH_BYTES - sum(len(block.raw) + 1 for block in blocks))


def next_locator(
    tip: int,
    hash_at: Callable[[int], bytes | None],
    last: BlockRef | None,
    received: Mapping[int, bytes] | None = None,
) -> tuple[bytes, ...]:
    """The locator of the next request; ``last`` is the last block received.

    While that is still one of our own canonical blocks, the fork is above it: doubling steps upwards
    from there find it, however wide the gap of the first locator that it is in.

    Args:
        tip: The number of our own.
        hash_at: Our canonical chain.
        last: The last block received; None: of no block of this branch is it known who has it.
        received: It and its ancestors, by number, as far as they are not stored yet.
    """
    if received and last is not None:
        numbers = locator_numbers(last.number, MAX_LOCATOR_HASHES)
        hashes = ((received.get(n) or hash_at(n)) for n in numbers)
        return tuple(block_hash for block_hash in hashes if block_hash is not None)
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
    is_sound = check_header(network, block) is None
    return block if is_sound and len(block.raw) <= longest_block_bytes(network) else None
