"""The scan of nonces, measured without a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from actors.miner.bench import Row, measure
from actors.miner.engines import HASHLIB, plan_engine
from admin.cli.bench import TIMING, thread_counts
from tests.bench.figure import Bench, Figure


def proof_of_work(bench: Bench) -> Iterator[Figure]:
    """What ``troupe bench pow`` measures, of the kernel that mining uses."""
    plan = plan_engine()
    selected = plan.kernels[0].name if plan.kernels else HASHLIB
    timing = replace(TIMING, rounds=bench.size(TIMING.rounds), round_s=TIMING.round_s * bench.share)
    run = measure(plan.kernels[:1], selected, thread_counts(), timing)
    while True:
        try:
            next(run)
        except StopIteration as end:
            rows: tuple[Row, ...] = end.value
            break
    for row in rows:
        what = f"{row.kernel}, block of {row.transactions}, threads: {row.threads}"
        yield Figure(f"scan nonces with {what}", row.mh_per_s, "MH/s")
