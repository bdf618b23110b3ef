"""What was seen not long ago (WIRE: gossip; limits, seen ids).

Lives here: a set with a bound and an expiry. Must not live here: what its keys are made of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

SEEN_CAPACITY = 65_536
"""WIRE: limits, seen ids."""
SEEN_LIFETIME_S = 300.0
"""WIRE: gossip."""
RUNS = 64
"""A full set is of so many runs at least: for want of room so small a part of it is forgotten at once."""
RUN_SHARE = 1_000
"""A run's keys all came within such a part of their lifetime, and are forgotten with its first."""


class _Run(NamedTuple):
    """Keys that came one after the other."""

    since_s: float
    keys: list[bytes]


class SeenKeys:
    """Keys in order of arrival; the oldest go first, by age or for want of room.

    Seeing a key again does not renew it: a flood of replays must not keep itself alive. Keys are kept and
    forgotten in runs: to find out one by one what is old would cost more than all else that is done with them.
    """

    def __init__(self, capacity: int = SEEN_CAPACITY, lifetime_s: float = SEEN_LIFETIME_S) -> None:
        self._capacity, self._lifetime_s = capacity, lifetime_s
        self._run_keys, self._run_s = max(1, capacity // RUNS), lifetime_s / RUN_SHARE
        self._seen = set[bytes]()
        self._runs: deque[_Run] = deque()  # the last one goes on
        self._ended_keys = 0  # in all but the last; those that were taken back are there, too
        self._free = 0  # places in the last one
        self._ends_s = 0.0  # of the last one, at the latest

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, key: bytes) -> bool:
        return key in self._seen

    def keys(self) -> AbstractSet[bytes]:
        """To look many keys up in."""
        return self._seen

    def add(self, key: bytes, now_s: float) -> bool:
        """Note a key; False if it was there already."""
        return self.add_all((key,), now_s)[0]

    def add_all(self, keys: Iterable[bytes], now_s: float) -> list[bool]:
        """Note keys in order; whether each was news."""
        seen, news = self._seen, list[bool]()
        free, run = 0, list[bytes]()
        if self._free and now_s < self._ends_s:
            free, run = self._free, self._runs[-1].keys
        for key in keys:
            if key in seen:
                news.append(False)
                continue
            if not free:
                free, run = self._begin_run(now_s)
            free -= 1
            seen.add(key)
            run.append(key)
            news.append(True)
        self._free = free
        return news

    def take_back(self, key: bytes) -> None:
        """As if it had not been seen. Its place is free when its time is over."""
        self._seen.discard(key)

    def expire(self, now_s: float) -> None:
        """Forget what is too old. To be called before a batch of questions, not before each."""
        latest_s = now_s - self._lifetime_s
        while self._runs and self._runs[0].since_s <= latest_s:
            self._forget_oldest()

    def _begin_run(self, now_s: float) -> tuple[int, list[bytes]]:
        """A run that begins now, and how many keys it has room for."""
        runs = self._runs
        if runs:
            self._ended_keys += len(runs[-1].keys)
        runs.append(_Run(now_s, []))
        self._ends_s = now_s + self._run_s
        while self._ended_keys >= self._capacity:
            self._forget_oldest()
        return min(self._run_keys, self._capacity - self._ended_keys), runs[-1].keys

    def _forget_oldest(self) -> None:
        keys = self._runs.popleft().keys
        self._seen.difference_update(keys)
        if self._runs:
            self._ended_keys -= len(keys)
        else:
            self._free = 0
