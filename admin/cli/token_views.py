"""What a table shows of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from admin.cli.output import Columns, Facts
from admin.cli.text import local_time

Data = Mapping[str, Any]

_SHOWN = 4
"""Permissions in a row of the list; `show` and JSON have all."""


def tokens(data: Sequence[Data]) -> Columns:
    """The tokens and how long they are good."""
    return Columns(
        ("NAME", "ID", "CREATED", "EXPIRES", "LAST USED", "PERMISSIONS"),
        tuple(
            (
                each["name"],
                each["id"],
                local_time(each["create_time"]),
                _expiry(each),
                local_time(each["last_use_time"]),
                _some(each["permissions"]),
            )
            for each in data
        ),
        "No tokens.",
    )


def token(data: Data) -> Facts:
    """One token, with all that it permits."""
    return Facts(
        (
            ("name", data["name"]),
            ("id", data["id"]),
            ("created", local_time(data["create_time"])),
            ("expires", _expiry(data)),
            ("permissions", " ".join(data["permissions"])),
        )
    )


def _expiry(data: Data) -> str:
    return local_time(data["expire_time"]) if data["expire_time"] else "never"


def _some(permissions: Sequence[str]) -> str:
    more = len(permissions) - _SHOWN
    text = " ".join(permissions[:_SHOWN])
    return f"{text} and {more} more" if more > 0 else text
