"""What a start looks at itself, and the look at the whole file beside the node."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from actors.chain.checkup import Checkup, FoundDamaged
from actors.chain.importer import Importer
from actors.chain.schema import CHECKED_BLOCKS
from actors.chain.store import Store, StoreError
from tests.support.chains import EASY, mine_chain
from tests.unit.chain.test_disk_faults import overwrite_page

CHAIN = mine_chain(EASY, EASY.genesis.ref, 60)
TIMEOUT_S = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "chain.db"
    with closing(Store.open(path, EASY)) as store:
        Importer(store, EASY).add(CHAIN)
    return path


def overwrite_root(path: Path, table: str) -> None:
    """The first page of a table's own."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (root,) = connection.execute(query, (table,)).fetchone()
    overwrite_page(path, root)


def looked(path: Path) -> list[FoundDamaged]:
    told: list[FoundDamaged] = []
    checkup = Checkup(path, told.append)
    assert checkup.wait(TIMEOUT_S)
    return told


def test_a_sound_file_is_no_news(path: Path) -> None:
    assert looked(path) == []


def test_damage_anywhere_in_the_file_is_told_with_the_way_out(path: Path) -> None:
    overwrite_root(path, "accounts")
    (found,) = looked(path)
    assert "troupe repair" in found.reason
    assert str(path) in found.reason


def test_a_file_that_is_no_database_any_more_is_told_as_well(path: Path) -> None:
    path.write_bytes(b"x" * 8192)
    (found,) = looked(path)
    assert "troupe repair" in found.reason


@pytest.mark.parametrize("name", ["a#b", "a?mode=rw", "100%25", "höhe"])
def test_whatever_its_directory_is_called_the_file_is_looked_through(path: Path, name: str) -> None:
    directory = path.parent / name
    directory.mkdir()
    damaged = path.rename(directory / path.name)
    assert looked(damaged) == []
    overwrite_root(damaged, "accounts")
    assert len(looked(damaged)) == 1


def test_a_file_that_is_away_is_no_damage(path: Path) -> None:
    path.unlink()
    assert looked(path) == []


def test_it_ends_when_the_node_does(path: Path) -> None:
    told: list[FoundDamaged] = []
    checkup = Checkup(path, told.append)
    checkup.close()
    assert checkup.wait(0.0)
    assert told == []


def test_a_start_on_newest_blocks_of_which_one_is_missing_is_refused_at_once(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM canonical WHERE number = ?", (len(CHAIN) - 3,))
    with pytest.raises(StoreError, match="do not stand one on the other"):
        Store.open(path, EASY)


@pytest.mark.parametrize("below_tip", [0, CHECKED_BLOCKS - 1])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE blocks SET raw = x'00' WHERE id = ?",
        "UPDATE blocks SET hash = zeroblob(32) WHERE id = ?",
    ],
)
def test_a_start_on_newest_blocks_that_are_not_what_was_written_is_refused_at_once(
    path: Path, change: str, below_tip: int
) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change, (len(CHAIN) + 1 - below_tip,))
    with pytest.raises(StoreError, match="troupe repair"):
        Store.open(path, EASY)
