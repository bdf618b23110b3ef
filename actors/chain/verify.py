"""`troupe verify`: the chain executed again from genesis, and compared with what the store says.

Reads one snapshot, beside a running node if need be. Where all account versions are kept, the state before
block n is read from those below n: they were compared with the execution of the blocks below, so nothing is
taken on trust. Where older ones are deleted, the state is kept on a scratch file. Nothing of the chain is
held in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path

from actors.chain.history import shortened_to
from actors.chain.replay import Replay, ScratchError
from actors.chain.rows import account_of
from actors.chain.schema import StoreError, open_for_reading
from actors.chain.store import Reader, TransactionPlace
from actors.chain.tree import Status
from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.state import Applied, apply_block
from actors.ledger.types import Account, Block, BlockRef
from actors.ledger.violation import Rule, Violation

_NO_BYTES = Violation(Rule.MALFORMED, "it is stored as something else")
_NOT_CANONICAL = """
    SELECT hash, blocks.number, parent_hash, raw
    FROM blocks LEFT JOIN canonical ON canonical.number = blocks.number WHERE block IS NOT id
    UNION ALL SELECT hash, number, parent_hash, raw FROM pending"""
_ADRIFT = """
    SELECT count(*) FROM blocks LEFT JOIN blocks AS below ON below.hash = blocks.parent_hash
    WHERE blocks.number > 0 AND below.number IS NOT blocks.number - 1"""
MAX_DIVERGENCES = 20
"""One wrong block makes all that follow wrong: the first are worth reading."""
PROGRESS_EVERY_BLOCKS = 100
INTERRUPT_EVERY_STEPS = 100_000
"""How often SQLite, in a long statement, looks whether to go on: some thousand times a second."""


class Fault(Enum):
    """What a divergence is about."""

    DAMAGED = "damaged"
    """SQLite cannot read a part of the file."""
    BLOCK = "block"
    """A block's bytes are missing, unreadable, or not those of its hash, number and parent."""
    INVALID = "invalid"
    """A canonical block breaks a rule."""
    ACCOUNTS = "accounts"
    TRANSACTIONS = "transactions"


@dataclass(frozen=True, slots=True)
class Divergence:
    """One disagreement; ``number`` is the block's, None where it is about none. Value."""

    fault: Fault
    number: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Progress:
    """So many blocks out of so many are compared. Value."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome: sound when there is no divergence; at most ``MAX_DIVERGENCES`` are told. Value."""

    tip: BlockRef | None
    blocks: int
    transactions: int
    divergences: tuple[Divergence, ...]


def verify(
    path: Path,
    network: Network,
    *,
    ended: Callable[[], bool] = lambda: False,
    every: int = PROGRESS_EVERY_BLOCKS,
) -> Generator[Progress, None, Report]:
    """Compare; yields progress and returns the report.

    Args:
        path: The store.
        network: Whose rules apply.
        ended: Whether to give up; asked often, also in the middle of a long statement.
        every: Blocks between two steps of progress.

    Raises:
        StoreError: The file cannot be opened at all, or is another network's.
        ScratchError: There is no room for a scratch file.
    """
    connection = open_for_reading(path, network)
    check = _Check(connection, network)
    connection.set_progress_handler(ended, INTERRUPT_EVERY_STEPS)
    try:
        connection.execute("BEGIN")
        yield from check.run(every)
    except ScratchError:
        raise
    except StoreError as error:
        check.note(Fault.DAMAGED, None, str(error.__cause__ or error))
    except sqlite3.DatabaseError as error:
        if not ended():  # else it is the interruption
            check.note(Fault.DAMAGED, None, str(error))
    finally:
        check.close()
        connection.close()
    return check.report()


