"""Damage in the files of a real node: found, said in a sentence, repaired, and fetched again from a peer."""

from __future__ import annotations

import shutil
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from troupe.admin.v1 import node_service_pb2

from actors.chain.importer import Importer
from actors.chain.store import Store
from actors.config import PeersSettings, Settings
from actors.datadir import DataDir, DataDirError
from actors.ledger.network import parse_network
from actors.node import Node
from admin.cli.exits import ExitCode
from admin.cli.main import cli
from tests.integration.test_disk_full import await_state
from tests.support.chains import mine_chain
from tests.support.process import EASY_TOML, NodeProcess, easy_network_file, troupe
from tests.unit.chain.test_checkup import overwrite_root

NETWORK = parse_network(tomllib.loads(EASY_TOML))
CHAIN = mine_chain(NETWORK, NETWORK.genesis.ref, 60)


@pytest.fixture
def network_file(tmp_path: Path) -> str:
    return str(easy_network_file(tmp_path))


def with_chain(directory: Path) -> Path:
    """A data directory that has the whole chain."""
    directory.mkdir()
    with closing(Store.open(directory / "chain.db", NETWORK)) as store:
        Importer(store, NETWORK).add(CHAIN)
    return directory


def change(data_dir: Path, statement: str) -> None:
    with closing(sqlite3.connect(data_dir / "chain.db")) as connection, connection:
        connection.execute(statement)


def here(command: str, data_dir: Path) -> Result:
    """A command in this process, beside the node's."""
    return CliRunner().invoke(cli, [*command.split(), "--data-dir", str(data_dir)])


def test_a_damaged_chain_is_repaired_and_what_was_lost_comes_from_a_peer(
    tmp_path: Path, network_file: str
) -> None:
    words = ("--network-file", network_file)
    b = with_chain(tmp_path / "b")
    change(b, "UPDATE blocks SET raw = x'00' WHERE number IN (20, 21, 60)")
    refused = troupe("run", "--data-dir", str(b), *words)
    assert refused.returncode == ExitCode.FAILED
    assert "troupe repair" in refused.stderr
    assert "Traceback" not in refused.stderr
    repaired = here("repair", b)
    assert repaired.exit_code == ExitCode.OK, repaired.stderr
    assert "19 blocks kept" in repaired.stdout
    assert "38 blocks more can be read" in repaired.stdout
    assert (b / "chain.db.damaged-1").exists()
    a = Node(Settings(data_dir=with_chain(tmp_path / "a"), network=NETWORK, peers=PeersSettings()))
    a.start()
    try:
        with NodeProcess(b, *words, "--peer", a.listen_address) as again:
            again.await_tip(CHAIN[-1].hash.hex())
    finally:
        a.stop()
    sound = here("verify", b)
    assert sound.exit_code == ExitCode.OK, sound.stdout


def test_damage_that_a_start_does_not_meet_is_found_beside_it_and_the_rest_is_served(
    tmp_path: Path, network_file: str
) -> None:
    directory = with_chain(tmp_path / "a")
    change(directory, "UPDATE blocks SET raw = x'00' WHERE number = 20")
    overwrite_root(directory / "chain.db", "transactions")
    with NodeProcess(directory, "--network-file", network_file) as node:
        reasons = await_state(node, node_service_pb2.NODE_STATE_DEGRADED).state_reasons
        assert any("troupe repair" in reason for reason in reasons)
        assert node.height() == len(CHAIN)
        assert node.block_hash(5) == CHAIN[4].hash.hex()
        shown = here("block 20", directory)
        assert shown.exit_code == ExitCode.FAILED
        assert "STORE_UNREADABLE" in shown.stderr
        assert "troupe repair" in shown.stderr
        assert here("block 21", directory).exit_code == ExitCode.OK
        assert node.stop() == 0


def test_two_nodes_never_run_on_one_directory_and_a_killed_one_leaves_no_lock(
    tmp_path: Path, network_file: str
) -> None:
    words = ("--network-file", network_file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    with NodeProcess(tmp_path / "a", "--network-file", network_file) as node:
        holder = f"another troupe node is running (process {node.process.pid})"
        second = troupe("run", "--data-dir", str(node.data_dir), *words)
        assert second.returncode == ExitCode.FAILED
        assert holder in second.stderr
        for command in ("repair", "repair --check"):
            refused = here(command, node.data_dir)
            assert refused.exit_code == ExitCode.FAILED
            assert holder in refused.stderr
        assert here("verify", node.data_dir).exit_code == ExitCode.OK  # which only reads
        copy = shutil.copytree(node.data_dir, tmp_path / "copy")
        DataDir(copy).close()
        with pytest.raises(DataDirError):
            DataDir(node.data_dir)
        node.kill()
    DataDir(node.data_dir).close()
