"""A reader of events that stalls, on a real node; prints what it costs, and what it misses, which is nothing.

    python -m tests.soak.stalled [--blocks 2000]

Fails if the node holds more memory for it than for the same work without it, if a reader beside it misses an
event, if it is not cut off with SLOW_CONSUMER, or if it does not get the rest by resuming from there. The
node mines on all cores.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.admin import generate, mining
from tests.bench.client import ClientProcess, Door
from tests.bench.readers import Stalled, Watched, stall, watch
from tests.support.process import NodeProcess, easy_network_file
from tests.support.usage import held

BRISK = 10
"""Readers beside it."""
MAX_COST_BYTES = 16 * 1024 * 1024
"""Above what a node that serves nobody grows by: a thousand events are half a megabyte, the rest is what
allocators keep of the other readers' work."""


def grown_bytes(node: NodeProcess, blocks: int) -> int:
    """By how much the node grows while it makes so many blocks."""
    before = held(node.process.pid).memory_bytes
    generate(node, blocks)
    return held(node.process.pid).memory_bytes - before


def hold_out(blocks: int, say: Callable[[str], None]) -> None:
    """Raises AssertionError when something was lost, or the node grew."""
    with tempfile.TemporaryDirectory() as name:
        network_file = easy_network_file(Path(name))
        with mining(Path(name) / "node", "--network-file", str(network_file)) as node:
            door = Door.of(node)
            alone_bytes = grown_bytes(node, blocks)
            with (
                ClientProcess(stall, door) as stalling,
                ClientProcess(watch, door, BRISK) as watching,
            ):
                beside_bytes = grown_bytes(node, blocks)
                node.rest()
                watched: Watched = watching.hear()
                stalling.tell()
                stalled: Stalled = stalling.hear()
    say(f"{blocks:,} blocks: the node grows by {alone_bytes / 1e6:.1f} MB")
    say(f"the same with a stalled reader and {BRISK} brisk ones: by {beside_bytes / 1e6:.1f} MB")
    say(f"the brisk ones: {len(watched.numbers):,} events each")
    say(f"the stalled one: {len(stalled.before):,} events, {stalled.reason} {stalled.metadata}")
    say(f"resumed from there: {len(stalled.after):,} events")
    assert beside_bytes - alone_bytes < MAX_COST_BYTES
    assert watched.differing == 0, watched.differing
    assert stalled.reason == "SLOW_CONSUMER", stalled.reason
    assert stalled.metadata["sequence"] == str(stalled.before[-1])
    received = [*stalled.before, *stalled.after]
    assert [number for number in received if number >= watched.numbers[0]] == watched.numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=2_000)
    hold_out(parser.parse_args().blocks, print)


if __name__ == "__main__":
    main()
