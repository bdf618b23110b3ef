"""``kill -9`` and power cuts at chosen moments of a real node's life, and its disk held against a control.

The node follows a control node, over the protocol, through a story of blocks and forks. It dies at a chosen
call that changes a file, its opening and recovery included (`native/cut.c`; without a C compiler, or off Linux,
when the parent says so), or from outside. After each death a copy of its directory is opened: its chain must be
the story's, its accounts those of the rules, and nothing that it had told of may be gone. A power cut is a death
after which the disk has lost what it may lose (`disk`).
"""

from __future__ import annotations

import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from actors.chain.messages import BlockOutcome, ImportRun
from actors.chain.store import Reader, Store
from actors.chain.verify import Report, verify
from actors.config import PeersSettings, Settings
from actors.ledger.network import Network
from actors.ledger.types import Account, BlockRef
from actors.node import Node
from tests.support.disk import Disk, read_record
from tests.support.process import ENVIRONMENT, ROOT
from tests.support.story import STORY_NETWORK, Story

SHIM_SOURCE = ROOT / "tests" / "support" / "native" / "cut.c"
PATIENCE_S = 60.0
"""A step of the story takes milliseconds; a start on a busy machine some seconds."""
OPENING_CALLS = 12
"""So many calls, at least, open a store, recover its log and write the first small files."""
MOST_CALLS = 400
"""Of a life of some tens of commits."""
MOST_S = 1.5
"""About what a life takes on an idle machine, its opening included."""
MOST_STEPS = 12
"""Of the story in one life."""

KEY_FILE = "wallet.key"
COMPARED_BLOCKS = 100
"""Below the tip, after each life; all of them at the end."""
ALL = 10_000
"""More accounts than the story has."""


class DivergedError(Exception):
    """What is on the disk is not what it should be."""


