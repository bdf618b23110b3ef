"""How branches and accounts are shown to people: from the dictionaries of ``output`` to its views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from admin.cli.output import Columns
from admin.cli.text import ABSENT, count, plural, short

Data = Mapping[str, Any]


def tips(data: Sequence[Data]) -> Columns:
    """A line for each branch; its whole hash, to name it by."""
    return Columns(
        (">NUMBER", "HASH", "STATUS", ">LENGTH", ">FORK", "FORK HASH"),
        tuple(
            (
                count(each["block"]["number"]),
                each["block"]["hash"],
                each["status"],
                count(each["branch_length"]) if each["branch_length"] else ABSENT,
                count(each["fork"]["number"]),
                short(each["fork"]["hash"]),
            )
            for each in data
        ),
        "No tips.",
    )


def accounts(data: Sequence[Data]) -> Columns:
    """A line for each account."""
    return Columns(
        ("ADDRESS", ">BALANCE", ">NONCE", ">AS OF BLOCK"),
        tuple(
            (
                each["address"] or ABSENT,
                count(each["balance"]),
                str(each["nonce"]),
                count(each["at"]["number"]),
            )
            for each in data
        ),
        "No accounts.",
    )


def steered(data: Data, done: str) -> str:
    """What was done about a block, and where the node stands now."""
    moved = "The tip stays at"
    if data["disconnected_count"] or data["connected_count"]:
        moved = (
            f"{plural(data['disconnected_count'], 'block')} disconnected,"
            f" {count(data['connected_count'])} connected; the tip is"
        )
    return f"{done}\n{moved} {count(data['tip']['number'])}, {data['tip']['hash']}."
