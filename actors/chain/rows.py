"""Rows of the store as values: what every part of it reads them by."""

from __future__ import annotations

from actors.chain.schema import StoreError
from actors.chain.tree import Header, Status
from actors.ledger.codec import decode_block
from actors.ledger.types import Block
from actors.ledger.violation import Violation


def decode_stored(raw: bytes) -> Block:
    """The block of bytes that were checked before they were stored.

    Raises:
        StoreError: They are no block: the file is damaged.
    """
    block = decode_block(raw)
    if isinstance(block, Violation):
        message = "a stored block cannot be read: run `troupe verify`"
        raise StoreError(message)
    return block


def header_of(row: tuple[bytes, int, bytes, int] | None) -> Header | None:
    """The header of a row of hash, number, parent's hash and status."""
    return None if row is None else Header(row[0], row[1], row[2], Status(row[3]))
