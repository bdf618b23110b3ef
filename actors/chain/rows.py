"""Rows of the store as values: what every part of it reads them by."""

from __future__ import annotations

from hashlib import sha256

from actors.chain.schema import REMEDY, StoreError
from actors.chain.tree import Header, Status
from actors.ledger.codec import decode_block
from actors.ledger.types import Block
from actors.ledger.violation import Violation


def decode_stored(raw: bytes, block_hash: bytes | None = None) -> Block:
    """The block of bytes that were checked before they were stored, under ``block_hash``.

    Raises:
        StoreError: They are no block, or another one: the file is damaged.
    """
    block = decode_block(raw)
    if isinstance(block, Violation) or block_hash not in (None, block.hash):
        raise _unreadable()
    return block


def checked_raw(raw: bytes, block_hash: bytes) -> bytes:
    """The bytes of a block that somebody relies on, without a look at what is in them.

    Raises:
        StoreError: They are not those of ``block_hash``: the file is damaged.
    """
    if sha256(raw).digest() != block_hash:
        raise _unreadable()
    return raw


def _unreadable() -> StoreError:
    return StoreError(f"a stored block cannot be read: {REMEDY}")


def header_of(row: tuple[bytes, int, bytes, int] | None) -> Header | None:
    """The header of a row of hash, number, parent's hash and status."""
    return None if row is None else Header(row[0], row[1], row[2], Status(row[3]))
