"""An exception as text for people. What it says is cut: a key that is missing may be a megabyte from a peer."""

from __future__ import annotations

import traceback

MAX_PART_CHARS = 1_024
"""Of one call with its line, and of what one exception says."""


def traceback_of(error: BaseException) -> str:
    """As Python prints it, but for the ends of its long parts."""
    return "".join(map(_cut, traceback.format_exception(error)))


def _cut(part: str) -> str:
    return part if len(part) <= MAX_PART_CHARS else f"{part[:MAX_PART_CHARS]}...\n"
