"""What was seen not long ago (WIRE: gossip; limits, seen ids).

Lives here: a set with a bound and an expiry. Must not live here: what its keys are made of.
"""

from __future__ import annotations

from collections import OrderedDict

SEEN_CAPACITY = 65_536
"""WIRE: limits, seen ids."""
SEEN_LIFETIME_S = 300.0
"""WIRE: gossip."""


class SeenKeys:
    """Keys in order of arrival; the oldest goes first, by age or for want of room.

    Seeing a key again does not renew it: a flood of replays must not keep itself alive.
    """

    def __init__(self, capacity: int = SEEN_CAPACITY, lifetime_s: float = SEEN_LIFETIME_S) -> None:
        self._capacity, self._lifetime_s = capacity, lifetime_s
        # An OrderedDict forgets its oldest key in constant time, which a plain dict does not.
        self._seen_s: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen_s)

    def __contains__(self, key: bytes) -> bool:
        return key in self._seen_s

    def add(self, key: bytes, now_s: float) -> bool:
        """Note a key; False if it was there already."""
        seen_s = self._seen_s
        if key in seen_s:
            return False
        seen_s[key] = now_s
        if len(seen_s) > self._capacity:
            seen_s.popitem(last=False)
        return True

    def expire(self, now_s: float) -> None:
        """Forget what is too old. To be called before a batch of questions, not before each."""
        seen_s = self._seen_s
        while seen_s and next(iter(seen_s.values())) <= now_s - self._lifetime_s:
            seen_s.popitem(last=False)
