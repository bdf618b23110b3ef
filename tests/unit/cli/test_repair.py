"""`troupe repair`: what it finds, what it makes of it, and when it refuses."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from actors.chain.importer import Importer
from actors.chain.schema import open_for_reading
from actors.chain.store import Reader, Store
from actors.datadir import DataDir, reading_chain
from actors.ledger.network import parse_network
from admin.cli.exits import ExitCode
from admin.cli.main import cli
from tests.support.chains import mine_chain
from tests.support.process import EASY_TOML, easy_network_file
from tests.unit.chain.test_disk_faults import overwrite_page

NETWORK = parse_network(tomllib.loads(EASY_TOML))
CHAIN = mine_chain(NETWORK, NETWORK.genesis.ref, 3)


def repair(directory: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["repair", "--data-dir", str(directory), *words])


def as_json(result: Result) -> Any:
    return json.loads(result.stdout)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with closing(Store.open(tmp_path / "chain.db", NETWORK)) as store:
        Importer(store, NETWORK).add(CHAIN)
    return tmp_path


def damage(directory: Path) -> None:
    """The accounts say what no block has done."""
    with closing(sqlite3.connect(directory / "chain.db")) as db, db:
        db.execute("UPDATE accounts SET balance = balance + 1 WHERE height = 2")


def files(directory: Path) -> set[str]:
    """All but the locks, and what SQLite has beside a file that was read."""
    beside = {"lock", "chain.lock", "chain.db-wal", "chain.db-shm"}
    return {path.name for path in directory.iterdir()} - beside


def test_a_sound_chain_is_left_alone(directory: Path) -> None:
    before = (directory / "chain.db").read_bytes()
    result = repair(directory)
    assert result.exit_code == ExitCode.OK
    assert "The chain is sound" in result.stdout
    assert files(directory) == {"chain.db"}
    assert (directory / "chain.db").read_bytes() == before


def test_a_check_says_what_is_damaged_ends_with_1_and_changes_nothing(directory: Path) -> None:
    damage(directory)
    result = repair(directory, "--check")
    assert result.exit_code == ExitCode.FAILED
    assert "NOT sound" in result.stdout
    assert "troupe repair" in result.stdout
    assert files(directory) == {"chain.db"}


def test_a_damaged_chain_is_made_anew_and_the_old_file_kept(directory: Path) -> None:
    damage(directory)
    result = repair(directory)
    assert result.exit_code == ExitCode.OK
    assert "3 blocks kept" in result.stdout
    assert files(directory) == {"chain.db", "chain.db.damaged-1"}
    assert repair(directory, "--check").exit_code == ExitCode.OK
    with closing(open_for_reading(directory / "chain.db", NETWORK)) as connection:
        assert Reader(connection).tip() == CHAIN[-1].ref


def test_what_it_did_can_be_read_by_programs(directory: Path) -> None:
    data = as_json(repair(directory, "--rebuild", "-o", "json"))
    assert data == {
        "path": str(directory / "chain.db"),
        "damaged_path": str(directory / "chain.db.damaged-1"),
        "network": "easy",
        "tip": {"number": 3, "hash": CHAIN[-1].hash.hex()},
        "block_count": 3,
        "waiting_count": 0,
        "invalidated_count": 0,
        "lost_invalidated_count": 0,
    }


def test_a_file_that_does_not_say_its_network_is_repaired_for_the_one_that_is_named(
    directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    overwrite_page(directory / "chain.db", 1)
    unnamed = repair(directory)
    assert unnamed.exit_code == ExitCode.FAILED
    assert "--network" in unnamed.stderr
    assert files(directory) == {"chain.db"}
    file = easy_network_file(tmp_path_factory.mktemp("networks"))
    named = repair(directory, "--network-file", str(file))
    assert named.exit_code == ExitCode.OK
    assert "3 blocks kept" in named.stdout
    assert "cannot be read any more" in named.stdout


def test_a_chain_of_another_network_is_none_to_repair(directory: Path) -> None:
    result = repair(directory, "--network", "dev")
    assert result.exit_code == ExitCode.FAILED
    assert "another network" in result.stderr


@pytest.mark.parametrize("words", [(), ("--check",), ("--rebuild",)])
def test_beside_a_node_or_another_repair_it_is_refused_at_once(
    directory: Path, words: tuple[str, ...]
) -> None:
    with closing(DataDir(directory, user="repair")):
        result = repair(directory, *words)
    assert result.exit_code == ExitCode.FAILED
    assert "another troupe repair is running (process" in result.stderr
    assert files(directory) == {"chain.db"}


def test_beside_a_verification_it_is_refused_and_the_other_way_round(directory: Path) -> None:
    with reading_chain(directory):
        with reading_chain(directory):  # two who read do not mind each other
            pass
        refused = repair(directory, "--rebuild")
        assert refused.exit_code == ExitCode.FAILED
        assert "is open elsewhere" in refused.stderr
    with closing(DataDir(directory)) as held, held.chain_alone():
        refused = CliRunner().invoke(cli, ["verify", "--data-dir", str(directory)])
        assert refused.exit_code == ExitCode.FAILED
        assert "is being repaired" in refused.stderr


def test_where_there_is_no_chain_nothing_is_made(tmp_path: Path) -> None:
    result = repair(tmp_path / "none")
    assert result.exit_code == ExitCode.FAILED
    assert "there is no chain at" in result.stderr
    assert not (tmp_path / "none").exists()


def test_what_a_repair_that_was_killed_left_is_cleared_away(directory: Path) -> None:
    damage(directory)
    for end in ("", "-wal", "-shm"):
        (directory / f"chain.db.repair{end}").write_bytes(b"half a draft")
    assert repair(directory).exit_code == ExitCode.OK
    assert files(directory) == {"chain.db", "chain.db.damaged-1"}


def test_a_disk_without_room_is_said_in_a_sentence_and_nothing_is_changed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_room(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("admin.cli.repair.put_in_place", without_room)
    result = repair(directory, "--rebuild")
    assert result.exit_code == ExitCode.FAILED
    assert "No space left" in result.stderr
    assert files(directory) == {"chain.db"}


def test_check_and_rebuild_exclude_each_other(directory: Path) -> None:
    assert repair(directory, "--check", "--rebuild").exit_code == ExitCode.USAGE
