import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from actors.chain import schema
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


SCHEMA_1 = """
    DROP INDEX blocks_by_status;
    DROP TABLE tips;
    DROP TABLE invalidated;
    CREATE INDEX blocks_not_invalid ON blocks (number) WHERE status <> 2;
    UPDATE meta SET value = '1' WHERE key = 'schema';
"""
"""What makes a store one of the first version, which differed in nothing else."""


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """A store as it lies on the disk: its form, and what is in it."""
    with closing(sqlite3.connect(path)) as connection:
        form = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
        tables = ("meta", "blocks", "tips", "invalidated", "canonical", "accounts")
        return {"": connection.execute(form).fetchall()} | {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
            for table in tables
        }


def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    store = Store.open(path, EASY)
    chain = mine_chain(EASY, EASY.genesis.ref, 4)
    Importer(store, EASY).add((*chain, *mine_chain(EASY, chain[1].ref, 1, b"b" * 32)))
    store.close()
    expected = rows(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA_1)
    open_for_reading(path, EASY).close()
    Store.open(path, EASY).close()
    assert rows(path) == expected
    again = Store.open(path, EASY)
    assert [header.number for _, header in again.tips(None, 9)] == [4, 3]
    again.close()


def test_an_update_that_is_cut_off_leaves_the_older_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chain.db"
    Store.open(path, EASY).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA_1)
    broken = (*schema._MIGRATIONS[1], "SELECT * FROM nowhere")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_MIGRATIONS", {1: broken})
        with pytest.raises(StoreError):
            Store.open(path, EASY)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == (
            "1",
        )
    assert Store.open(path, EASY).tip() == EASY.genesis.ref


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
