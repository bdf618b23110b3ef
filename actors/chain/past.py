"""The state as of a block that a branch stands on: from the store, or executed anew from genesis.

The store answers for the blocks of its history. A reorganisation that goes deeper costs the execution of
the chain up to its fork, some 4,000 blocks a second with ten transactions each; the signatures were checked
when the blocks became canonical.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial

from actors.chain.history import Version
from actors.chain.replay import Replay
from actors.chain.rows import decode_stored
from actors.chain.schema import REMEDY, StoreError
from actors.chain.store import Store
from actors.ledger.network import Network
from actors.ledger.types import AccountLookup, BlockRef
from actors.ledger.violation import Violation

log = logging.getLogger(__name__)


class Past:
    """The states that one decision about the tip needs. Nothing is written to the store."""

    def __init__(self, store: Store, network: Network) -> None:
        self._store, self._network = store, network
        self._replay: Replay | None = None

    def close(self) -> None:
        if self._replay is not None:
            self._replay.close()

    def state_at(self, fork: BlockRef) -> AccountLookup:
        """The accounts as of a canonical block."""
        if fork == self._store.tip():
            return self._store.account
        if fork.number >= self._store.history_start():
            return partial(self._store.account_at, height=fork.number)
        return self._replayed(fork.number).account

    def versions_at(self, fork: BlockRef) -> Iterable[Version] | None:
        """What the store needs to go back to a canonical block; None: it has it."""
        if fork.number >= self._store.history_start():
            return None
        return self._replayed(fork.number).versions()

    def _replayed(self, number: int) -> Replay:
        """The chain executed up to a block: further from where it was, or from genesis.

        Raises:
            StoreError: A canonical block breaks a rule: the file is damaged.
        """
        replay = self._replay
        if replay is None or replay.tip.number > number:
            self.close()
            replay = self._replay = Replay(self._network)
            log.info("executing blocks 1 to %d again: the history does not go so far back", number)
        for raw in self._store.canonical_raws(replay.tip.number + 1, number):
            if isinstance(replay.apply(decode_stored(raw), _checked_before), Violation):
                message = (
                    f"block {replay.tip.number + 1} does not follow from those before it: {REMEDY}"
                )
                raise StoreError(message)
        return replay


def _checked_before(_transaction_id: bytes) -> bool:
    return True
