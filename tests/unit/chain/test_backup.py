from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from actors.chain.backup import (
    BackupError,
    BackupExistsError,
    copy_store,
    drafted,
    quick_check,
    tip_of,
)
from actors.chain.importer import Importer
from actors.chain.schema import recorded_network
from actors.chain.store import Store
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer

CHAIN = mine_chain(EASY, EASY.genesis.ref, 20)
LAST = mine(EASY, CHAIN[-1].ref, BOB.public, [transfer(ALICE, BOB.public, 0, 1)])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store.open(tmp_path / "chain.db", EASY)
    Importer(opened, EASY).add(CHAIN)
    return opened


def nothing(_done: int, _total: int) -> None:
    pass


def back_up(tmp_path: Path, name: str = "copy.db") -> Path:
    target = tmp_path / name
    with drafted(target) as draft:
        copy_store(tmp_path / "chain.db", draft, EASY, nothing)
    return target


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("chain.db"))


def test_a_copy_is_one_private_file_with_the_chain(store: Store, tmp_path: Path) -> None:
    target = back_up(tmp_path)
    assert names(tmp_path) == ["copy.db"]
    assert target.stat().st_mode & 0o777 == 0o600
    assert tip_of(target, EASY) == store.tip() == CHAIN[-1].ref
    assert recorded_network(target) == EASY


def test_a_copy_opens_as_the_chain_of_another_node_and_goes_on(
    store: Store, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    back_up(tmp_path).rename(other / "chain.db")
    restored = Store.open(other / "chain.db", EASY)
    Importer(restored, EASY).add((LAST,))
    Importer(store, EASY).add((LAST,))
    assert restored.tip() == store.tip() == LAST.ref
    assert restored.account(BOB.public) == store.account(BOB.public)
    restored.close()


def test_the_chain_goes_on_while_it_is_copied(store: Store, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []

    def write(done: int, total: int) -> None:
        if not steps:
            Importer(store, EASY).add((LAST,))
        steps.append((done, total))

    with drafted(tmp_path / "copy.db") as draft:
        copy_store(tmp_path / "chain.db", draft, EASY, write)
    assert store.tip() == LAST.ref
    assert tip_of(tmp_path / "copy.db", EASY) == CHAIN[-1].ref
    assert steps[-1][0] == steps[-1][1] > 0


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_there_already_is_never_overwritten(
    store: Store, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / "copy.db"
    if kind == "file":
        target.write_bytes(b"mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(BackupExistsError):
        back_up(tmp_path)
    assert kind == "link" or target.read_bytes() == b"mine"
    assert names(tmp_path) == ["copy.db"]
    assert store.tip() == CHAIN[-1].ref


@pytest.mark.parametrize("end", ["-wal", "-journal"])
def test_what_sqlite_left_of_another_store_is_never_read_into_a_copy(
    store: Store, tmp_path: Path, end: str
) -> None:
    left = tmp_path / f"copy.db{end}"
    left.write_bytes(b"of another")
    with pytest.raises(BackupExistsError, match=left.name):
        back_up(tmp_path)
    assert names(tmp_path) == [left.name]
    assert store.tip() == CHAIN[-1].ref


def test_what_came_there_meanwhile_is_not_overwritten_either(tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    with pytest.raises(BackupExistsError), drafted(target):
        target.write_bytes(b"mine")
    assert target.read_bytes() == b"mine"
    assert names(tmp_path) == ["copy.db"]


def test_a_copy_that_is_broken_off_leaves_nothing(store: Store, tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    def enough(_done: int, _total: int) -> None:
        raise EnoughError

    with pytest.raises(EnoughError), drafted(tmp_path / "copy.db") as draft:
        copy_store(tmp_path / "chain.db", draft, EASY, enough)
    assert names(tmp_path) == []
    assert store.tip() == CHAIN[-1].ref


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot write to"), drafted(tmp_path / "no" / "copy.db"):
        pass


def test_a_damaged_store_is_not_copied(store: Store, tmp_path: Path) -> None:
    store.close()
    path = tmp_path / "chain.db"
    connection = sqlite3.connect(path)
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'accounts'"
    ).fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * page_bytes)
        file.write(b"\xff" * page_bytes)
    with pytest.raises(BackupError):
        back_up(tmp_path)
    assert names(tmp_path) == []


def test_a_check_can_be_ended(store: Store, tmp_path: Path) -> None:
    target = back_up(tmp_path)
    assert quick_check(target) is None
    connection = sqlite3.connect(target)
    connection.execute(
        "CREATE TABLE big AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL"
        " SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n"
    )
    connection.commit()
    connection.close()
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        quick_check(target, lambda: True)
    assert store.tip() == CHAIN[-1].ref
