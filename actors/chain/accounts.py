"""The accounts of the tip that were read or changed not long ago.

A look-up in SQLite costs ten times one here. Must not live here: what an account is as of an older block
(`store`).
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.ledger.types import Account

GENERATION_ACCOUNTS = 16_384
"""Two generations are all senders, recipients and miners of the last 1,600 full blocks, and 10 MiB."""


class RecentAccounts:
    """At most two generations: what was not asked for during a whole one is forgotten."""

    __slots__ = ("_new", "_old", "_size")

    def __init__(self, generation: int = GENERATION_ACCOUNTS) -> None:
        self._size = generation
        self._new: dict[bytes, Account] = {}
        self._old: dict[bytes, Account] = {}

    def get(self, address: bytes) -> Account | None:
        """The account; None: it is not remembered."""
        account = self._new.get(address)
        if account is None:
            account = self._old.get(address)
            if account is not None:
                self.put({address: account})
        return account

    def put(self, accounts: Mapping[bytes, Account]) -> None:
        """Remember the newest values of accounts."""
        self._new.update(accounts)
        if len(self._new) >= self._size:
            self._old, self._new = self._new, {}

    def clear(self) -> None:
        """Forget all: the tip is another one, or never was what it seemed."""
        self._old, self._new = {}, {}
