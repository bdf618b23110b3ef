"""The kinds of gossip: on the wire, and who handles them.

Lives here: the ``gossip:`` prefix, a kind's handler and payload limit. Must not live here: payloads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from actors.gossip.messages import GossipReceived
from actors.runtime.address import Address

WIRE_PREFIX = "gossip:"
DEFAULT_LIMIT_BYTES = 4 * 1024
"""For kinds without a limit of their own: a query or a line of chat."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that somebody handles. Value."""

    name: str
    handler: Address[GossipReceived]
    limit_bytes: int
    """Of the payload behind the message id."""
    salt: bytes
    """Hashed before a payload: the same bytes under another kind are other news."""


class Kinds:
    """Handlers and limits by kind (``bc:new_tx``) or by its first part (``search``), the kind first."""

    def __init__(
        self, handlers: Mapping[str, Address[GossipReceived]], limits_bytes: Mapping[str, int]
    ) -> None:
        self._handlers, self._limits_bytes = handlers, limits_bytes

    def on_wire(self, wire_kind: str) -> Kind | None:
        """The kind that a message's kind names; None if nobody handles it."""
        name = wire_kind.removeprefix(WIRE_PREFIX)
        family = name.partition(":")[0]
        handler = self._handlers.get(name) or self._handlers.get(family)
        if handler is None or not wire_kind.startswith(WIRE_PREFIX):
            return None
        limits = self._limits_bytes
        limit_bytes = limits.get(name, limits.get(family, DEFAULT_LIMIT_BYTES))
        return Kind(name, handler, limit_bytes, salt_of(wire_kind))


def salt_of(wire_kind: str) -> bytes:
    """Ends in a zero, which no kind contains: one kind's salt is never another's and some payload."""
    return wire_kind.encode() + b"\0"
