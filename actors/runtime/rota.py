"""A queue for each who has something waiting, served by turns and in batches.

Pure. Must not live here: how much may wait (read credit bounds that), for what, or whom it is told to (`turnstile`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Rota(Generic[K, T]):
    """Items by whose they are; each operation costs the items that it moves."""

    def __init__(self) -> None:
        self._queues: dict[K, deque[T]] = {}
        self._order: deque[K] = deque()  # each key with a queue, once
        self._waiting = 0

    def __len__(self) -> int:
        """Items in all queues."""
        return self._waiting

    def add(self, key: K, items: Iterable[T]) -> None:
        """Put items at the end of their key's queue; a key that had none waits for its first turn."""
        queue = self._queues.get(key, deque())
        before = len(queue)
        queue.extend(items)
        self._waiting += len(queue) - before
        if queue and key not in self._queues:
            self._queues[key] = queue
            self._order.append(key)

    def take(self, most: int) -> list[T]:
        """The oldest items of the key whose turn it is, at most so many; none when nothing waits."""
        if not self._order:
            return []
        key = self._order.popleft()
        queue = self._queues[key]
        taken = [queue.popleft() for _ in range(min(most, len(queue)))]
        self._waiting -= len(taken)
        if queue:
            self._order.append(key)
        else:
            del self._queues[key]
        return taken

    def waiting(self, key: K) -> int:
        """Items of a key."""
        return len(self._queues.get(key, ()))

    def forget(self, key: K, but: Callable[[T], bool] = lambda _: False) -> list[T]:
        """Take out what waits for a key, ``but`` what it says; the rest keeps its turn."""
        queue = self._queues.get(key)
        if queue is None:
            return []
        kept = deque(filter(but, queue))
        self._waiting -= len(queue) - len(kept)
        if kept:
            self._queues[key] = kept
        else:
            del self._queues[key]
            self._order.remove(key)  # rare, and there are as many as peers
        return [item for item in queue if not but(item)]