class _Check:
    """One run over one snapshot."""

    def __init__(self, connection: sqlite3.Connection, network: Network) -> None:
        self._db, self._reader, self._network = connection, Reader(connection), network
        self._tip: BlockRef | None = None
        self._start = 0
        """Where the history of accounts begins: versions below it may be missing."""
        self._replay: Replay | None = None
        self._blocks = self._transactions = self._versions = 0
        self._divergences: list[Divergence] = []

    def close(self) -> None:
        if self._replay is not None:
            self._replay.close()

    def report(self) -> Report:
        return Report(self._tip, self._blocks, self._transactions, tuple(self._divergences))

    def note(self, fault: Fault, number: int | None, detail: str) -> None:
        if len(self._divergences) < MAX_DIVERGENCES:
            self._divergences.append(Divergence(fault, number, detail))

    def run(self, every: int) -> Generator[Progress, None, None]:
        look = f"PRAGMA integrity_check({MAX_DIVERGENCES})"  # the indexes as well
        for (complaint,) in self._db.execute(look).fetchall():
            if complaint != "ok":
                self.note(Fault.DAMAGED, None, complaint)
        self._tip = tip = self._reader.tip()
        self._start = self._reader.history_start()
        shortened_to(self._db)  # a start relies on it
        if self._start > 0:
            self._replay = Replay(self._network)
        if self._start > tip.number:
            self.note(Fault.ACCOUNTS, None, "their history begins above the tip")
        yield Progress(0, tip.number + 1)
        parent: BlockRef | None = None
        for number in range(tip.number + 1):
            parent = self._compare(number, parent)
            if parent is None or len(self._divergences) == MAX_DIVERGENCES:
                return  # what follows a block that is not there is not comparable
            self._blocks = number + 1
            if self._blocks % every == 0:
                yield Progress(self._blocks, tip.number + 1)
        yield from self._compare_rest(every)
        self._compare_totals()
        yield Progress(self._blocks, tip.number + 1)

    def _compare(self, number: int, parent: BlockRef | None) -> BlockRef | None:
        """Compare all that the store says of one canonical block; None: it cannot be read."""
        block = self._read(number)
        if block is None:
            return None
        if parent is None:
            if block.hash != self._network.genesis.hash:
                self.note(Fault.BLOCK, number, "it is not the network's genesis")
            return block.ref
        applied = self._apply(block, parent)
        if isinstance(applied, Violation):
            self.note(Fault.INVALID, number, f"{applied.rule.value}: {applied.detail}")
            return None if self._replay else block.ref  # there is no state to go on from
        if not self._agrees(number, applied.accounts):
            self.note(Fault.ACCOUNTS, number, "stored accounts differ from the executed ones")
        if number == self._start and not self._has_state():
            self.note(Fault.ACCOUNTS, number, "accounts are missing where their history begins")
        places = map(self._reader.transaction_place, (tx.id for tx in block.transactions))
        if list(places) != [TransactionPlace(number, i) for i in range(len(block.transactions))]:
            self.note(Fault.TRANSACTIONS, number, "the transaction index differs from the block")
        self._transactions += len(block.transactions)
        return block.ref

    def _apply(self, block: Block, parent: BlockRef) -> Applied | Violation:
        """Execute a block on its parent's state."""
        if self._replay is not None:
            return self._replay.apply(block)
        state = partial(self._reader.account_at, height=parent.number)
        return apply_block(self._network, parent, state, block)

    def _agrees(self, number: int, accounts: Mapping[bytes, Account]) -> bool:
        """Whether the store has what a block changed; where older versions are deleted: if it has it."""
        stored = {address: self._version(address, number) for address in accounts}
        if number <= self._start:
            stored = {
                address: account for address, account in stored.items() if account is not None
            }
            accounts = {address: accounts[address] for address in stored}
        self._versions += sum(account is not None for account in stored.values())
        return stored == accounts

    def _has_state(self) -> bool:
        """Whether every account of the state executed so far is in the store."""
        assert self._replay is not None, "only a part of the history is there"
        return all(self._version(version[0], version[1]) for version in self._replay.versions())

    def _version(self, address: bytes, height: int) -> Account | None:
        row = self._db.execute(
            "SELECT balance, nonce FROM accounts WHERE address = ? AND height = ?",
            (address, height),
        ).fetchone()
        return None if row is None else account_of(row)

    def _read(self, number: int) -> Block | None:
        row = self._db.execute(
            "SELECT hash, blocks.number, parent_hash, status, raw FROM canonical"
            " LEFT JOIN blocks ON blocks.id = block WHERE canonical.number = ?",
            (number,),
        ).fetchone()
        if row is None or row[0] is None:
            self.note(Fault.BLOCK, number, "it is missing")
            return None
        block = _decoded(row[4])
        if isinstance(block, Violation):
            self.note(Fault.BLOCK, number, f"its bytes are no block: {block.detail}")
            return None
        if row[3] != Status.VALID:
            self.note(Fault.BLOCK, number, "it is not marked as valid")
        if (block.hash, block.number, block.parent_hash) != row[:3]:
            self.note(Fault.BLOCK, number, "its bytes are not those of its hash, number and parent")
            return None
        return block

    def _compare_rest(self, every: int) -> Generator[Progress, None, None]:
        """Look at the blocks that are not canonical: nobody executes them, and a branch may become so."""
        unreadable = 0
        for count, row in enumerate(self._db.execute(_NOT_CANONICAL), 1):
            unreadable += not _is_whole(*row)
            if count % every == 0:
                yield Progress(self._blocks, self._blocks)
        if unreadable:
            self.note(
                Fault.BLOCK, None, f"{unreadable} blocks that are not canonical cannot be read"
            )
        (adrift,) = self._db.execute(_ADRIFT).fetchone()
        if adrift:
            self.note(Fault.BLOCK, None, f"{adrift} blocks do not stand on a stored one")

    def _compare_totals(self) -> None:
        """Nothing may be there that belongs to no canonical block."""
        (accounts,) = self._db.execute("SELECT count(*) FROM accounts").fetchone()
        (transactions,) = self._db.execute("SELECT count(*) FROM transactions").fetchone()
        (strange,) = self._db.execute(
            "SELECT count(*) FROM blocks WHERE status NOT IN (0, 1, 2, 3, 4)"
        ).fetchone()
        if strange:
            self.note(Fault.BLOCK, None, f"{strange} blocks are marked as nothing that there is")
        if accounts != self._versions:
            self.note(Fault.ACCOUNTS, None, "accounts that no canonical block has changed so")
        if transactions != self._transactions:
            self.note(Fault.TRANSACTIONS, None, "transactions of blocks that are not canonical")


def _decoded(raw: object) -> Block | Violation:
    return decode_block(raw) if isinstance(raw, bytes) else _NO_BYTES


def _is_whole(block_hash: object, number: object, parent_hash: object, raw: object) -> bool:
    """Whether the bytes are those of such a block."""
    block = _decoded(raw)
    told = (block_hash, number, parent_hash)
    return isinstance(block, Block) and (block.hash, block.number, block.parent_hash) == told
