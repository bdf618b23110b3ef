"""The signatures of blocks, verified on all cores, but for those that the mempool has verified.

Only a first look: a block's execution names the fault of one that did not pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from actors.ledger.network import Network
from actors.ledger.signatures import KnownSignatures
from actors.ledger.state import check_transaction
from actors.ledger.types import Block, Transaction
from actors.runtime.team import Alone, Team

Passed = frozenset[bytes]
"""Ids of transactions whose signature is good."""


class Signatures:
    """Tells which transactions of blocks passed `check_transaction`, now or before."""

    def __init__(
        self, network: Network, team: Team | None = None, known: KnownSignatures | None = None
    ) -> None:
        """Share the work with ``team``; ``known`` is the mempool's memory."""
        self._passes = partial(_passes, network)
        self._team: Team = Alone() if team is None else team
        self._known = KnownSignatures() if known is None else known

    def check(self, blocks: Iterable[Block]) -> Passed:
        """Those of these blocks' transactions that are good; returns when all are looked at."""
        known, fresh = self._sort(blocks)
        if not fresh:
            return frozenset(known)
        return _passed(known, fresh, self._team.map(self._passes, fresh))

    def begin(self, blocks: Iterable[Block], done: Callable[[Passed | Exception], None]) -> None:
        """The same in the background; ``done`` is called on any thread and may only tell."""
        known, fresh = self._sort(blocks)
        if not fresh:
            done(frozenset(known))
            return

        def tell(results: list[bool] | Exception) -> None:
            done(results if isinstance(results, Exception) else _passed(known, fresh, results))

        self._team.begin(self._passes, fresh, tell)

    def _sort(self, blocks: Iterable[Block]) -> tuple[list[bytes], list[Transaction]]:
        known: list[bytes] = []
        fresh: list[Transaction] = []
        for block in blocks:
            for transaction in block.transactions:
                if transaction.id in self._known:
                    known.append(transaction.id)
                else:
                    fresh.append(transaction)
        return known, fresh


def _passes(network: Network, transaction: Transaction) -> bool:
    return check_transaction(network, transaction) is None


def _passed(known: list[bytes], fresh: list[Transaction], results: list[bool]) -> Passed:
    good = (tx.id for tx, passes in zip(fresh, results, strict=True) if passes)
    return frozenset((*known, *good))
