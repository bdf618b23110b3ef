"""A longer branch replaces a thousand full blocks: in the store alone, and in a real node that downloads it."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from actors.chain.importer import Importer
from actors.chain.signatures import Signatures
from actors.chain.store import Store
from actors.ledger.types import Block
from actors.runtime.team import ThreadTeam
from tests.bench.chains import (
    BENCH_MAIN,
    BLOCK_TRANSACTIONS,
    CHAIN_FILE,
    Maker,
    batches,
    duplicate,
    write,
)
from tests.bench.figure import Bench, Figure, at_most
from tests.bench.nodes import node_of, watch_height

DEPTH = 1_000
COMMON_BLOCKS = 100
RUNS = 3
"""Each takes seconds."""
BATCH = 128
"""Blocks of an answer to `chain:get_blocks`."""


def reorg(bench: Bench) -> Iterator[Figure]:
    depth, runs = bench.size(DEPTH, 5), bench.runs(RUNS)
    maker = Maker(BENCH_MAIN)
    common = maker.blocks(COMMON_BLOCKS)
    other = maker.fork(2)
    shorter, longer = maker.blocks(depth), other.blocks(depth + 1)
    ours, theirs = bench.sub("ours"), bench.sub("theirs")
    write(ours, BENCH_MAIN, [*common, *shorter])
    write(theirs, BENCH_MAIN, [*common, *longer])
    alone = [switch_s(duplicate(ours, bench.folder / f"alone{run}"), longer) for run in range(runs)]
    what = f"reorganisation of {depth:,} blocks of {BLOCK_TRANSACTIONS}"
    storing_s, moving_s = map(statistics.median, zip(*alone, strict=True))
    yield Figure(f"{what}, from its last block to the commit", moving_s, "s", at_most(2))
    yield Figure(f"{what}, with storing the branch before", storing_s + moving_s, "s")
    whole = [
        node_s(duplicate(ours, bench.folder / f"node{run}"), theirs, depth) for run in range(runs)
    ]
    yield Figure(f"{what}, a node with its download", statistics.median(whole), "s")


def switch_s(data_dir: Path, branch: Sequence[Block]) -> tuple[float, float]:
    """Seconds to store all of a branch but its last block, and then to move to it."""
    with ExitStack() as stack:
        team = stack.enter_context(closing(ThreadTeam(os.cpu_count() or 1)))
        store = stack.enter_context(closing(Store.open(data_dir / CHAIN_FILE, BENCH_MAIN)))
        importer = Importer(store, BENCH_MAIN, Signatures(BENCH_MAIN, team))
        begun_s = time.perf_counter()
        for batch in batches(branch[:-1], BATCH):
            importer.add(batch)
        stored_s = time.perf_counter()
        assert store.tip().number == branch[-1].number - 1, "first seen: the tip stays"
        assert store.tip() != branch[-2].ref, "first seen: the tip stays"
        importer.add(branch[-1:])
        ended_s = time.perf_counter()
        assert store.tip() == branch[-1].ref, "every block is valid"
    return stored_s - begun_s, ended_s - stored_s


def node_s(ours: Path, theirs: Path, depth: int) -> float:
    """Seconds from the dial to the other tip."""
    with node_of(ours, BENCH_MAIN) as node, node_of(theirs, BENCH_MAIN) as other:
        begun_s = time.perf_counter()
        node.connect(other)
        return watch_height(node, COMMON_BLOCKS + depth + 1)[-1].at_s - begun_s
