"""The public face of the chain room: blocks in, the canonical chain and its changes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from actors.ledger.types import Account, Block, BlockRef, Transaction
from actors.ledger.violation import Violation
from actors.runtime.address import Address, Ask


class BlockOutcome(Enum):
    """What became of a submitted block."""

    CONNECTED = "connected"
    """It is the new tip, or led to one."""
    SIDE_BRANCH = "side-branch"
    """Stored; its branch is not the longest."""
    KNOWN = "known"
    ORPHAN = "orphan"
    """Held while its ancestors are searched."""
    INVALID = "invalid"
    """It breaks a rule: see the violation."""
    VALID = "valid"
    """Only checked, on request: it would connect."""


@dataclass(frozen=True, slots=True)
class BlockVerdict:
    """The verdict on one block; ``hash`` None where it could not be decoded. Value."""

    outcome: BlockOutcome
    hash: bytes | None
    violation: Violation | None = None


class SyncState(Enum):
    """What the room is doing about the chains of others."""

    IDLE = "idle"
    DOWNLOADING = "downloading"
    WALKING_BACK = "walking-back"


@dataclass(frozen=True, slots=True)
class ChainInfo:
    """The chain as people see it. Value."""

    tip: BlockRef
    genesis_hash: bytes
    sync: SyncState
    best_known_height: int
    orphans: int
    side_blocks: int
    supply: int


@dataclass(frozen=True, slots=True)
class BlockView:
    """A stored block; ``canonical``: on the best chain, with so many blocks on top, itself included
    (0 on a side branch). Value.
    """

    block: Block
    canonical: bool
    confirmations: int


@dataclass(frozen=True, slots=True)
class TransactionView:
    """An included transaction and where it stands. Value."""

    transaction: Transaction
    block: BlockRef
    index: int
    confirmations: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as of a block. Value."""

    address: bytes
    account: Account
    at: BlockRef


# -- commands and questions -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubmitBlock(Ask[BlockVerdict]):
    """Take a serialized block of our own miner or user. Ask: BlockVerdict."""

    raw: bytes
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class BlockMined:
    """Our miner found a block on the tip that it knew. Tell; answered with MinedVerdict."""

    block: Block
    reply_to: Address[MinedVerdict]


@dataclass(frozen=True, slots=True)
class MinedVerdict:
    """What became of a BlockMined. Tell."""

    verdict: BlockVerdict


@dataclass(frozen=True, slots=True)
class GetChain(Ask[ChainInfo]):
    """Ask: ChainInfo."""


@dataclass(frozen=True, slots=True)
class GetBlock(Ask["BlockView | None"]):
    """By hash, or by number on the canonical chain: exactly one is given. Ask: BlockView or None."""

    hash: bytes | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class ListBlocks(Ask[tuple[BlockView, ...]]):
    """Canonical blocks from number ``start`` downwards, at most ``limit``. Ask: tuple of BlockView."""

    start: int
    limit: int


@dataclass(frozen=True, slots=True)
class GetTransaction(Ask["TransactionView | None"]):
    """On the canonical chain. Ask: TransactionView or None."""

    tx_id: bytes


@dataclass(frozen=True, slots=True)
class GetAccount(Ask["AccountView | None"]):
    """At the tip, or as of canonical block ``at_number``; None when that block does not exist (an
    address never seen has an empty account). Ask: AccountView or None.
    """

    address: bytes
    at_number: int | None = None


# -- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TipChanged:
    """The canonical chain moved, and is committed: ``disconnected`` blocks newest first (empty unless
    a reorganisation), then ``connected`` ones oldest first. Told at start too, with no blocks. Tell.
    """

    tip: BlockRef
    connected: tuple[Block, ...] = ()
    disconnected: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockDigest:
    """A block without its transactions, as news of it. Value."""

    number: int
    hash: bytes
    parent_hash: bytes
    coinbase: bytes
    transaction_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class TipMoved:
    """What the outside hears of a TipChanged: small, since many are kept. The newest
    ``MAX_DIGESTS`` blocks each way, ``connected`` oldest first, ``disconnected`` newest first, and how
    many there were. Event.
    """

    tip: BlockRef
    connected: tuple[BlockDigest, ...]
    disconnected: tuple[BlockDigest, ...]
    connected_count: int
    disconnected_count: int


MAX_DIGESTS = 1_000
"""Each way: some 300 KB in the admin API, well below the 4 MiB of its messages."""


def tip_moved(change: TipChanged) -> TipMoved:
    """The news of a change."""
    return TipMoved(
        change.tip,
        tuple(map(digest_of, change.connected[-MAX_DIGESTS:])),
        tuple(map(digest_of, change.disconnected[:MAX_DIGESTS])),
        len(change.connected),
        len(change.disconnected),
    )


def digest_of(block: Block) -> BlockDigest:
    """The block in short."""
    return BlockDigest(
        number=block.number,
        hash=block.hash,
        parent_hash=block.parent_hash,
        coinbase=block.coinbase,
        transaction_count=len(block.transactions),
        size_bytes=len(block.raw),
    )


ChainCommand = (
    SubmitBlock | BlockMined | GetChain | GetBlock | ListBlocks | GetTransaction | GetAccount
)
