"""Help pages: the examples that end each of them."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """The epilog of a command: its examples, each on a line of its own."""
    return "\n".join(
        ("\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {x}" for x in lines))
    )
