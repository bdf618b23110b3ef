"""Whose accounts a change of the chain may have changed. Must not live here: what follows from it."""

from __future__ import annotations

from collections.abc import Iterable

from actors.ledger.types import Block


def touched(blocks: Iterable[Block]) -> Iterable[bytes]:
    """Every address whose account these blocks change, each once, in order of mention."""
    addresses: dict[bytes, None] = {}
    for block in blocks:
        for transaction in block.transactions:
            addresses[transaction.sender] = addresses[transaction.recipient] = None
        addresses[block.coinbase] = None
    return addresses
