"""The public face of the chain room: blocks in, the canonical chain and its changes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from actors.ledger.types import Account, Block, BlockRef, Transaction
from actors.ledger.violation import Violation
from actors.runtime.address import Address, Ask, Look


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
    INVALIDATED = "invalidated"
    """Stored; it or an ancestor is not followed by the operator's word."""
    UNSTORED = "unstored"
    """The store takes nothing for now (see StoreFault). Says nothing about the block."""


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
class SyncProgress:
    """How far the room is in getting the chains of others. Value.

    Attributes:
        done: Blocks obtained and imported since it began.
        total: Those, and the ones that are still missing as far as is known.
        blocks_per_s: Over the last seconds.
        left_s: At that rate; None: it stands still.
    """

    done: int
    total: int
    blocks_per_s: float
    left_s: float | None


@dataclass(frozen=True, slots=True)
class ChainInfo:
    """The chain as people see it; ``progress`` None while it is idle. Accounts can be asked for as of block
    ``history_start`` and later. Value.
    """

    tip: BlockRef
    genesis_hash: bytes
    sync: SyncState
    best_known_height: int
    orphans: int
    side_blocks: int
    supply: int
    progress: SyncProgress | None = None
    history_start: int = 0


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


@dataclass(frozen=True, slots=True)
class HistoryPruned:
    """Accounts as of that block are kept no more: the oldest for which they are has number ``start``.
    Value.
    """

    start: int


@dataclass(frozen=True, slots=True)
class AccountsPage:
    """Accounts as of a block, by the bytes of their addresses; ``next_start`` begins the next page,
    None: this is the last. Value.
    """

    at: BlockRef
    accounts: tuple[AccountView, ...]
    next_start: bytes | None


class TipStatus(Enum):
    """What is known of a branch."""

    CANONICAL = "canonical"
    VALID = "valid"
    """Executed once, and shorter than the canonical one or a later equal."""
    UNEXECUTED = "unexecuted"
    """It was never the longest, so its transactions were never looked at."""
    INVALID = "invalid"
    """It has a block that breaks a rule."""
    INVALIDATED = "invalidated"
    """It has a block that is not followed by the operator's word."""


@dataclass(frozen=True, slots=True)
class TipView:
    """The end of a branch; ``fork`` is the canonical block that it stands on, so many blocks below.
    Value.
    """

    tip: BlockRef
    status: TipStatus
    fork: BlockRef

    @property
    def length(self) -> int:
        return self.tip.number - self.fork.number


@dataclass(frozen=True, slots=True)
class TipCursor:
    """Where a page of tips begins: a tip's number and the order of its arrival. Value."""

    number: int
    arrival: int


@dataclass(frozen=True, slots=True)
class TipsPage:
    """Tips, the highest and newest first; ``next_start`` begins the next page, None: this is the last.
    Value.
    """

    tips: tuple[TipView, ...]
    next_start: TipCursor | None


MAX_STEERED_BLOCKS = 10_000
"""That the operator's word may move at once, off the canonical chain and onto it: 100 MiB when they are
full, and seconds in which the room does nothing else."""


class SteerOutcome(Enum):
    """What came of an operator's word about a block."""

    DONE = "done"
    UNCHANGED = "unchanged"
    """It was so before, or the block breaks a rule anyhow."""
    NOT_FOUND = "not-found"
    GENESIS = "genesis"
    """Every chain stands on it."""
    TOO_DEEP = "too-deep"
    """More blocks would move than may at once."""
    UNSTORED = "unstored"
    """The store takes nothing for now (see StoreFault)."""


@dataclass(frozen=True, slots=True)
class SteerVerdict:
    """What came of it, the tip behind it, and how many blocks moved. Value."""

    outcome: SteerOutcome
    tip: BlockRef
    disconnected: int = 0
    connected: int = 0


# -- commands and questions -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubmitBlock(Ask[BlockVerdict]):
    """Take a serialized block of our own miner or user. Ask: BlockVerdict."""

    raw: bytes
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class ImportRun(Ask[tuple[BlockVerdict, ...]]):
    """Take serialized blocks of our user's, each the parent of the next, all in one transaction. A verdict
    for each, up to the first that is no block or does not stand on the one before it. None of them waits
    for its ancestors: one whose parent is not stored is an ORPHAN, and let go. Ask: tuple of BlockVerdict.
    """

    raws: tuple[bytes, ...]


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
class GetChain(Look[ChainInfo]):
    """Ask: ChainInfo."""


@dataclass(frozen=True, slots=True)
class GetBlock(Ask["BlockView | None"]):
    """By hash, or by number on the canonical chain: exactly one is given. Ask: BlockView or None."""

    hash: bytes | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class ListBlocks(Ask["tuple[BlockDigest, ...]"]):
    """Canonical blocks from number ``start`` downwards, at most ``limit``; from the tip, where ``start`` is
    None or above it. Ask: tuple of BlockDigest.
    """

    start: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class GetTransaction(Ask["TransactionView | None"]):
    """On the canonical chain. Ask: TransactionView or None."""

    tx_id: bytes


@dataclass(frozen=True, slots=True)
class GetAccount(Ask["AccountView | HistoryPruned | None"]):
    """At the tip, or as of canonical block ``at_number``; None when that block does not exist (an
    address never seen has an empty account). Ask: AccountView, HistoryPruned, None.
    """

    address: bytes
    at_number: int | None = None


@dataclass(frozen=True, slots=True)
class ListAccounts(Ask["AccountsPage | HistoryPruned | None"]):
    """Accounts from the address ``start`` on; at most ``limit`` are looked at, and those of balance 0 and
    nonce 0 are left out. At the tip, as of canonical block ``at``, or as of that very block; None when
    there is none such. Ask: AccountsPage, HistoryPruned, None.
    """

    limit: int
    start: bytes = b""
    at: int | BlockRef | None = None


@dataclass(frozen=True, slots=True)
class ListTips(Ask[TipsPage]):
    """The end of every branch, at most ``limit``, and fewer when branches are long. Ask: TipsPage."""

    limit: int
    start: TipCursor | None = None


@dataclass(frozen=True, slots=True)
class InvalidateBlock(Ask[SteerVerdict]):
    """Follow a stored block and its descendants no more, until ReconsiderBlock. Ask: SteerVerdict."""

    hash: bytes


@dataclass(frozen=True, slots=True)
class ReconsiderBlock(Ask[SteerVerdict]):
    """Take back what InvalidateBlock said of a block and of its ancestors. Ask: SteerVerdict."""

    hash: bytes


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
class StoreFault:
    """No block can be stored from now on, and why, so that to mine is in vain; None: they can again. Told at
    each change; a new incarnation of the room begins with a store that works, and says so. Tell.
    """

    reason: str | None


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


ChainCommand = SubmitBlock | ImportRun | BlockMined | GetChain | InvalidateBlock | ReconsiderBlock
ReaderCommand = GetBlock | ListBlocks | GetTransaction | GetAccount | ListAccounts | ListTips
"""What the reader answers."""
