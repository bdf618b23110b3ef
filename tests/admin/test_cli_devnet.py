"""The devnet: its loop over scripted nodes that are real processes, and once over real ones."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from admin.cli.children import Child, Glimpse
from admin.cli.devnet import run_network
from admin.cli.display import PlainDisplay, directions, table
from admin.cli.exits import CliError, ExitCode
from admin.cli.signals import Stops

FAKE = (sys.executable, "-P", "-m", "tests.unit.cli.fake_run")
PATIENCE_S = 100.0


class QuickDisplay(PlainDisplay):
    """What is shown, kept; and something that happens at the nth showing."""

    refresh_s = 0.01

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.shown = 0
        self.at: dict[int, Callable[[], object]] = {}
        self.when_told: Callable[[str], object] = lambda _text: None

    def show(self, children: Sequence[Child]) -> None:
        self.shown += 1
        self.at.pop(self.shown, lambda: None)()
        super().show(children)

    def tell(self, text: str) -> None:
        self.said.append(text)
        self.when_told(text)


class Town:
    """The children of one test."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.children: list[Child] = []
        self.stops, self.display = Stops(), QuickDisplay()

    def add(self, *arguments: str) -> Child:
        name = f"node-{len(self.children) + 1}"
        self.children.append(Child(name, self._place / name, arguments, command=FAKE))
        return self.children[-1]

    def stop_once_told(self, word: str) -> Callable[[str], object]:
        def hear(text: str) -> None:
            if word in text:
                self.stops.request("a test")

        return hear

    def add_mortal(self) -> Child:
        """A node that ends at the first look after all of them were shown."""
        deadly = self._place / "deadly"
        self.display.at[1] = deadly.touch
        return self.add("--dies-once", str(deadly))

    def run(self, blocks: int | None = None) -> ExitCode:
        return run_network(self.children, self.stops, self.display, blocks=blocks)

    def all_are_gone(self) -> bool:
        return all(is_gone(child.pid) for child in self.children if child.pid is not None)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    monkeypatch.setattr("admin.cli.children.CALL_DEADLINE_S", PATIENCE_S)
    made = Town(tmp_path)
    yield made
    for child in made.children:
        child.kill()


def test_it_ends_with_success_once_all_nodes_show_the_same_block(town: Town) -> None:
    for _ in range(3):
        town.add()
    assert town.run(blocks=3) is ExitCode.OK
    assert town.all_are_gone()
    assert town.display.said[-1] == "All nodes show the same block 3."


def test_the_others_are_told_of_the_first(town: Town) -> None:
    for _ in range(3):
        town.add()
    town.run(blocks=1)
    assert [child.glimpse.peers for child in town.children] == [0, 1, 1]


def test_a_request_to_stop_ends_all_of_them(town: Town) -> None:
    for _ in range(2):
        town.add()
    town.display.at[2] = lambda: town.stops.request("a test")
    assert town.run() is ExitCode.OK
    assert town.all_are_gone()


def test_a_request_to_stop_is_heard_while_they_start(town: Town) -> None:
    town.add()
    town.add()
    town.stops.request("a test")
    assert town.run() is ExitCode.OK
    assert town.all_are_gone()


