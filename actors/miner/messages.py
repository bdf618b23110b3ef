"""The public face of the miner room: start, stop, generate, and what it has done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from actors.ledger.types import Block, BlockRef
from actors.runtime.address import Ask


class MinerRefusal(Enum):
    """Why a command to the miner was not followed."""

    NO_COINBASE = "no-coinbase"
    BAD_COINBASE = "bad-coinbase"
    BAD_THREADS = "bad-threads"
    GENERATE_NOT_ALLOWED = "generate-not-allowed"
    BUSY = "busy"
    BLOCK_REJECTED = "block-rejected"
    STOPPED = "stopped"
    UNSTORED = "unstored"
    """No block can be stored for now (see StoreFault)."""


@dataclass(frozen=True, slots=True)
class MinerInfo:
    """The miner as people see it. Value.

    Attributes:
        hash_rate: Hashes a second, a moving average; 0 while it does not mine.
        engine: The kernel that scans.
        native: Whether that is the native scan's.
        engine_note: Why it is that engine; empty: as it should be.
    """

    mining: bool
    threads: int
    coinbase: bytes
    hash_rate: float
    hashes: int
    blocks_found: int
    blocks_stale: int
    template_height: int | None
    engine: str
    native: bool
    engine_note: str


@dataclass(frozen=True, slots=True)
class StartMining(Ask["MinerRefusal | None"]):
    """Mine until told to stop; None keeps what was configured. None: done. Ask: refusal or None."""

    threads: int | None = None
    coinbase: bytes | None = None


@dataclass(frozen=True, slots=True)
class UpdateMiner(Ask["MinerRefusal | None"]):
    """Mine with so many threads, or for this coinbase, from now on or when next started; None keeps
    what is. Other threads go on with the same template. None: done. Ask: refusal or None.
    """

    threads: int | None = None
    coinbase: bytes | None = None


@dataclass(frozen=True, slots=True)
class StopMining(Ask[None]):
    """Stop the scan at once. Ask: None."""


@dataclass(frozen=True, slots=True)
class GetMiner(Ask[MinerInfo]):
    """Ask: MinerInfo."""


@dataclass(frozen=True, slots=True)
class GenerateBlock(Ask[BlockRef | MinerRefusal]):
    """Mine one block now, on networks whose definition allows it; answered when it is on the chain. A
    run of blocks is a run of these. ``token`` names who waits, for AbandonGenerate. Ask: BlockRef or
    refusal.
    """

    coinbase: bytes | None = None
    token: object = None


@dataclass(frozen=True, slots=True)
class AbandonGenerate:
    """Nobody waits any more for what was asked under this token. Tell."""

    token: object


@dataclass(frozen=True, slots=True)
class BlockTemplate:
    """A block but for its nonce, whose decimal text stands between ``prefix`` and ``suffix``. Value.

    Attributes:
        block: At nonce 0.
        difficulty: Leading zero hex digits of a hash that solves it.
    """

    parent: BlockRef
    block: Block
    difficulty: int
    prefix: bytes
    suffix: bytes


@dataclass(frozen=True, slots=True)
class GetTemplate(Ask[BlockTemplate | MinerRefusal]):
    """The block that would be scanned now, whether or not it is; for the configured coinbase where None is
    given. Ask: BlockTemplate or refusal.
    """

    coinbase: bytes | None = None


@dataclass(frozen=True, slots=True)
class MinerChanged:
    """Mining started or stopped. Event."""

    mining: bool


MinerCommand = (
    StartMining
    | UpdateMiner
    | StopMining
    | GetMiner
    | GetTemplate
    | GenerateBlock
    | AbandonGenerate
)
