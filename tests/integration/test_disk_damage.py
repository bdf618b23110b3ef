"""Damage in the files of a real node: found, said in a sentence, repaired, and fetched again from a peer."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from troupe.admin.v1 import node_service_pb2

from admin.cli.exits import ExitCode
from tests.integration.test_disk_full import await_state
from tests.support.process import NodeProcess, easy_network_file, troupe

BLOCKS = 60


@pytest.fixture
def network_file(tmp_path: Path) -> str:
    return str(easy_network_file(tmp_path))


def change(data_dir: Path, statement: str) -> None:
    with closing(sqlite3.connect(data_dir / "chain.db")) as connection, connection:
        connection.execute(statement)


def overwrite(data_dir: Path, table: str) -> None:
    """The first page of a table's own."""
    with closing(sqlite3.connect(data_dir / "chain.db")) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = connection.execute(query, (table,)).fetchone()
    with (data_dir / "chain.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xaa" * 4096)


def test_a_damaged_chain_is_repaired_and_what_was_lost_comes_from_a_peer(
    tmp_path: Path, network_file: str
) -> None:
    words = ("--network-file", network_file)
    with NodeProcess(tmp_path / "a", *words) as a, NodeProcess(tmp_path / "b", *words) as b:
        a.generate(BLOCKS)
        b.connect(a)
        b.await_tip(a.tip_hash())
        assert b.stop() == 0
        change(b.data_dir, "UPDATE blocks SET raw = x'00' WHERE number IN (20, 21, 60)")
        refused = troupe("run", "--data-dir", str(b.data_dir), *words)
        assert refused.returncode == ExitCode.FAILED
        assert "troupe repair" in refused.stderr
        assert "Traceback" not in refused.stderr
        repaired = troupe("repair", "--data-dir", str(b.data_dir))
        assert repaired.returncode == ExitCode.OK, repaired.stderr
        assert "19 blocks kept" in repaired.stdout
        assert "38 blocks more can be read" in repaired.stdout
        with NodeProcess(b.data_dir, *words, "--peer", a.listen_address) as again:
            again.await_tip(a.tip_hash())
            assert again.wallet_address() != a.wallet_address()
            sound = troupe("chain", "verify", "--data-dir", str(again.data_dir))
            assert sound.returncode == ExitCode.OK, sound.stdout
    assert (tmp_path / "b" / "chain.db.damaged-1").exists()


def test_damage_that_a_start_does_not_meet_is_found_beside_it_and_the_rest_is_served(
    tmp_path: Path, network_file: str
) -> None:
    words = ("--network-file", network_file)
    with NodeProcess(tmp_path / "a", *words) as node:
        node.generate(BLOCKS)
        assert node.stop() == 0
    overwrite(node.data_dir, "transactions")
    with NodeProcess(node.data_dir, *words) as again:
        reasons = await_state(again, node_service_pb2.NODE_STATE_DEGRADED).state_reasons
        assert any("troupe repair" in reason for reason in reasons)
        assert again.height() == BLOCKS
        assert again.block_hash(5)
        assert again.stop() == 0


def test_a_damaged_block_is_refused_to_people_in_a_sentence(
    tmp_path: Path, network_file: str
) -> None:
    words = ("--network-file", network_file)
    with NodeProcess(tmp_path / "a", *words) as node:
        node.generate(BLOCKS)
        change(node.data_dir, "UPDATE blocks SET raw = x'00' WHERE number = 20")
        shown = troupe("block", "20", "--data-dir", str(node.data_dir))
        assert shown.returncode == ExitCode.FAILED
        assert "STORE_UNREADABLE" in shown.stderr
        assert "troupe repair" in shown.stderr
        assert troupe("block", "21", "--data-dir", str(node.data_dir)).returncode == ExitCode.OK
        await_state(node, node_service_pb2.NODE_STATE_DEGRADED)


def test_two_nodes_never_run_on_one_directory_and_a_killed_one_leaves_no_lock(
    tmp_path: Path, network_file: str
) -> None:
    words = ("--network-file", network_file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    with NodeProcess(tmp_path / "a", "--network-file", network_file) as node:
        place = ("--data-dir", str(node.data_dir))
        second = troupe("run", *place, *words)
        for refused in (second, troupe("repair", *place), troupe("repair", "--check", *place)):
            assert refused.returncode == ExitCode.FAILED
            assert f"another troupe node is running (process {node.process.pid})" in refused.stderr
        assert troupe("verify", *place).returncode == ExitCode.OK  # which only reads
        copy = tmp_path / "copy"
        shutil.copytree(node.data_dir, copy)
        with NodeProcess(copy, "--network-file", network_file) as other:
            assert other.stop(signal.SIGINT) == 0
        node.kill()
    with NodeProcess(node.data_dir, "--network-file", network_file) as again:
        assert again.stop() == 0