def test_a_node_that_ignores_the_request_is_killed(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.cli.children.STOP_LIMIT_S", 0.1)
    town.add("--stubborn")
    assert town.run(blocks=1) is ExitCode.OK
    assert town.all_are_gone()


def test_a_node_that_dies_is_shown_with_its_last_lines_and_the_rest_goes_on(town: Town) -> None:
    town.add()
    town.add_mortal()
    town.add()
    town.display.when_told = town.stop_once_told("ended")
    assert town.run() is ExitCode.OK
    (mourning,) = [text for text in town.display.said if "node-2 has" in text]
    assert mourning == "node-2 has ended (exit 7); its log ends:\n  it died of its script"
    assert "ended (exit 7)" in table(town.children)
    assert town.children[0].glimpse.state == "ready"


def test_a_death_makes_the_goal_a_failure(town: Town) -> None:
    town.add()
    town.add_mortal()
    assert town.run(blocks=6) is ExitCode.FAILED


def test_when_all_are_dead_it_fails(town: Town) -> None:
    town.add_mortal()
    town.add_mortal()
    with pytest.raises(CliError, match="all nodes have ended"):
        town.run()


def test_a_node_that_does_not_start_says_why(town: Town) -> None:
    town.add("--fails", "the port is taken")
    town.add()
    with pytest.raises(CliError, match="node-1 did not start: Error: the port is taken"):
        town.run()
    assert town.children[1].pid is None


def test_the_log_of_an_older_run_is_no_reason(town: Town) -> None:
    child = town.add("--fails", "this run")
    child.data_dir.mkdir(parents=True)
    (child.data_dir / "node.log").write_text("an older run\n")
    with pytest.raises(CliError, match="node-1 did not start: Error: this run"):
        town.run()


def test_the_directions_can_be_pasted(town: Town) -> None:
    child = town.add()
    town.run(blocks=1)
    text = directions(town.children)
    line = next(line for line in text.splitlines() if "grpcurl" in line)
    assert line.strip() == (
        f'grpcurl -plaintext -H "authorization: Bearer $(cat {child.data_dir}/admin.token)"'
        f" {child.admin_address} troupe.admin.v1.NodeService/GetNode"
    )


def test_without_a_terminal_a_block_is_written_only_when_something_changed(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    town.add()
    town.run(blocks=1)
    plain = PlainDisplay()
    capsys.readouterr()
    plain.show(town.children)
    plain.show(town.children)
    assert capsys.readouterr().out.count("NODE") == 1


def test_without_a_terminal_the_first_hash_rate_is_written(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    child, plain = town.add(), PlainDisplay()
    for rate in (0.0, 0.0, 1000.0, 2000.0):
        child.glimpse = Glimpse(hashes_per_s=rate)
        plain.show(town.children)
    out = capsys.readouterr().out
    assert out.count("NODE") == 2
    assert "1.00 kH/s" in out


def test_nodes_do_not_see_the_settings_of_the_users_environment(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TROUPE_PEER", "192.0.2.1:1")
    child = town.add()
    town.run(blocks=1)
    assert child.exit_code is not None
    environment = subprocess.run(
        [sys.executable, "-c", "from admin.cli.children import _environment as e; print(e())"],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "TROUPE_PEER" not in environment.stdout


HOLDER = """
import sys
from pathlib import Path
from admin.cli.children import Child
child = Child("node-1", Path(sys.argv[1]), (), command={command!r})
child.start(())
while not child.is_up:
    child.look()
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_nodes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(command=FAKE), str(tmp_path / "node-1")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        watch = os.pidfd_open(pid)
        holder.kill()
    try:
        assert select.select([watch], [], [], PATIENCE_S)[0], "the node outlived its parent"
    finally:
        os.close(watch)


NETWORK = """
name = "easy"
key_scheme = "ed25519"
difficulty = 2
block_reward = 100
max_transactions_per_block = 10
genesis_coinbase = "{}"
""".format("00" * 31 + "dd")


def devnet(place: Path, *words: str) -> subprocess.Popen[str]:
    network = place / "easy.toml"
    network.write_text(NETWORK)
    return subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "admin.cli.main", "devnet", "--nodes", "2"),
            *("--network-file", str(network), *words),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(place)},
    )


def test_two_real_nodes_agree_on_a_block_and_leave_nothing(tmp_path: Path) -> None:
    with devnet(tmp_path, "--blocks", "1") as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert "All nodes show the same block 1." in out
    assert [path.name for path in tmp_path.iterdir()] == ["easy.toml"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_real_nodes_in_order(tmp_path: Path, number: signal.Signals) -> None:
    kept = tmp_path / "net"
    with devnet(tmp_path, "--no-mine", "--data-dir", str(kept)) as process:
        assert process.stdout is not None
        while "NODE" not in process.stdout.readline():
            pass
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    for name in ("node-1", "node-2"):
        assert not (kept / name / "admin.address").exists()
        assert "stopped" in (kept / name / "node.log").read_text().splitlines()[-1]
