"""What was seen not long ago (WIRE: gossip; limits, seen ids).

Lives here: a set with a bound and an expiry. Must not live here: what its keys are made of.
"""

from __future__ import annotations

from collections.abc import Iterable, KeysView
from itertools import islice, takewhile

SEEN_CAPACITY = 65_536
"""WIRE: limits, seen ids."""
SEEN_LIFETIME_S = 300.0
"""WIRE: gossip."""
FORGOTTEN_AT_ONCE = 64
"""Of a full set so many equal parts: finding the oldest key of a dict costs more the more was taken out before
it, so that they are taken out together."""


class SeenKeys:
    """Keys in order of arrival; the oldest go first, by age or for want of room.

    Seeing a key again does not renew it: a flood of replays must not keep itself alive.
    """

    def __init__(self, capacity: int = SEEN_CAPACITY, lifetime_s: float = SEEN_LIFETIME_S) -> None:
        self._capacity, self._lifetime_s = capacity, lifetime_s
        self._forgotten_at_once = max(1, capacity // FORGOTTEN_AT_ONCE)
        self._seen_s: dict[bytes, float] = {}
        self._expires_s = 0.0  # the oldest, not before

    def __len__(self) -> int:
        return len(self._seen_s)

    def __contains__(self, key: bytes) -> bool:
        return key in self._seen_s

    def keys(self) -> KeysView[bytes]:
        """To look many keys up in."""
        return self._seen_s.keys()

    def add(self, key: bytes, now_s: float) -> bool:
        """Note a key; False if it was there already."""
        return self.add_all((key,), now_s)[0]

    def add_all(self, keys: Iterable[bytes], now_s: float) -> list[bool]:
        """Note keys in order; whether each was news."""
        seen_s, news = self._seen_s, list[bool]()
        free = self._capacity - len(seen_s)
        for key in keys:
            if key in seen_s:
                news.append(False)
                continue
            if not free:
                free = self._forgotten_at_once
                self._forget(free)
            free -= 1
            seen_s[key] = now_s
            news.append(True)
        return news

    def expire(self, now_s: float) -> None:
        """Forget what is too old. To be called before a batch of questions, not before each."""
        if now_s >= self._expires_s:
            latest_s = now_s - self._lifetime_s
            old = takewhile(lambda at_s: at_s <= latest_s, self._seen_s.values())
            self._forget(sum(1 for _ in old))
            oldest_s = next(iter(self._seen_s.values()), now_s)
            self._expires_s = oldest_s + self._lifetime_s

    def _forget(self, count: int) -> None:
        for key in list(islice(self._seen_s, count)):
            del self._seen_s[key]
