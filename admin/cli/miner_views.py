"""What a table shows of a block to be solved; pure, as ``views``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from admin.cli import views
from admin.cli.output import Columns, Facts
from admin.cli.text import count


def template(data: Mapping[str, Any]) -> tuple[Facts, Columns]:
    """A block but for its nonce, and what is in it."""
    facts = Facts(
        (
            ("number", count(data["number"])),
            ("parent", data["parent"]["hash"]),
            ("coinbase", data["coinbase"]),
            ("difficulty", f"{data['difficulty']} zero hex digits"),
            ("prefix", data["prefix"]),
            ("suffix", data["suffix"]),
        )
    )
    return facts, views.transactions(data["transactions"])
