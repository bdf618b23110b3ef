"""A fresh node downloads the whole chain of another, over loopback, onto the disk."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.chains import BENCH_MAIN, BLOCK_TRANSACTIONS, Maker, duplicate, write
from tests.bench.figure import Bench, Figure, at_least, at_most
from tests.bench.nodes import Look, node_of, watch_height
from tests.support.process import NodeProcess
from tests.support.usage import cpu_s

FULL_BLOCKS = 3_000
SHORT, LONG = 10_000, 100_000
"""Empty blocks."""
DOWNLOADS = 3
"""Each takes seconds, which is long against most of what disturbs it."""
STARTS = 3
MB = 1_000_000


def sync(bench: Bench) -> Iterator[Figure]:
    """Blocks of ten signed transactions."""
    length = bench.size(FULL_BLOCKS, 20)
    source = bench.sub("source")
    write(source, BENCH_MAIN, Maker(BENCH_MAIN).blocks(length))
    with node_of(source, BENCH_MAIN) as server:
        runs, shares = [], []
        for run in range(bench.runs(DOWNLOADS)):
            with node_of(bench.folder / f"full{run}", BENCH_MAIN) as client:
                before_s = cpu_s(client.process.pid), cpu_s(server.process.pid)
                taken_s = download(client, server, length)[0]
                after_s = cpu_s(client.process.pid), cpu_s(server.process.pid)
                runs.append(taken_s)
                shares.append([(b - a) / taken_s for a, b in zip(before_s, after_s, strict=True)])
    what = f"sync of {length:,} blocks of {BLOCK_TRANSACTIONS}"
    yield Figure(what, length / statistics.median(runs), "blocks/s", at_least(1_000))
    for who, column in zip(("receiver", "sender"), zip(*shares, strict=True), strict=True):
        yield Figure(f"{what}, CPU of the {who}", 100 * statistics.median(column), "%")


def long_sync(bench: Bench) -> Iterator[Figure]:
    """Empty blocks, ten thousand and ten times as many, with what the node holds; then its start."""
    short, long = bench.size(SHORT, 100), bench.size(LONG, 1_000)
    maker = Maker(BENCH_MAIN)
    shorter, longer = bench.sub("short"), bench.sub("long")
    write(shorter, BENCH_MAIN, maker.blocks(short, 0))
    duplicate(shorter, longer)
    write(longer, BENCH_MAIN, (maker.block(0) for _ in range(long - short)))
    with node_of(shorter, BENCH_MAIN) as server:
        runs = []
        for run in range(bench.runs(DOWNLOADS)):
            with node_of(bench.folder / f"empty{run}", BENCH_MAIN) as client:
                runs.append(download(client, server, short)[0])
    short_s = statistics.median(runs)
    yield Figure(f"sync of {short:,} empty blocks", short / short_s, "blocks/s", at_least(6_000))
    filled = bench.folder / "filled"
    with node_of(longer, BENCH_MAIN) as server, node_of(filled, BENCH_MAIN) as client:
        long_s, looks = download(client, server, long)
    what = f"sync of {long:,} empty blocks"
    yield Figure(what, long / long_s, "blocks/s", at_least(6_000))
    yield Figure(f"{what}, its time in those of {short:,}", long_s / short_s, "times", at_most(11))
    yield from memory(what, looks, long)
    yield from starts(filled, bench.runs(STARTS), long)


def download(client: NodeProcess, server: NodeProcess, height: int) -> tuple[float, list[Look]]:
    """Seconds from the dial to the height, and what was seen on the way."""
    begun_s = time.perf_counter()
    client.connect(server)
    looks = watch_height(client, height)
    return looks[-1].at_s - begun_s, looks


def memory(what: str, looks: list[Look], height: int) -> Iterator[Figure]:
    half = next(look for look in looks if look.height >= height / 2).memory_bytes
    end = looks[-1].memory_bytes
    yield Figure(f"{what}, memory at half of them", half / MB, "MB")
    yield Figure(f"{what}, memory at the end", end / MB, "MB", at_most(300))
    yield Figure(f"{what}, memory at the end by that at half", end / half, "times", at_most(1.1))


def starts(data_dir: Path, runs: int, height: int) -> Iterator[Figure]:
    """From the call of the command to its first answer."""
    taken = []
    for _ in range(runs):
        begun_s = time.perf_counter()
        with node_of(data_dir, BENCH_MAIN) as node:
            taken.append(time.perf_counter() - begun_s)
            assert node.height() == height
    what = f"start of a node with {height:,} blocks to its first answer"
    yield Figure(what, statistics.median(taken), "s", at_most(2))
