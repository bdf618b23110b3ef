"""Who waits for a block of the miner's: values that the actor keeps between two messages."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from actors.ledger.types import Block, BlockRef
from actors.miner.messages import MinerRefusal


@dataclass(frozen=True, slots=True)
class Generate:
    """Somebody waits for a block to this coinbase."""

    coinbase: bytes
    token: object
    answer: Future[BlockRef | MinerRefusal]


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A found block that the chain has not yet judged, and who waits for it."""

    block: Block
    generate: Generate | None