def build_shim(folder: Path) -> Path | None:
    """The library that ends a process at a file call; None: it cannot be had here."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    library = folder / "cut.so"
    command = (compiler, "-O1", "-shared", "-fPIC", "-o", library, SHIM_SOURCE, "-ldl")
    built = subprocess.run(command, capture_output=True, check=False)
    return library if built.returncode == 0 else None


@dataclass(frozen=True, slots=True)
class Plan:
    """How one life ends.

    Attributes:
        cut_at: The last call that changes a file; 0: none is.
        torn: Whether half of that last write is still made.
        after_s: When it is killed from outside, whatever it does; None: not by the clock.
        steps: Of the story, before the end comes from outside.
        killed: Whether that is ``kill -9``, and not an orderly stop.
    """

    cut_at: int
    torn: bool
    after_s: float | None
    steps: int
    killed: bool


@dataclass(slots=True)
class Tally:
    """What came of all lives."""

    cycles: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """By where a life ended: at which call of which file, or from outside, and in which phase."""
    phases: Counter[str] = field(default_factory=Counter)
    told: int = 0
    """Tips that the node told of."""


class Victim:
    """One life of the node; a context manager that leaves nothing running."""

    def __init__(self, cuts: Cuts, plan: Plan) -> None:
        environment = ENVIRONMENT | {"PYTHONDONTWRITEBYTECODE": "1"} | cuts.orders(plan)
        arguments = (cuts.data_dir, cuts.listen, cuts.control.listen_address, cuts.keep_history)
        self.process = subprocess.Popen(
            (sys.executable, "-m", "tests.support.cut_node", *map(str, arguments)),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._timer = threading.Timer(plan.after_s or PATIENCE_S, self.kill)
        if plan.after_s is not None:
            self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        self.kill()
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def lines(self) -> Iterator[str]:
        """What it says, until it is dead.

        Raises:
            queue.Empty: It lives and says nothing for long.
        """
        while (line := self._lines.get(timeout=PATIENCE_S)) is not None:
            yield line

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        """Ask it to stop in order."""
        if self.process.stdin is not None:
            self.process.stdin.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)


class Cuts:
    """A node that dies again and again, its control, and the story of both.

    Args:
        folder: For all files of both.
        seed: Of the story and of the deaths.
        keep_history: As the node is told; the story is then longer, so that there is history to delete.
        power: Whether each death is a power cut.
    """

    def __init__(
        self, folder: Path, seed: int, *, keep_history: int = 0, power: bool = False
    ) -> None:
        folder = folder.resolve()
        self.shim = build_shim(folder)
        self.keep_history, self.power = keep_history, power
        self.data_dir, self.listen = folder / "victim", "127.0.0.1:0"
        self.data_dir.mkdir()
        self.tally = Tally()
        self._copy, self._record = folder / "copy", folder / "record"
        self._random = random.Random(seed)
        self._story = Story(self._random.getrandbits(64))
        self._floor = STORY_NETWORK.genesis.ref
        self._key: bytes | None = None
        settings = Settings(
            data_dir=folder / "control", network=STORY_NETWORK, peers=PeersSettings()
        )
        self.control = Node(settings)
        self.control.start()
        while keep_history and self._story.tip.number < keep_history:
            self._tell_more()

    def close(self) -> None:
        self.control.stop()

    @property
    def tip(self) -> BlockRef:
        return self._story.tip

    @property
    def forks(self) -> int:
        return self._story.forks

    def orders(self, plan: Plan) -> dict[str, str]:
        """What the shim is told, if there is one."""
        if self.shim is None:
            return {}
        orders = {"LD_PRELOAD": str(self.shim), "TROUPE_CUT_SAY": "1"}
        orders |= {"TROUPE_CUT_AT": str(plan.cut_at), "TROUPE_CUT_TORN": str(int(plan.torn))}
        if self.power:
            orders["TROUPE_CUT_LOG"] = str(self._record)
        return orders

    def run(self, cycles: int) -> None:
        """Live and die so often.

        Raises:
            DivergedError: With the number of the cycle.
        """
        for _ in range(cycles):
            plan = self._plan()
            self.tally.cycles += 1
            try:
                self._live(plan)
                self.look()
            except (DivergedError, queue.Empty) as error:
                error.add_note(f"cycle {self.tally.cycles}: {plan}")
                raise

    def finish(self) -> None:
        """Live once more, undisturbed, up to the control's tip; then compare all there is.

        Raises:
            DivergedError: With what differs.
        """
        self._live(Plan(0, torn=False, after_s=None, steps=1, killed=False))
        self.look()
        if self._floor != self._story.tip:
            message = f"it ends at {self._floor}, the control at {self._story.tip}"
            raise DivergedError(message)
        report = report_on(self._copy / "chain.db")
        if report.divergences or report.tip != self._story.tip:
            raise DivergedError(str(report))

    def _plan(self) -> Plan:
        draw = self._random
        cut_at = draw.choice((0, 0, draw.randint(1, OPENING_CALLS), draw.randint(1, MOST_CALLS)))
        return Plan(
            cut_at,
            torn=draw.random() < 0.5,
            after_s=draw.uniform(0.0, MOST_S) if draw.random() < 0.2 else None,
            steps=draw.randint(1, MOST_STEPS),
            killed=draw.random() < 0.7,
        )

    # -- one life -------------------------------------------------------------------------------

    def _live(self, plan: Plan) -> None:
        phase, end, left = "opening", "", plan.steps
        before = self._content() if self.power else {}
        with Victim(self, plan) as victim:
            for line in victim.lines():
                word, first, second = line.split()
                if word == "cut":
                    end = f"{first} {second}"
                    continue
                self._note(BlockRef(int(first), bytes.fromhex(second)))
                self._key = self._key or (self.data_dir / KEY_FILE).read_bytes()
                phase = phase if phase == "stopping" else "running"
                if self._floor.number < self._story.tip.number or phase == "stopping":
                    continue
                if left:
                    left -= 1
                    self._tell_more()
                else:
                    phase = "stopping"
                    self._end(victim, plan)
            code = victim.process.wait(PATIENCE_S)
        if code != -signal.SIGKILL and (code or phase != "stopping"):
            message = f"it ended by itself while {phase}, with {code}"
            raise DivergedError(message)
        end = end or ("killed from outside" if code else "stopped in order")
        self.tally.ends[end] += 1
        self.tally.phases[phase] += 1
        if self.power and self.shim is not None:
            self._cut_power(before)

    def _content(self) -> dict[str, bytes]:
        """The files of the node. What is mapped to memory is not told of its writes, and made anew."""
        files = (path for path in self.data_dir.iterdir() if not path.name.endswith("-shm"))
        return {path.name: path.read_bytes() for path in files}

    def _cut_power(self, before: dict[str, bytes]) -> None:
        """Leave of the directory what a disk may have of it."""
        disk = Disk(str(self.data_dir), before)
        disk.play(read_record(self._record.read_bytes()))
        self._record.unlink()
        shutil.rmtree(self.data_dir)
        self.data_dir.mkdir()
        for name, data in disk.after_cut(self._random).items():
            if not name.endswith("-shm"):
                (self.data_dir / name).write_bytes(data)

    def _end(self, victim: Victim, plan: Plan) -> None:
        """From outside: kill it while it takes in news, or have it stop in order."""
        if plan.killed:
            self._tell_more()
            victim.kill()
        else:
            victim.stop()

    def _note(self, tip: BlockRef) -> None:
        """The node said that this is its tip."""
        self.tally.told += 1
        if tip.number < self._floor.number:
            message = f"it told of {tip} after {self._floor}"
            raise DivergedError(message)
        self._floor = tip

    def _tell_more(self) -> None:
        raws = tuple(block.raw for block in self._story.next())
        verdicts = self.control.addresses.chain.ask(ImportRun(raws), timeout_s=PATIENCE_S)
        assert verdicts[-1].outcome is BlockOutcome.CONNECTED, verdicts

    # -- what is on the disk ----------------------------------------------------------------------

    def look(self) -> None:
        """Open a copy: so the node itself finds what its death left, and must recover it."""
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self.data_dir, self._copy)
        path, key = self._copy / "chain.db", self._copy / KEY_FILE
        if self._key is not None and (not key.exists() or key.read_bytes() != self._key):
            message = "its key is another one, or gone"
            raise DivergedError(message)
        if not path.exists() and self._floor == STORY_NETWORK.genesis.ref:
            return  # it died before it had made one
        with closing(Store.open(path, STORY_NETWORK)) as store:
            tip = store.tip()
            accounts = self._story.accounts(tip.hash)
            if accounts is None:
                message = f"its tip {tip} is not of the story"
                raise DivergedError(message)
            if tip.number < self._floor.number or store.header(self._floor.hash) is None:
                message = f"it had told of {self._floor}, and has {tip}"
                raise DivergedError(message)
            self._compare(store, tip, accounts)
            self._floor = tip

    def _compare(self, store: Reader, tip: BlockRef, expected: Mapping[bytes, Account]) -> None:
        stored = {address: store.account(address) for address in store.addresses(b"", ALL)}
        if stored != expected:
            message = f"its accounts at {tip} are not those of the rules"
            raise DivergedError(message)
        for number in range(max(0, tip.number - COMPARED_BLOCKS), tip.number + 1):
            if store.hash_at(number) != self._story.ancestor(tip, number):
                message = f"block {number} below {tip} is not of the story"
                raise DivergedError(message)


def report_on(path: Path, network: Network = STORY_NETWORK) -> Report:
    """The whole chain, executed anew and compared with what is stored."""
    steps = verify(path, network)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            report: Report = end.value
            return report
