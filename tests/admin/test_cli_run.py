"""``troupe run`` as a process: its banner, its end, and its refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from click.testing import CliRunner

from admin.cli.exits import ExitCode
from admin.cli.main import cli

PATIENCE_S = 100.0
PYTHON_S = 0.005
"""How long a thread may keep the others waiting if nobody says otherwise."""
COMMAND = (sys.executable, "-P", "-m", "admin.cli.main", "run")
ANYWHERE = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TROUPE_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path)}


@contextmanager
def running(
    *words: str, command: Sequence[str] = COMMAND
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A node and its banner."""
    process = subprocess.Popen(
        [*command, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    with process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            while not lines or "Ctrl-C" not in lines[-1]:
                lines.append(process.stdout.readline())
                assert lines[-1], process.communicate()[1]
            yield process, "".join(lines)
        finally:
            process.kill()


def refused(*words: str) -> str:
    result = subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env=environment(),
    )
    assert result.returncode == ExitCode.FAILED
    assert result.stdout == ""
    return result.stderr


def test_a_node_shows_one_banner_and_ends_with_0_on_each_signal(tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        with running("--data-dir", str(tmp_path), "--network", "workshop", *ANYWHERE) as (
            node,
            text,
        ):
            node.send_signal(number)
            out, err = node.communicate(timeout=PATIENCE_S)
            assert node.returncode == 0
            assert out == ""
            assert "Traceback" not in err
        assert "workshop" in text
        assert str(tmp_path) in text
        assert "teaching" in text
        assert not (tmp_path / "admin.address").exists()


def test_the_key_and_the_tokens_are_private(tmp_path: Path) -> None:
    with running("--data-dir", str(tmp_path), *ANYWHERE):
        for name in ("wallet.key", "admin.token", "readonly.token"):
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_commands_find_the_node_and_stop_it(tmp_path: Path) -> None:
    with running("--data-dir", str(tmp_path), *ANYWHERE) as (node, text):
        address = (tmp_path / "admin.address").read_text().strip()
        assert address in text
        status = CliRunner().invoke(cli, ["status", "--data-dir", str(tmp_path)])
        assert status.exit_code == 0, status.stderr
        stop = CliRunner().invoke(cli, ["stop", "--data-dir", str(tmp_path)])
        assert stop.exit_code == 0, stop.stderr
        node.communicate(timeout=PATIENCE_S)
        assert node.returncode == 0


def test_a_second_node_is_refused_with_one_sentence(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with ExitStack() as stack:
        _, text = stack.enter_context(running("--data-dir", str(first), *ANYWHERE))
        listen = next(line for line in text.splitlines() if "peer address" in line).split()[2]
        admin = next(line for line in text.splitlines() if "admin address" in line).split()[2]
        for words in (
            ("--data-dir", str(first), *ANYWHERE),
            ("--data-dir", str(second), "--listen", listen, "--admin", "127.0.0.1:0"),
            ("--data-dir", str(second), "--listen", "127.0.0.1:0", "--admin", admin),
        ):
            error = refused(*words).splitlines()[-1]
            assert error.startswith("Error: ")


def test_a_node_ends_with_its_parent(tmp_path: Path) -> None:
    words = ("--data-dir", str(tmp_path), "--die-with-parent", *ANYWHERE)
    with running(*words) as (node, _):
        assert node.stdin is not None
        node.stdin.close()
        assert node.wait(PATIENCE_S) == 0


HELD_UP = """
import threading
from admin.cli import run
from admin.cli.main import main

class HeldUp(run.Node):
    def stop(self):
        print("held up", flush=True)
        while True:
            threading.Event().wait(0.1)

run.Node = HeldUp
main()
"""


def test_the_second_interrupt_does_not_wait_for_a_node_that_is_held_up(tmp_path: Path) -> None:
    command = (sys.executable, "-P", "-c", HELD_UP, "run")
    with running("--data-dir", str(tmp_path), *ANYWHERE, command=command) as (node, _):
        assert node.stdout is not None
        node.send_signal(signal.SIGINT)
        assert node.stdout.readline() == "held up\n"
        assert node.poll() is None
        node.send_signal(signal.SIGINT)
        assert node.wait(PATIENCE_S) == ExitCode.INTERRUPTED


def test_unusable_settings_are_usage_errors() -> None:
    for words in (
        ["run", "--admin", "0.0.0.0:1"],
        ["run", "--peer", "x"],
        ["run", "--threads", "0"],
    ):
        assert CliRunner().invoke(cli, words).exit_code == ExitCode.USAGE


def test_no_thread_of_a_node_keeps_the_others_waiting_for_milliseconds(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(PYTHON_S)
    try:
        ended = CliRunner().invoke(cli, ["run", "--data-dir", str(file / "in it"), *ANYWHERE])
        assert ended.exit_code == ExitCode.FAILED, ended.output
        assert sys.getswitchinterval() < 0.001
    finally:
        sys.setswitchinterval(before_s)
