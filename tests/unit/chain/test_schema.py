import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from actors.chain import schema
from actors.chain.importer import Importer
from actors.chain.schema import open_for_reading
from actors.chain.store import Store, StoreError, decode_stored
from actors.chain.verify import Report, verify
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


OLD = (1, 2)
VECTORS = Path(__file__).parents[2] / "vectors"


def write_old(path: Path, version: int) -> None:
    """A store as the last program of that version left it: a chain of 4, a side branch, an invalid block, and
    a pending one.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((VECTORS / f"chain_schema_{version}.sql").read_text())


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """A store as it lies on the disk: its form, and what is in it."""
    with closing(sqlite3.connect(path)) as connection:
        form = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
        found = {"": connection.execute(form).fetchall()}
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            found[table] = sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
        return found


def run_verify(path: Path) -> Report:
    steps = verify(path, EASY)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            report: Report = end.value
            return report


@pytest.mark.parametrize("version", OLD)
def test_an_older_store_is_brought_to_what_the_same_blocks_give_today(
    tmp_path: Path, version: int
) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    write_old(old, version)
    with closing(sqlite3.connect(old)) as connection:
        raws = connection.execute("SELECT raw FROM blocks WHERE number > 0 ORDER BY id").fetchall()
        (waiting,) = connection.execute("SELECT raw FROM pending").fetchone()
    store = Store.open(new, EASY)
    for (raw,) in raws:
        Importer(store, EASY).add((decode_stored(raw),))
    with store.transaction():
        store.add_pending(decode_stored(waiting))
    store.close()
    open_for_reading(old, EASY).close()
    Store.open(old, EASY).close()
    assert rows(old) == rows(new)


@pytest.mark.parametrize("version", OLD)
def test_an_older_store_can_be_verified_as_it_is(tmp_path: Path, version: int) -> None:
    path = tmp_path / "chain.db"
    write_old(path, version)
    report = run_verify(path)
    assert (report.blocks, report.divergences) == (5, ())


@pytest.mark.parametrize("version", OLD)
def test_an_update_that_is_cut_off_leaves_the_older_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    path = tmp_path / "chain.db"
    write_old(path, version)
    before = rows(path)
    broken = {version: (*schema._MIGRATIONS[version], "SELECT * FROM nowhere")}
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_MIGRATIONS", broken)
        with pytest.raises(StoreError):
            Store.open(path, EASY)
    assert rows(path) == before
    assert Store.open(path, EASY).tip().number == 4


@pytest.mark.parametrize("version", OLD)
def test_a_kill_in_the_middle_of_an_update_leaves_the_older_version(
    tmp_path: Path, version: int
) -> None:
    path, killed = tmp_path / "chain.db", tmp_path / "killed.db"
    write_old(path, version)
    before = rows(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        connection.execute("PRAGMA cache_spill = 1")
        connection.execute("PRAGMA cache_size = 1")  # pages reach the log before the commit
        for statement in schema._MIGRATIONS[version]:
            connection.execute(statement)
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{killed}{end}")
    assert rows(killed) == before
    assert Store.open(killed, EASY).tip().number == 4


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
        with pytest.raises(StoreError, match="troupe repair"):
            refused(path, EASY)


def test_a_file_that_is_no_database_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    path.write_bytes(b"not a database " * 1_000)
    with pytest.raises(StoreError, match="troupe repair"):
        Store.open(path, EASY)


def test_a_damaged_first_page_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    Store.open(path, EASY).close()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)
    with pytest.raises(StoreError, match="troupe repair"):
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
