"""Calls that must be refused, by the thousand, and floods of others, on a real node; prints what they cost it.

    python -m tests.soak.door [--calls 10000] [--seed 1] [--seconds 5]

First come calls that are all to be refused: it fails if one is not. Then sixteen attackers, in eleven ways, each
for so many seconds, and a caller with a token beside them. It fails if that one is answered too late or not at
all, if the node falls, logs each call, or holds on to more memory, files or threads than before. The node mines
on all cores meanwhile, on a network whose blocks are rare: their own memory would hide a leak.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from admin.auth import READONLY_TOKEN_FILE
from tests.bench.client import Calls, ClientProcess, Door, call_node
from tests.support.abuse import Abuse
from tests.support.floods import FLOODS, RESET, flood
from tests.support.process import NodeProcess
from tests.support.usage import Held, held

WARM_UP_SHARE = 10
"""A tenth of the calls come first: what is allocated once is no leak."""
MAX_GROWTH_BYTES = 32 * 1024 * 1024
"""What allocators keep of six buffers of an oversized message; a leak of 3.3 kB a call is above it."""
MAX_FLOOD_GROWTH_BYTES = 64 * 1024 * 1024
"""The same for the floods: what sixteen oversized messages at once need, and a thousand calls under way."""
MAX_NEW_FILES = 2
MAX_NEW_THREADS = 4
"""gRPC keeps a few threads for a while."""
MAX_P99_MS = 50.0
MAX_RESET_P99_MS = 250.0
"""gRPC takes each call up, one after the other, before it looks whether it was given up: what waits there is not
ours to order (SECURITY.md: what is not defended)."""
MAX_PEAK_BYTES = 300 * 1024 * 1024
PAUSE_S = 0.01
SAMPLE_S = 0.02
MAX_LINES = 40
"""Of the node's log: it begins with some ten, and each flood adds two at most."""
SETTLED_S = 12.0
"""The node closes what says nothing after ten seconds."""


class Flooded(NamedTuple):
    """What a flood came to, how the caller beside it fared, and the most memory that the node held."""

    name: str
    seen: str
    beside: Calls
    peak_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.name:<28} p50 {self.beside.p50_ms:6.1f} ms  p99 {self.beside.p99_ms:6.1f} ms"
            f"  {self.peak_bytes / 1e6:6.1f} MB  {self.seen}"
        )

    @property
    def misses(self) -> Iterator[str]:
        bound_ms = MAX_RESET_P99_MS if self.name == RESET else MAX_P99_MS
        if self.beside.p99_ms > bound_ms:
            yield f"{self.name}: answered too late"
        if self.peak_bytes > MAX_PEAK_BYTES:
            yield f"{self.name}: too much memory"


def refuse(node: NodeProcess, calls: int, seed: int, say: Callable[[str], None]) -> None:
    """Calls none of which may be answered.

    Raises:
        AssertionError: one was, or the node holds on to something.
    """
    token = (node.data_dir / "admin.token").read_text().strip()
    with Abuse(node.admin_address, token, seed) as abuse:
        abuse.run(calls // WARM_UP_SHARE)
        before = held(node.process.pid)
        begun_s = time.perf_counter()
        outcomes = abuse.run(calls)
        taken_s = time.perf_counter() - begun_s
    after = held(node.process.pid)
    for outcome, count in outcomes.most_common():
        say(f"{count:>7,}  {outcome}")
    say(f"{calls:>7,}  calls refused in {taken_s:.1f} s; the node is at block {node.height()}")
    require_settled(before, after, MAX_GROWTH_BYTES, say)


def flood_all(
    node: NodeProcess, seconds: float, names: Iterable[str], say: Callable[[str], None]
) -> list[str]:
    """These floods, one after the other; what was missed."""
    missed = list[str]()
    with ClientProcess(call_node, Door.of(node), 1, PAUSE_S) as calling:
        for name in names:
            flooded = flood_beside(node, name, seconds, calling)
            say(str(flooded))
            missed += flooded.misses
    return missed


def flood_beside(node: NodeProcess, name: str, seconds: float, calling: ClientProcess) -> Flooded:
    """The attackers' token, where they have one, is not that of the caller beside them."""
    token = (node.data_dir / READONLY_TOKEN_FILE).read_text().strip()
    with ClientProcess(flood, Door(node.admin_address, token), name) as flooding:
        flooding.tell()
        calling.tell()
        peak_bytes, until_s = 0, time.monotonic() + seconds
        while time.monotonic() < until_s:
            peak_bytes = max(peak_bytes, held(node.process.pid).memory_bytes)
            time.sleep(SAMPLE_S)
        calling.tell()
        beside: Calls = calling.hear()
        flooding.tell()
        seen = flooding.hear()
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in seen.most_common())
    return Flooded(name, told, beside, peak_bytes)


def require_settled(
    before: Held, after: Held, growth_bytes: int, say: Callable[[str], None]
) -> None:
    say(f"before {before}\nafter  {after}")
    assert after.memory_bytes - before.memory_bytes < growth_bytes
    assert after.files <= before.files + MAX_NEW_FILES
    assert after.threads <= before.threads + MAX_NEW_THREADS


def hold_out(calls: int, seed: int, seconds: float, say: Callable[[str], None]) -> None:
    """Raises AssertionError when the node did not hold out."""
    with tempfile.TemporaryDirectory() as name:
        threads = str(os.cpu_count())
        with NodeProcess(Path(name), "--network", "main", "--mine", "--threads", threads) as node:
            refuse(node, calls, seed, say)
            before = held(node.process.pid)
            missed = flood_all(node, seconds, FLOODS, say)
            time.sleep(SETTLED_S)
            require_settled(before, held(node.process.pid), MAX_FLOOD_GROWTH_BYTES, say)
            code = node.stop()
            assert code == 0, code
            assert not any("Traceback" in line for line in node.output), "".join(node.output[-50:])
            told = [line for line in node.output if " miner " not in line]  # a block each: luck
            assert len(told) < MAX_LINES, "".join(told[-50:])
            assert not missed, missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    hold_out(chosen.calls, chosen.seed, chosen.seconds, print)


if __name__ == "__main__":
    main()
