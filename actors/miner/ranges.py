"""Which nonces of a job are free, and which are out with somebody who tries them.

Pure, and not safe by itself: the engine that shares it out among its threads guards it with its lock.
"""

from __future__ import annotations


class NonceRange:
    """The nonces from ``first`` up to, but not including, ``end``, handed out piece by piece.

    Every piece that is taken is settled once, with how much of it was tried: nothing is tried twice
    and nothing is left out. Holds one piece more than there are pieces given back unfinished.
    """

    def __init__(self, first: int, end: int) -> None:
        self._free: list[tuple[int, int]] = [(first, end)] if first < end else []
        self._out = 0

    @property
    def exhausted(self) -> bool:
        """Whether all was tried: nothing is free and nothing is out. It stays so."""
        return not self._free and self._out == 0

    def take(self, count: int) -> tuple[int, int] | None:
        """The first nonce and the number of a piece of ``count`` at most; None: nothing is free."""
        if not self._free:
            return None
        first, end = self._free.pop()
        if end - first > count:
            self._free.append((first + count, end))
            end = first + count
        self._out += 1
        return first, end - first

    def settle(self, first: int, count: int, tried: int) -> None:
        """End what was taken; what lies behind the first ``tried`` nonces of it is free again."""
        assert 0 <= tried <= count, "nobody tries more than was taken"
        self._out -= 1
        if tried < count:
            self._free.append((first + tried, first + count))
