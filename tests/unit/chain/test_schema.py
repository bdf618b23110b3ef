import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from actors.chain.importer import Importer
from actors.chain.schema import open_for_reading
from actors.chain.store import Store, StoreError
from actors.ledger.network import Network
from tests.support.chains import EASY, EASY_OTHER, mine_chain


def test_a_new_store_holds_genesis(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "chain.db", EASY)
    assert store.tip() == EASY.genesis.ref
    assert store.block(EASY.genesis.hash) == EASY.genesis


def test_a_store_is_reopened_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    store = Store.open(path, EASY)
    chain = mine_chain(EASY, EASY.genesis.ref, 3)
    Importer(store, EASY).add(chain)
    store.close()
    assert Store.open(path, EASY).tip() == chain[-1].ref


@pytest.mark.parametrize("other", [EASY_OTHER, replace(EASY, difficulty=2)])
def test_another_definition_is_refused(tmp_path: Path, other: Network) -> None:
    path = tmp_path / "chain.db"
    Store.open(path, EASY).close()
    with pytest.raises(StoreError, match="another network"):
        Store.open(path, other)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    Store.open(path, EASY).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.close()
    with pytest.raises(StoreError, match="newer program"):
        Store.open(path, EASY)


@pytest.mark.parametrize("version", ["one", "", "0", "-1", "9" * 5_000, b"\x00"])
def test_a_damaged_schema_version_is_refused_with_the_way_out(
    tmp_path: Path, version: str | bytes
) -> None:
    path = tmp_path / "chain.db"
    Store.open(path, EASY).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (version,))
    connection.close()
    for refused in (Store.open, open_for_reading):
        with pytest.raises(StoreError, match="troupe verify"):
            refused(path, EASY)


def test_a_file_that_is_no_database_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    path.write_bytes(b"not a database " * 1_000)
    with pytest.raises(StoreError, match="troupe verify"):
        Store.open(path, EASY)


def test_a_damaged_first_page_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    Store.open(path, EASY).close()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)
    with pytest.raises(StoreError, match="troupe verify"):
        Store.open(path, EASY)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE something (else_ INTEGER)")
    connection.close()
    with pytest.raises(StoreError):
        Store.open(path, EASY)


def test_a_directory_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        Store.open(tmp_path / "nowhere" / "chain.db", EASY)


def test_reading_needs_a_chain(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no chain"):
        open_for_reading(tmp_path / "chain.db", EASY)
    (tmp_path / "chain.db").touch()
    with pytest.raises(StoreError, match="no chain"):
        open_for_reading(tmp_path / "chain.db", EASY)


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    Store.open(path, EASY).close()
    connection = open_for_reading(path, EASY)
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM blocks")
    connection.close()


def test_commits_are_synced_to_the_disk(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "chain.db", EASY)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
