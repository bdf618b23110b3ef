"""The payloads of `chain:status` and `chain:get_blocks` (WIRE: extensions).

What a peer sends is read strictly: None means that it is not of this form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from actors.chain.locator import MAX_LOCATOR_HASHES
from actors.ledger.codec import decode_block
from actors.ledger.types import MAX_INTEGER, Block
from actors.ledger.violation import Violation

STATUS_KIND = "chain:status"
GET_BLOCKS_KIND = "chain:get_blocks"

MAX_BATCH_BLOCKS = 128
MAX_BATCH_BYTES = 512 * 1024

_HASH = rb"[0-9a-f]{64}"
_STATUS = re.compile(
    rb"([a-z0-9-]{1,32}),(%b),(0|[1-9][0-9]{0,18}),(%b),([\x21-\x2b\x2d-\x7e]{1,64})"
    % (_HASH, _HASH)
)
_LOCATOR = re.compile(rb"%b(?:,%b){0,%d}" % (_HASH, _HASH, MAX_LOCATOR_HASHES - 1))


@dataclass(frozen=True, slots=True)
class Status:
    """Where a node stands: its network, its tip, and what it runs (``troupe/0.1.0``). Value."""

    network: str
    genesis_hash: bytes
    height: int
    tip_hash: bytes
    agent: str


def encode_status(status: Status) -> bytes:
    """The payload of a question or an answer."""
    return (
        f"{status.network},{status.genesis_hash.hex()},{status.height},{status.tip_hash.hex()},"
        f"{status.agent}"
    ).encode()


def decode_status(payload: bytes) -> Status | None:
    """The status of a payload, or None."""
    match = _STATUS.fullmatch(payload)
    if match is None or int(match[3]) > MAX_INTEGER:
        return None
    network, genesis, height, tip, agent = (part.decode("ascii") for part in match.groups())
    return Status(network, bytes.fromhex(genesis), int(height), bytes.fromhex(tip), agent)


def encode_locator(hashes: Iterable[bytes]) -> bytes:
    """The payload of a request for blocks."""
    return ",".join(block_hash.hex() for block_hash in hashes).encode()


def decode_locator(payload: bytes) -> tuple[bytes, ...] | None:
    """The hashes of a request, newest first, or None."""
    if _LOCATOR.fullmatch(payload) is None:
        return None
    return tuple(bytes.fromhex(part) for part in payload.decode("ascii").split(","))


def encode_batch(raws: Iterable[bytes]) -> bytes:
    """As many of the blocks as a batch takes; one is always taken, so that every batch is progress."""
    batch: list[bytes] = []
    size_bytes = 0
    for raw in raws:
        size_bytes += len(raw) + 1
        if batch and size_bytes > MAX_BATCH_BYTES:
            break
        batch.append(raw)
        if len(batch) == MAX_BATCH_BLOCKS:
            break
    return b"\n".join(batch)


def decode_batch(payload: bytes) -> tuple[Block, ...] | None:
    """The blocks of an answer, or None."""
    if not payload:
        return ()
    if payload.count(b"\n") >= MAX_BATCH_BLOCKS:
        return None
    blocks: list[Block] = []
    for raw in payload.split(b"\n"):
        block = decode_block(raw)
        if isinstance(block, Violation):
            return None
        blocks.append(block)
    return tuple(blocks)
