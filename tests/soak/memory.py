"""What a soak finds of the memory of a node that lives one life: does it grow?

Two readings are fitted, and a node must pass by both.

In use is what the node's allocators have given out (`tests.support.weighed`): a leak is in it at once, to the byte.
Now and then a call under way adds to it. So the least of each minute is taken.

Resident is what the kernel counts, and what a machine must have. A leak goes first where something was freed, so that
half an hour may not show it; and what is free is given back now and then. SQLite drops a reader's pages, up to 4 MiB,
at each block; if all of them are at the end of what glibc keeps for a thread, it gives them back, and takes them anew
when the reader is asked again. Such a dip at the begin of the time is by least squares a slope of some MB an hour. So
the most of each minute is fitted; the slope of all readings is told beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import linear_regression
from typing import NamedTuple

from actors.chain.schema import CACHE_KIB, READER_CACHE_KIB
from tests.bench.figure import Figure, at_most

MB = 1_000_000
HOUR_S = 3_600.0
WINDOW_S = 60.0
"""Several weights, and every dip but the longest is shorter."""
MAX_MB_PER_HOUR = 1.0
MAX_PAGES_MB = 1.1 * (CACHE_KIB + READER_CACHE_KIB) * 1_024 / MB
"""The writer's and the reader's. Above it those that are in use at the time."""


class Sample(NamedTuple):
    """What a node held at one moment; of one that does not weigh itself, ``in_use_bytes`` and ``page_bytes`` are 0."""

    at_s: float
    node: int
    life: int
    memory_bytes: int
    files: int
    threads: int
    in_use_bytes: int
    page_bytes: int


Points = Sequence[tuple[float, int]]
"""A time in seconds, and bytes."""


def slope_mb_per_hour(points: Points) -> float:
    """Of the line that the least squares fit."""
    if len(points) < 2:
        return 0.0
    times_s, sizes_bytes = zip(*points, strict=True)
    return linear_regression(times_s, sizes_bytes).slope * HOUR_S / MB


def each_window(points: Points, choose: Callable[[list[int]], int]) -> Points:
    """One point for each minute, in its middle: the least, or the most."""
    windows = defaultdict[int, list[int]](list)
    for at_s, size_bytes in points:
        windows[int(at_s // WINDOW_S)].append(size_bytes)
    return [((number + 0.5) * WINDOW_S, choose(sizes)) for number, sizes in sorted(windows.items())]


def in_use_mb_per_hour(samples: Sequence[Sample]) -> float:
    """How fast it grows what the node has in use."""
    return slope_mb_per_hour(each_window([(one.at_s, one.in_use_bytes) for one in samples], min))


def figures(what: str, own: Sequence[Sample], from_s: float, *, is_long: bool) -> Iterator[Figure]:
    """Of a node that lived one life; ``is_long``: slopes from that time on are a target."""
    until_s = 2 * from_s  # a deed may last longer: of a part of a minute the least is more
    late = [each for each in own if from_s <= each.at_s < until_s]
    resident = [(each.at_s, each.memory_bytes) for each in late]
    yield Figure(f"{what}, files at the end", own[-1].files, "")
    yield Figure(f"{what}, threads at the end", own[-1].threads, "")
    yield Figure(f"{what}, memory at the end", own[-1].memory_bytes / MB, "MB")
    bound = at_most(MAX_MB_PER_HOUR) if is_long else None
    if own[-1].in_use_bytes:
        yield Figure(f"{what}, of it in use, without pages", own[-1].in_use_bytes / MB, "MB")
        pages = max(each.page_bytes for each in own) / MB
        yield Figure(f"{what}, pages of the database, most", pages, "MB", at_most(MAX_PAGES_MB))
        in_use = in_use_mb_per_hour(late)
        yield Figure(f"{what}, in use, slope of the last half", in_use, "MB/h", bound)
    most = slope_mb_per_hour(each_window(resident, max))
    yield Figure(f"{what}, resident, slope of each minute's most", most, "MB/h", bound)
    plain = slope_mb_per_hour(resident)
    yield Figure(f"{what}, resident, slope of all readings", plain, "MB/h")
