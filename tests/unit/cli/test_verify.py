from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.chain.schema import REMEDY, StoreError, recorded_network
from actors.chain.store import Store
from actors.ledger.network import DEV, MAIN, NETWORKS, Network
from admin.cli.exits import ExitCode
from admin.cli.main import cli


def new_chain(directory: Path, network: Network) -> Path:
    path = directory / "chain.db"
    Store.open(path, network).close()
    return path


@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda network: network.name)
def test_a_store_says_which_network_it_is_of(tmp_path: Path, network: Network) -> None:
    assert recorded_network(new_chain(tmp_path, network)) == network


def test_a_file_that_is_no_store_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    with pytest.raises(StoreError, match="no chain at"):
        recorded_network(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE of_another_program (value)")
    with pytest.raises(StoreError, match="--network"):
        recorded_network(path)
    path.write_bytes(b"x" * 5000)
    with pytest.raises(StoreError, match="damaged"):
        recorded_network(path)


def test_a_sound_chain_is_sound(tmp_path: Path) -> None:
    new_chain(tmp_path, DEV)
    result = CliRunner().invoke(cli, ["verify", "--data-dir", str(tmp_path), "-o", "json"])
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert data["sound"] is True
    assert data["network"] == "dev"
    assert data["tip"] == {"number": 0, "hash": DEV.genesis.hash.hex()}
    people = CliRunner().invoke(cli, ["--data-dir", str(tmp_path), "verify"])
    assert people.stdout.startswith("The chain is sound: 1 block and 0 transactions of dev")


def test_a_chain_that_differs_ends_with_1_and_says_where(tmp_path: Path) -> None:
    path = new_chain(tmp_path, DEV)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO accounts VALUES (?, 0, 5, 0)", (b"\xab" * 32,))
    connection.commit()
    connection.close()
    result = CliRunner().invoke(cli, ["verify", "--data-dir", str(tmp_path), "-o", "json"])
    assert result.exit_code == ExitCode.FAILED
    data = json.loads(result.stdout)
    assert data["sound"] is False
    assert data["divergences"][0]["fault"] == "accounts"
    assert "NOT sound" in CliRunner().invoke(cli, ["verify", "--data-dir", str(tmp_path)]).stdout


@pytest.mark.parametrize("words", [[], ["--network", "dev"]])
def test_a_file_that_is_no_database_names_the_remedy(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "chain.db").write_bytes(b"garbage" * 1000)
    result = CliRunner().invoke(cli, ["verify", "--data-dir", str(tmp_path), *words])
    assert result.exit_code == ExitCode.FAILED
    assert REMEDY in result.stderr
    assert "--network" not in result.stderr


def test_a_chain_that_sqlite_cannot_read_on_names_the_remedy(tmp_path: Path) -> None:
    path = new_chain(tmp_path, DEV)
    connection = sqlite3.connect(path)
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'transactions'"
    ).fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * page_bytes)
        file.write(b"\xff" * page_bytes)
    result = CliRunner().invoke(cli, ["verify", "--data-dir", str(tmp_path)])
    assert result.exit_code == ExitCode.FAILED
    assert "damaged" in result.stdout
    assert REMEDY in result.stdout


def test_another_network_is_refused_in_a_sentence(tmp_path: Path) -> None:
    new_chain(tmp_path, DEV)
    words = ["verify", "--data-dir", str(tmp_path), "--network", MAIN.name]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == ExitCode.FAILED
    assert "another network" in result.stderr


def test_no_chain_is_said_in_a_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["verify", "--data-dir", str(tmp_path)])
    assert result.exit_code == ExitCode.FAILED
    assert "there is no chain at" in result.stderr
