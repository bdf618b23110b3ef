"""A repair that is killed at any moment has cost nothing: the next one ends where an undisturbed one does."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from actors.chain.importer import Importer
from actors.chain.repair import DRAFT_SUFFIX, ready_at, rebuild
from actors.chain.signatures import Signatures
from actors.chain.store import Store
from actors.config import PeersSettings, Settings
from actors.ledger.network import parse_network
from actors.node import Node
from admin.cli.exits import ExitCode
from admin.cli.main import cli
from tests.support.chains import mine_chain
from tests.support.cuts import build_shim, report_on
from tests.support.disk import read_record
from tests.support.process import EASY_TOML, ENVIRONMENT, ROOT, easy_network_file
from tests.unit.chain.test_disk_faults import overwrite_page

NETWORK = parse_network(tomllib.loads(EASY_TOML))
CHAIN = mine_chain(NETWORK, NETWORK.genesis.ref, 12)
TIMEOUT_S = 60.0
LAST_STEP = "rename chain.db"
"""The new store takes its place."""
MOST_LAST_CALLS = 30
"""Some ten that put it in place, and as many that fail and are not in the record."""


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A chain that SQLite makes nothing of, half of whose blocks are in the log alone."""
    source, directory = tmp_path / "sound.db", tmp_path / "damaged"
    directory.mkdir()
    with closing(Store.open(source, NETWORK)) as store:
        Importer(store, NETWORK).add(CHAIN[:6])
        store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        Importer(store, NETWORK).add(CHAIN[6:])
        shutil.copy(source, directory / "chain.db")
        shutil.copy(f"{source}-wal", directory / "chain.db-wal")
    overwrite_page(directory / "chain.db", 1)
    return directory


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    built = build_shim(tmp_path)
    if built is None:
        pytest.skip("no C compiler, or not Linux")
    return built


class Repairs:
    """Repairs of copies of one directory, each a process that is told where to end."""

    def __init__(self, folder: Path, damaged: Path, shim: Path) -> None:
        self._damaged, self._shim, self._record = damaged, shim, folder / "record"
        self._words = ("repair", "--rebuild", "--network-file", str(easy_network_file(folder)))
        self.directory = folder / "repaired"

    def calls_before_the_end(self) -> int:
        """How many calls that change a file an undisturbed one makes, at least, before its new store is whole."""
        self._run(TROUPE_CUT_LOG=str(self._record))
        calls = read_record(self._record.read_bytes())
        return next(
            n for n, c in enumerate(calls) if c.kind == "r" and c.path.endswith(DRAFT_SUFFIX)
        )

    def cut(self, at: int) -> str:
        """Begin anew, and end before this call; which one it was, and of which file."""
        said = self._run(TROUPE_CUT_AT=str(at), TROUPE_CUT_SAY="1")
        return said.removeprefix("cut ").strip()

    def again(self) -> None:
        """Repair what was left, here."""
        result = CliRunner().invoke(cli, [*self._words, "--data-dir", str(self.directory)])
        assert result.exit_code == ExitCode.OK, result.stderr

    def _run(self, **orders: str) -> str:
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.copytree(self._damaged, self.directory)
        done = subprocess.run(
            (sys.executable, "-m", "admin.cli", *self._words, "--data-dir", self.directory),
            cwd=ROOT,
            env=ENVIRONMENT | {"LD_PRELOAD": str(self._shim)} | orders,
            stdout=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == (-signal.SIGKILL if done.stdout.startswith("cut") else 0)
        return done.stdout


@pytest.fixture
def repairs(tmp_path: Path, damaged: Path, shim: Path) -> Repairs:
    return Repairs(tmp_path, damaged, shim)


def is_whole(directory: Path) -> bool:
    report = report_on(directory / "chain.db", NETWORK)
    return report.tip == CHAIN[-1].ref and not report.divergences


def test_wherever_a_repair_is_killed_the_next_one_loses_no_block(repairs: Repairs) -> None:
    end = repairs.calls_before_the_end()
    cuts: list[str] = []
    for at in (1, end // 2, *range(end + 3, end + MOST_LAST_CALLS)):
        cuts.append(repairs.cut(at))
        repairs.again()
        assert is_whole(repairs.directory), cuts[-1]
        assert not list(repairs.directory.glob("chain.db.repair*")), cuts[-1]
        if cuts[-1] == LAST_STEP:
            break
    assert {"rename chain.db.repaired", "rename chain.db.damaged-1-wal", LAST_STEP} <= set(cuts)


def test_a_node_begins_with_the_repaired_chain_although_its_repair_was_killed_in_the_end(
    damaged: Path,
) -> None:
    path, draft = damaged / "chain.db", damaged / "draft"
    assert list(rebuild(path, draft, NETWORK, Signatures(NETWORK)))
    draft.replace(ready_at(path))
    node = Node(Settings(data_dir=damaged, network=NETWORK, peers=PeersSettings()))
    node.start()
    node.stop()
    assert is_whole(damaged)
    assert not ready_at(path).exists()
