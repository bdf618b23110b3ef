"""A real process says on a signal where it is, also when what hangs is the main thread or an actor's."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import ENVIRONMENT, NodeProcess

LOOK_S = 0.02
HANGING = """
import threading
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import ThreadClock
from actors.runtime.dump import dump
from actors.runtime.runner import ThreadRunner
from admin.cli.dumps import dumping

class Hang: pass

def never_ends():
    print("hangs", flush=True)
    threading.Event().wait()

class Stuck(NodeActor):
    def on_receive(self, message):
        never_ends()

with dumping(lambda: dump(runner)):
    runner = ThreadRunner(ThreadClock(), {"links": ("peers", "tcp")})
    box = runner.mailbox("tcp")
    runner.mailbox("peers").post("a letter")
    actor = Stuck()
    actor.attach(box, lambda _actor, _fall: None)
    for _ in range(3):  # before it begins: what waits behind the first is there when it hangs
        box.post(Hang())
    runner.run(actor)
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""


UNREAD = """
import os, signal, threading
from admin.cli.dumps import dumping

vars(signal).pop("sigtimedwait", None)  # not every POSIX system has it: macOS has none
asked = threading.Event()

def text():
    asked.set()
    return "more than a pipe holds" * 10_000

with dumping(text):
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGUSR1)
        asked.wait()
print("over")
"""


@pytest.fixture
def hanging() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        (sys.executable, "-c", HANGING),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def until(process: subprocess.Popen[str], line: str) -> str:
    """What it wrote up to this line; the test's time limit is the bound."""
    assert process.stderr is not None
    seen = []
    for each in process.stderr:
        seen.append(each)
        if line in each:
            return "".join(seen)
    pytest.fail(f"it ended: {''.join(seen)}")


def test_a_process_whose_main_and_links_threads_hang_says_where(
    hanging: subprocess.Popen[str],
) -> None:
    assert hanging.stdout is not None
    assert hanging.stdout.readline() == "hangs\n"
    hanging.send_signal(signal.SIGUSR1)
    dump = until(hanging, "end of threads")
    assert "thread troupe-links" in dump
    assert "actor tcp: handles Hang, 2 letters wait" in dump
    assert "actor peers: rests, 1 letters wait" in dump
    assert "never_ends" in dump
    assert "thread MainThread" in dump
    assert hanging.poll() is None


def test_it_says_so_again_and_in_c_as_well(hanging: subprocess.Popen[str]) -> None:
    assert hanging.stdout is not None
    assert hanging.stdout.readline() == "hangs\n"
    for _ in range(2):
        hanging.send_signal(signal.SIGUSR1)
        until(hanging, "end of threads")
    hanging.send_signal(signal.SIGUSR2)
    assert "never_ends" in until(hanging, "in never_ends")
    assert hanging.poll() is None


def test_a_dump_that_nobody_reads_keeps_no_command_from_its_end() -> None:
    with subprocess.Popen(
        (sys.executable, "-c", UNREAD),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read() == "over\n"
        assert process.wait() == 0


LATE = """
import threading
from admin.cli.dumps import dumping

for _ in range(8):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
for _ in range(20):
    with dumping(str):
        pass
print("over")
"""


def test_threads_that_were_there_before_do_not_die_of_its_end() -> None:
    ended = subprocess.run(
        (sys.executable, "-c", LATE), env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "over\n")


def dumped(node: NodeProcess) -> str:
    """What it has written once its dump is whole; the test's time limit is the bound."""
    while "end of threads" not in (text := "".join(node.output)):
        assert node.process.poll() is None
        threading.Event().wait(LOOK_S)
    return text


def test_a_node_goes_on_after_its_dump(tmp_path: Path) -> None:
    with NodeProcess(tmp_path / "node", "--network", "dev") as node:
        node.process.send_signal(signal.SIGUSR1)
        dump = dumped(node)
        for name in ("supervisor", "chain", "messaging", "tcp"):
            assert f"actor {name}: " in dump
        assert "thread troupe-links" in dump
        assert node.node().listen_address == node.listen_address
        assert node.process.poll() is None
