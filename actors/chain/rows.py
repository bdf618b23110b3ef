"""Rows of the store as values: what every part of it reads them by.

SQLite keeps what kind of value a column holds beside the value, and a bit of that may be another one, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from actors.chain.schema import REMEDY, StoreError
from actors.chain.tree import Header, Status
from actors.ledger.codec import decode_block
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block

_STATUSES = {int(status): status for status in Status}


def decode_stored(raw: object, block_hash: object = None) -> Block:
    """The block of bytes that were checked before they were stored, under ``block_hash``.

    Raises:
        StoreError: They are no block, or another one: the file is damaged.
    """
    block = decode_block(raw) if isinstance(raw, bytes) else None
    if not isinstance(block, Block) or block_hash not in (None, block.hash):
        raise _unreadable(block_hash)
    return block


def checked_raw(raw: object, block_hash: object) -> bytes:
    """The bytes of a block that somebody relies on, without a look at what is in them.

    Raises:
        StoreError: They are not those of ``block_hash``: the file is damaged.
    """
    if not isinstance(raw, bytes) or sha256(raw).digest() != block_hash:
        raise _unreadable(block_hash)
    return raw


def _unreadable(block_hash: object) -> StoreError:
    name = block_hash.hex() if isinstance(block_hash, bytes) else ""
    which = f"stored block {name}" if name else "a stored block"
    return StoreError(f"{which} cannot be read: {REMEDY}")


def header_of(row: Sequence[Any] | None) -> Header | None:
    """The header of a row of hash, number, parent's hash and status.

    Raises:
        StoreError: The row holds what none of ours does: the file is damaged.
    """
    if row is None:
        return None
    block_hash, number, parent_hash, status = row
    if status not in _STATUSES or not isinstance(number, int):
        raise _unreadable(block_hash)
    return Header(block_hash, number, parent_hash, _STATUSES[status])


def account_of(row: Sequence[Any] | None) -> Account:
    """The account of a row of balance and nonce; the empty one where there is no row.

    Raises:
        StoreError: The row holds what none of ours does: the file is damaged.
    """
    return EMPTY_ACCOUNT if row is None else Account(*numbers_of(row, "a stored account"))


def numbers_of(row: Sequence[Any], what: str) -> Sequence[int]:
    """A row that holds nothing but integers.

    Raises:
        StoreError: It does not: the file is damaged.
    """
    if not all(isinstance(value, int) for value in row):
        message = f"{what} cannot be read: {REMEDY}"
        raise StoreError(message)
    return row
