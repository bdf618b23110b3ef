"""What this machine does without us: what to set other figures against, from one run to the next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from actors.ledger.keys import ED25519, P192_SHA1, KeyScheme
from tests.bench.figure import Bench, Figure, median_s

STEPS = 1_000_000
SIGNATURES = 1_000
FLUSHES = 50
PAGE = bytes(4096)


def machine(bench: Bench) -> Iterator[Figure]:
    steps, signatures = bench.size(STEPS), bench.size(SIGNATURES, 10)
    yield Figure(
        "this machine: steps of a Python loop", steps / median_s(lambda: loop(steps)), "1/s"
    )
    for scheme in (ED25519, P192_SHA1):
        for threads in (1, os.cpu_count() or 1):
            rate = verifications(scheme, signatures, threads)
            yield Figure(f"this machine: {scheme.name} verified, threads: {threads}", rate, "1/s")
    path = bench.folder / "flushed"
    yield Figure("this machine: write and flush 4 KiB", 1e3 * flush_s(path), "ms")


def loop(steps: int) -> int:
    total = 0
    for each in range(steps):
        total += each & 7
    return total


def verifications(scheme: KeyScheme, count: int, threads: int) -> float:
    """A second, of all threads together."""
    key, text = scheme.generate(b"of a benchmark".ljust(32, b".")), b"what is signed"
    signature = key.sign(text)

    def some() -> None:
        for _ in range(count // threads):
            assert scheme.verify(key.public, signature, text)

    def all_of_them() -> None:
        for each in [pool.submit(some) for _ in range(threads)]:
            each.result()

    with ThreadPoolExecutor(threads) as pool:
        return count // threads * threads / median_s(all_of_them)


def flush_s(path: Path) -> float:
    with path.open("wb") as file:

        def flush() -> None:
            file.write(PAGE)
            file.flush()
            os.fsync(file.fileno())

        return median_s(flush, FLUSHES)
