"""The write-ahead log stays short, whoever reads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from actors.chain import checkpoints
from actors.chain.importer import Importer
from actors.chain.schema import BUSY_TIMEOUT_S
from actors.chain.store import Store
from tests.support.chains import EASY, mine_chain
from tests.support.thread_probe import TIMEOUT_S

LIMIT_BYTES = 256 * 1024
COMMIT_BYTES = 128 * 1024
"""More than one block of these writes."""
CHAIN = mine_chain(EASY, EASY.genesis.ref, 120)


class Desk:
    """A store to which blocks are added one by one."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path, EASY)
        self._importer = Importer(self.store, EASY)
        self._blocks = iter(CHAIN)
        self._log = Path(f"{path}-wal")

    def log_bytes(self) -> int:
        return self._log.stat().st_size

    def add(self) -> int:
        """Commit the next block; how long the log is then."""
        self._importer.add((next(self._blocks),))
        return self.log_bytes()

    def add_until_long(self, limit_bytes: int = LIMIT_BYTES) -> None:
        while self.add() < limit_bytes:
            pass


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(checkpoints, "LOG_LIMIT_BYTES", LIMIT_BYTES)
    monkeypatch.setattr(checkpoints, "WAIT_S", 0.0)
    desk = Desk(tmp_path / "chain.db")
    yield desk
    desk.store.close()


def test_a_long_log_is_begun_anew(desk: Desk) -> None:
    lengths = [desk.add() for _ in CHAIN]
    assert max(lengths) < LIMIT_BYTES + COMMIT_BYTES
    assert lengths.count(0) > 1, "so more was written than the log ever held"
    assert desk.store.tip() == CHAIN[-1].ref


def test_a_reader_who_holds_a_snapshot_lets_it_grow_and_is_not_waited_for(desk: Desk) -> None:
    reader = desk.store.reader()
    with reader.snapshot():
        assert reader.tip() == EASY.genesis.ref
        desk.add_until_long(LIMIT_BYTES + COMMIT_BYTES)
        assert reader.tip() == EASY.genesis.ref
    reader.close()
    while desk.add():
        assert desk.log_bytes() < 3 * LIMIT_BYTES, "tried when it has grown by as much again"
    assert desk.add() < COMMIT_BYTES


class FullDisk(sqlite3.Connection):
    """There is room in the log, and none for the file to grow."""

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        if "wal_checkpoint" in statement[0]:
            message = "database or disk is full"
            raise sqlite3.OperationalError(message)
        return super().execute(*statement)


def test_a_commit_stands_although_the_log_finds_no_room_in_the_file(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "chain.db"
    with closing(sqlite3.connect(path, factory=FullDisk)) as connection:
        desk.store._checkpoints = checkpoints.Checkpoints(connection, path)
        desk.add_until_long(2 * LIMIT_BYTES)
    told = [record for record in caplog.records if "disk is full" in record.getMessage()]
    assert len(told) == 1, "tried again when it has grown by as much again"


def test_writers_wait_for_other_processes_as_long_as_before(desk: Desk) -> None:
    for _ in CHAIN:
        desk.add()
    (timeout_ms,) = desk.store._db.execute("PRAGMA busy_timeout").fetchone()
    assert timeout_ms == BUSY_TIMEOUT_S * 1000


def test_it_is_begun_anew_although_somebody_always_reads(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two readers take turns, each beginning before the other ends."""
    monkeypatch.setattr(checkpoints, "WAIT_S", TIMEOUT_S)
    stop, reading = threading.Event(), threading.Event()
    readers = (desk.store.reader(), desk.store.reader())

    def read() -> None:
        with ExitStack() as last:
            while not stop.is_set():
                for reader in readers:
                    with ExitStack() as snapshot:
                        snapshot.enter_context(reader.snapshot())
                        reader.tip()
                        last.close()
                        last.push(snapshot.pop_all())
                    reading.set()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        assert reading.wait(TIMEOUT_S)
        lengths = [desk.add() for _ in CHAIN]
    finally:
        stop.set()
        thread.join(TIMEOUT_S)
    for reader in readers:
        reader.close()
    assert max(lengths) < LIMIT_BYTES + COMMIT_BYTES


def test_a_store_behind_a_link_has_its_log_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator moves the file to another disk and leaves a link to it."""
    monkeypatch.setattr(checkpoints, "LOG_LIMIT_BYTES", LIMIT_BYTES)
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "chain.db").symlink_to(disk / "chain.db")
    store = Store.open(tmp_path / "chain.db", EASY)
    importer = Importer(store, EASY)
    for block in CHAIN:
        importer.add((block,))
        assert (disk / "chain.db-wal").stat().st_size < LIMIT_BYTES + COMMIT_BYTES
    assert store.tip() == CHAIN[-1].ref
    store.close()


def test_a_store_in_memory_has_no_log() -> None:
    store = Store.open(None, EASY)
    Importer(store, EASY).add(CHAIN)
    assert store.tip() == CHAIN[-1].ref
