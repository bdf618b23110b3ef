"""A simulated disk loses what is not committed, and nothing else; its faults come as SQLite's do."""

from __future__ import annotations

import sqlite3

import pytest

from actors.chain.schema import StoreError
from actors.runtime.pump import PowerCut
from actors.simulation.disk import Disk, DiskFault, SimStore, copied, new_store
from actors.simulation.memory import MemoryJournal
from actors.simulation.world import SIM_NETWORK


@pytest.fixture
def store() -> SimStore:
    made = SimStore(copied(new_store(SIM_NETWORK)), SIM_NETWORK)
    made.connection.disk = Disk()
    return made


def disk_of(store: SimStore) -> Disk:
    assert store.connection.disk is not None
    return store.connection.disk


def note(store: SimStore, value: str) -> None:
    store.connection.execute("INSERT INTO meta VALUES (?, 1)", (value,))


def notes(store: SimStore) -> set[str]:
    return {key for (key,) in store.connection.execute("SELECT key FROM meta WHERE value = 1")}


def test_what_is_committed_outlives_a_power_cut_and_what_is_not_does_not(store: SimStore) -> None:
    with store.transaction():
        note(store, "kept")
    assert store.has_committed
    with store.aside():
        store.tip()  # what a transaction asks for first
    disk_of(store).cut_power_in(2, lambda: None)  # BEGIN and INSERT go through, COMMIT does not
    with pytest.raises(PowerCut), store.transaction():
        note(store, "lost")
    found = store.reopened(SIM_NETWORK)
    assert notes(found) == {"kept"}
    assert found.tip() == SIM_NETWORK.genesis.ref


def test_power_may_fail_right_behind_a_commit_which_is_kept(store: SimStore) -> None:
    with store.aside():
        store.tip()  # what a transaction asks for first
    disk_of(store).cut_power_in(3, lambda: None)  # BEGIN, INSERT and COMMIT go through
    with pytest.raises(PowerCut), store.transaction():
        note(store, "kept")
    assert store.has_committed
    assert notes(store.reopened(SIM_NETWORK)) == {"kept"}


def test_a_transaction_that_is_open_when_the_power_goes_is_undone(store: SimStore) -> None:
    store.connection.execute("BEGIN")
    note(store, "lost")
    assert notes(store.reopened(SIM_NETWORK)) == set()


@pytest.mark.parametrize(
    ("fault", "code", "is_kept"),
    [
        (DiskFault.FULL, sqlite3.SQLITE_FULL, False),
        (DiskFault.DOUBTFUL, sqlite3.SQLITE_IOERR_FSYNC, True),
    ],
)
def test_a_write_that_fails_says_so_with_its_code(
    store: SimStore, fault: DiskFault, code: int, *, is_kept: bool
) -> None:
    disk_of(store).fault = fault
    with pytest.raises((sqlite3.OperationalError, StoreError)) as raised, store.transaction():
        note(store, "new")
    cause = raised.value if isinstance(raised.value, sqlite3.Error) else raised.value.__cause__
    assert isinstance(cause, sqlite3.OperationalError)
    assert cause.sqlite_errorcode == code
    assert disk_of(store).faults_met > 0
    disk_of(store).restore()
    assert notes(store) == ({"new"} if is_kept else set())


def test_a_disk_that_cannot_be_read_fails_until_it_is_restored_but_not_for_onlookers(
    store: SimStore,
) -> None:
    disk_of(store).fault = DiskFault.UNREADABLE
    with pytest.raises(sqlite3.OperationalError) as raised:
        notes(store)
    assert raised.value.sqlite_errorcode == sqlite3.SQLITE_IOERR_READ
    with store.aside():
        assert notes(store) == set()
    disk_of(store).restore()
    assert notes(store) == set()


def test_a_journal_loses_with_the_power_what_did_not_wait_for_the_disk() -> None:
    journal = MemoryJournal([b"old"])
    journal.save([b"new"], durable=False)
    assert journal.load() == [b"new"]
    journal.lose_power()
    assert journal.load() == [b"old"]
    journal.save([b"newer"])
    journal.lose_power()
    assert journal.load() == [b"newer"]
