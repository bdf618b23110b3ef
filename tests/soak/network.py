"""Eight real nodes that come and go, make blocks, pay and part; prints whether they end as one, and what they hold.

    python -m tests.soak.network [--minutes 30] [--nodes 8] [--seed 1]

Half of the nodes live one life, and their memory is measured; the others are killed and stopped, and start
again, and so do their actors. All the time blocks are made, often by two nodes at once, peers are disconnected, the
network is parted by bans so that its parts must reorganise, transactions are sent and questions asked. Then it
is left to heal: all nodes must be on one tip, and each one's chain must verify. Samples go to
``build/soak_network.jsonl``, one line each.

What a node keeps has bounds (20 MiB of database pages, 16,384 known signatures, ...), and grows up to them for hours.
So a run of a quarter of an hour or more begins with a long chain and fills all that, and the nodes that are measured
have some of the bounds lower; and only then is the slope of what they have in use a target: what grows after that
grows for ever. See `tests.soak.memory` and `tests.support.weighed`.

Ends with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from actors.ledger.network import MAIN
from tests.bench.chains import Maker, network_file, write
from tests.bench.figure import Figure, at_least, at_most
from tests.soak import memory
from tests.soak.churn import DEEDS, heal, part
from tests.soak.fleet import Fleet, fleet_of
from tests.soak.traffic import ask, fetched, fill, follow, mine, pay, verify
from tests.support.process import NodeProcess
from tests.support.usage import held

NETWORK = replace(
    MAIN, name="soak", difficulty=0, allow_generate=True, max_transactions_per_block=50
)
"""Blocks cost nothing: how many there are is the seed's choice, and not the machine's."""
STEADY = 4
SAMPLES = Path("build/soak_network.jsonl")
SAMPLE_EVERY_S = 2.0
DEED_EVERY_S, PART_EVERY_S = 6.0, 60.0
LEAST_PARTINGS, LEAST_DEEDS = 2, 10
"""Also of a short run, or nearly."""
PAY_EVERY_S, ASK_EVERY_S, MINE_EVERY_S = 1.0, 0.25, 2.0
FILL_BLOCKS, FILL_TRANSACTIONS = 1_200, 17_000
"""More database pages than are kept, and more signatures than are known."""
VERIFIED_AT_ONCE = 2
HEAL_S = 180.0
"""Bans end, nodes are dialed again, a chain of some minutes is fetched."""
MEASURED_FROM_MINUTES = 15.0
"""Ids of gossip are forgotten after five: in the first half of the time."""
LEAST_NODES = 2
"""One stays while the other is away."""


@dataclass
class Run:
    """What is under way, and what came of it; ``is_long``: what takes time to show is measured, too."""

    fleet: Fleet
    seconds: float
    chance: random.Random
    is_long: bool
    begun_s: float = field(default_factory=time.monotonic)
    samples: list[memory.Sample] = field(default_factory=list)
    deeds: Counter[str] = field(default_factory=Counter)
    reorgs: list[int] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    fallen: list[BaseException] = field(default_factory=list)

    @property
    def now_s(self) -> float:
        return time.monotonic() - self.begun_s

    def every(self, seconds: float, work: Callable[[], object]) -> None:
        """Do that again and again, until the run ends. What it raises ends the run."""
        try:
            while not self.ended.wait(seconds):
                work()
        except BaseException as error:  # noqa: BLE001 - told to the main thread
            self.fallen.append(error)
            self.ended.set()


def sample(run: Run, file: TextIO) -> None:
    for member in run.fleet.members:
        node, life = member.node, member.lives
        if node is None:
            continue
        try:
            now = held(node.process.pid)
        except OSError:  # it was killed meanwhile
            continue
        weight = member.weight()
        in_use, pages = (weight.held_bytes, weight.page_bytes) if weight else (0, 0)
        at_s = round(run.now_s, 2)
        taken = memory.Sample(at_s, member.number, life, *now, in_use, pages)
        run.samples.append(taken)
        file.write(json.dumps(taken._asdict()) + "\n")
    file.flush()


def churn(run: Run) -> None:
    """The main thread's part: one deed after the other, in an order that the seed decides."""
    part_every_s = min(PART_EVERY_S, run.seconds / (LEAST_PARTINGS + 1))
    deed_every_s = min(DEED_EVERY_S, run.seconds / LEAST_DEEDS)
    part_at_s = part_every_s
    while not run.ended.wait(run.chance.uniform(0, 2 * deed_every_s)):
        if run.now_s >= run.seconds:
            return
        if run.now_s >= part_at_s:
            part_at_s += part_every_s
            part(run.fleet, run.chance)
            run.deeds["parted"] += 1
        else:
            name, deed = run.chance.choice(DEEDS)
            deed(run.fleet, run.chance)
            run.deeds[name] += 1


