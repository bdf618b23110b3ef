"""Locators: a chain named by a few of its hashes, so that two nodes find where theirs part.

WIRE: extensions, `chain:get_blocks`.
"""

from __future__ import annotations

from collections.abc import Callable

MAX_LOCATOR_HASHES = 32
"""The last ten, then doubling steps: with genesis this reaches back four million blocks."""
DENSE_HASHES = 10
"""Forks are short: the newest are named one by one."""


def locator_numbers(tip_number: int, count: int) -> tuple[int, ...]:
    """The numbers to name, newest first: ten in a row, then doubling steps, and always genesis."""
    numbers: list[int] = []
    number, step = tip_number, 1
    while number > 0 and len(numbers) < count - 1:
        numbers.append(number)
        if len(numbers) >= DENSE_HASHES:
            step *= 2
        number -= step
    return (*numbers, 0)


def make_locator(
    tip_number: int, hash_at: Callable[[int], bytes | None], start: bytes | None = None
) -> tuple[bytes, ...]:
    """Name the canonical chain; ``start`` goes first: the last block received of another branch."""
    head = () if start is None else (start,)
    numbers = locator_numbers(tip_number, MAX_LOCATOR_HASHES - len(head))
    hashes = [block_hash for n in numbers if (block_hash := hash_at(n)) is not None]
    return tuple(dict.fromkeys((*head, *hashes)))
