"""What each client prints on its way through the scenario of the README beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


def _refusal(
    step: str, code: str, reason: str, *fields: str, metadata: Mapping[str, str] | None = None
) -> dict[str, Any]:
    return {
        "step": step,
        "code": code,
        "domain": "troupe.admin.v1",
        "reason": reason,
        "metadata": metadata or {},
        "fields": [*fields],
    }


LINES: Final = (
    _refusal("no-token", "UNAUTHENTICATED", "TOKEN_MISSING"),
    _refusal("wrong-token", "UNAUTHENTICATED", "TOKEN_INVALID"),
    {
        "step": "status",
        "name": "troupe",
        "network": "easy",
        "state": "NODE_STATE_READY",
        "height": 0,
    },
    {"step": "connect", "already_connected": [False, True], "listed": True},
    {"step": "generate", "blocks": [1, 2, 3]},
    {"step": "transfer", "state": "TRANSACTION_STATE_PENDING", "same": True},
    {"step": "mined", "block": 4, "confirmations": 1, "balance": 250},
    {"step": "watch", "tips": [5, 6]},
    {"step": "resume", "tips": [7, 8, 9], "ascending": True},
    _refusal("unknown-block", "NOT_FOUND", "BLOCK_NOT_FOUND"),
    _refusal(
        *("too-much", "FAILED_PRECONDITION", "TX_REJECTED"),
        metadata={"rule": "balance", "spendable": str(9 * 10_000 - 250)},
    ),
    _refusal("bad-field", "INVALID_ARGUMENT", "FIELD_INVALID", "address"),
)