def hold_out(run: Run, file: TextIO) -> None:
    """All at once, for as long as the run takes."""
    fleet = run.fleet
    paying, asking, mining = (random.Random(run.chance.random()) for _ in range(3))
    works: tuple[tuple[float, Callable[[], object]], ...] = (
        (SAMPLE_EVERY_S, lambda: sample(run, file)),
        (PAY_EVERY_S, lambda: pay(fleet, paying)),
        (ASK_EVERY_S, lambda: ask(fleet, asking)),
        (MINE_EVERY_S, lambda: mine(fleet, mining)),
    )
    threads = [threading.Thread(target=run.every, args=work, daemon=True) for work in works]
    first = fleet.members[0].node
    assert first is not None
    with follow(first, run.reorgs.append):
        for thread in threads:
            thread.start()
        try:
            churn(run)
        finally:
            run.ended.set()
            for thread in threads:
                thread.join()
    if run.fallen:
        raise run.fallen[0]


def figures(run: Run, verified: int, tips: int) -> Iterator[Figure]:
    members = run.fleet.members
    yield Figure("nodes", len(members), "")
    for name, count in sorted(run.deeds.items()):
        yield Figure(f"deeds: {name}", count, "")
    yield Figure("lives of nodes", sum(member.lives for member in members), "")
    reorgs = at_least(1) if run.is_long else None
    yield Figure("reorganisations that node 0 saw", len(run.reorgs), "", reorgs)
    yield Figure("the deepest of them", max(run.reorgs, default=0), "blocks")
    heights = [node.height() for node in run.fleet.up]
    yield Figure("height at the end", max(heights), "blocks")
    for (method, outcome), count in sorted(run.fleet.ended.items()):
        yield Figure(f"calls: {method}, {outcome}", count, "")
    yield Figure("calls that failed by a bug", bugs(run.fleet), "", at_most(0))
    yield Figure("tips at the end", tips, "", at_most(1))
    yield Figure("chains that verify", verified, "", at_least(len(members)))
    yield from grown(run)


def bugs(fleet: Fleet) -> int:
    return sum(count for (_, outcome), count in fleet.ended.items() if outcome == "INTERNAL")


def grown(run: Run) -> Iterator[Figure]:
    """Of the memory of each node that lived one life."""
    for member in run.fleet.members:
        if member.steady:
            own = [each for each in run.samples if each.node == member.number]
            what = f"node {member.number}"
            yield from memory.figures(what, own, run.seconds / 2, is_long=run.is_long)


def written(folder: Path, blocks: int) -> Path:
    """A directory with a chain of so many full blocks."""
    maker = Maker(NETWORK)
    write(folder, NETWORK, (maker.block(NETWORK.max_transactions_per_block) for _ in range(blocks)))
    return folder


def soak(minutes: float, nodes: int, seed: int, say: Callable[[str], None]) -> list[Figure]:
    """The whole run; says how it gets on.

    Raises:
        AssertionError: a node did not start, did not end as it should, or said something of an error.
    """
    is_long = minutes >= MEASURED_FROM_MINUTES
    SAMPLES.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, SAMPLES.open("w") as file:
        folder = Path(name)
        chain = written(folder / "chain", FILL_BLOCKS) if is_long else None
        steady = min(STEADY, nodes // 2)
        with fleet_of(folder, network_file(folder, NETWORK), nodes, steady, chain) as fleet:
            if is_long:
                fetched(fleet, FILL_BLOCKS)
                say("all have fetched the chain; now they are paid through")
                fill(fleet, FILL_TRANSACTIONS)
                say("all that the nodes keep is full; now comes the churn")
            run = Run(fleet, minutes * 60, random.Random(seed), is_long)
            hold_out(run, file)
            say(f"{run.now_s:.0f} s of churn: {dict(run.deeds)}; now it heals")
            tips = heal(fleet, HEAL_S)
            say(f"{run.now_s:.0f} s: {len(tips)} tip(s); now each chain is verified")
            with ThreadPoolExecutor(VERIFIED_AT_ONCE) as pool:
                verified = sum(pool.map(verify, fleet.up))
            found = list(figures(run, verified, len(tips)))
            codes = [member.end(NodeProcess.stop) for member in fleet.members]
        said = [f"node {each.number}: {line}" for each in fleet.members for line in each.said]
        say("".join(said))
        found.append(Figure("exit codes other than 0", sum(map(bool, codes)), "", at_most(0)))
        found.append(Figure("errors in the nodes' logs", len(said), "", at_most(0)))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if chosen.nodes < LEAST_NODES:
        parser.error(f"--nodes: at least {LEAST_NODES}: one stays while the other is away")
    found = soak(chosen.minutes, chosen.nodes, chosen.seed, lambda line: print(line, flush=True))
    print(*(figure.line() for figure in found), sep="\n")
    sys.exit(any(figure.is_met is False for figure in found))


if __name__ == "__main__":
    main()
