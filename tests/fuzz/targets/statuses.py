"""Statuses, locators and batches of blocks: what is read is written back byte for byte."""

from __future__ import annotations

from actors.chain.locator import MAX_LOCATOR_HASHES
from actors.chain.wire import (
    MAX_BATCH_BLOCKS,
    MAX_BATCH_BYTES,
    decode_batch,
    decode_locator,
    decode_status,
    encode_batch,
    encode_locator,
    encode_status,
)
from actors.ledger.types import HASH_BYTES, MAX_INTEGER


def one_input(data: bytes) -> None:
    status = decode_status(data)
    if status is not None:
        assert encode_status(status) == data
        assert 0 <= status.height <= MAX_INTEGER
    locator = decode_locator(data)
    if locator is not None:
        assert encode_locator(locator) == data
        assert 1 <= len(locator) <= MAX_LOCATOR_HASHES
        assert {len(block_hash) for block_hash in locator} == {HASH_BYTES}
    batch = decode_batch(data)
    if batch is not None:
        raws = [block.raw for block in batch]
        assert len(batch) <= MAX_BATCH_BLOCKS
        assert b"\n".join(raws) == data
        if len(data) < MAX_BATCH_BYTES:
            assert encode_batch(raws) == data
