"""Choices out of a string of bytes, so that whoever changes the bytes changes the choices.

Where the bytes are over, every choice is the first one: any string is an input, and cutting one makes a
simpler one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Takes from the front."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        """Whether there is anything left."""
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        """So many bytes, or what is left."""
        start = self._at
        self._at = min(start + count, len(self._data))
        return self._data[start : self._at]

    def number(self, size_bytes: int = 1) -> int:
        """A number of so many bytes, most significant first."""
        return int.from_bytes(self.take(size_bytes).ljust(size_bytes, b"\0"), "big")

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` - 1, at most 256 of them."""
        return self.number() % limit

    def pick(self, choices: Sequence[T]) -> T:
        """One of at most 256 choices."""
        return choices[self.below(len(choices))]

    def blob(self) -> bytes:
        """A string with its length in two bytes in front."""
        return self.take(self.number(2))

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))
