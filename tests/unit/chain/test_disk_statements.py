"""Every statement of an import, a reorganisation and a pruning fails in turn: nothing is half done."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from actors.chain.importer import Importer
from actors.chain.schema import DoubtfulCommitError, StoreError, UnwritableError
from actors.chain.store import Store
from actors.ledger.types import BlockRef
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer
from tests.support.faulty_disk import (
    BUSY,
    CORRUPT,
    FULL,
    IOERR,
    FailingConnection,
    disk_error,
    failing,
)
from tests.unit.chain.test_disk_faults import content

CHAIN = mine_chain(EASY, EASY.genesis.ref, 30)
PAID = mine(EASY, CHAIN[-1].ref, BOB.public, [transfer(ALICE, BOB.public, n, 1) for n in range(3)])
SIDE = mine_chain(EASY, CHAIN[24].ref, 9, BOB.public)
LINE = mine_chain(EASY, BlockRef(80, b"?" * 32), 3)
"""Of a walk back."""
KEPT = 20
"""Blocks whose accounts are kept where older ones are pruned: below the configured least, for short chains."""
CODES = {"full": FULL, "ioerr": IOERR, "busy": BUSY, "corrupt": CORRUPT}

Work = Callable[[Store], object]


def run(store: Store) -> object:
    return Importer(store, EASY).add((PAID, mine(EASY, PAID.ref)))


def reorganise(store: Store) -> object:
    return Importer(store, EASY).add(SIDE)


def steer(store: Store) -> object:
    return Importer(store, EASY).invalidate(CHAIN[27].hash)


def walk_back(store: Store) -> object:
    with store.transaction():
        store.add_pending(mine(EASY, SIDE[-1].ref))
        store.remove_line(LINE[0].hash)
    return None


WORKS: dict[str, Work] = {
    "run": run,
    "reorganisation": reorganise,
    "steering": steer,
    "walk back": walk_back,
}


def begun(path: Path | None, keep_history: int) -> Store:
    store = Store.open(path, EASY)
    store._keep = keep_history
    Importer(store, EASY).add(CHAIN)
    with store.transaction():
        for block in LINE:
            store.add_pending(block)
    return store


def tried(connection: FailingConnection, store: Store, work: Work) -> bool:
    """Whether it was done; if not, it has to be said in one of the ways that the room knows."""
    try:
        work(store)
    except (StoreError, sqlite3.DatabaseError):
        return False
    finally:
        connection.heal()
    return True


@pytest.mark.parametrize("keep_history", [0, KEPT], ids=["all", "pruned"])
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_whichever_statement_fails_the_next_try_ends_where_a_store_without_faults_does(
    work: Work, keep_history: int
) -> None:
    control = begun(None, keep_history)
    counted = failing(control)
    work(control)
    statements, after = counted.statements, content(control)
    assert statements > 3
    for code in CODES.values():
        for number in range(1, statements + 1):
            store = begun(None, keep_history)
            connection = failing(store)
            connection.fail_at(number, code)
            if not tried(connection, store, work):
                work(store)
            assert content(store) == after, (number, code)
            store.close()
    control.close()


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_of_what_failed_nothing_is_left(work: Work) -> None:
    with closing(begun(None, KEPT)) as store:
        told = store.tip(), store.account(ALICE.public)
        before, connection, failed = content(store), failing(store), 0
        for number in itertools.count(1):
            connection.fail_at(number)
            if tried(connection, store, work):
                break
            failed += 1
            assert (store.tip(), store.account(ALICE.public)) == told
            assert content(store) == before, number
        assert failed >= 3


@pytest.mark.parametrize("code", [FULL, IOERR, BUSY])
def test_a_transaction_that_fails_for_the_disk_says_so_by_its_kind(code: int) -> None:
    with closing(begun(None, 0)) as store:
        connection = failing(store)
        connection.fail_at(3, code)
        with pytest.raises(UnwritableError, match="cannot be written"):
            run(store)


class _Committed(FailingConnection):
    """COMMIT fails when all is written, as a disk may that answers too late."""

    def execute(self, *statement: object) -> sqlite3.Cursor:
        cursor = super().execute(*statement)
        if statement[0] == "COMMIT":
            raise disk_error(IOERR)
        return cursor


@pytest.mark.parametrize("work", [run, reorganise])
def test_a_commit_that_fails_after_it_took_effect_is_no_outage_but_a_new_beginning(
    work: Work,
) -> None:
    """The mempool and the miner must hear of the tip: only a restart of the room has them all begin anew."""
    with closing(begun(None, 0)) as control, closing(begun(None, 0)) as store:
        work(control)
        store._db = _Committed(store._db)  # type: ignore[assignment]
        with pytest.raises(DoubtfulCommitError):
            work(store)
        assert content(store) == content(control)
        assert store.tip() == control.tip()


class _Lost(FailingConnection):
    """COMMIT fails, SQLite undoes all of it, and from then on the disk gives nothing back."""

    def execute(self, *statement: object) -> sqlite3.Cursor:
        if statement[0] == "COMMIT":
            self._connection.execute("ROLLBACK")
            self.is_gone = True
        return super().execute(*statement)


def test_a_commit_after_which_nothing_can_be_read_may_have_taken_effect() -> None:
    with closing(begun(None, 0)) as store:
        store._db = _Lost(store._db)  # type: ignore[assignment]
        with pytest.raises(DoubtfulCommitError):
            run(store)
