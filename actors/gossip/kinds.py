"""The kinds of gossip: on the wire, who handles them, how long they may be and what they look like.

Lives here: the ``gossip:`` prefix, a kind's handler and payload limit, the form of ``chat``, which no room
handles. Must not live here: the payloads of kinds that a room handles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from actors.gossip.messages import GossipReceived
from actors.runtime.address import Address

WIRE_PREFIX = "gossip:"
DEFAULT_LIMIT_BYTES = 4 * 1024
"""For kinds without a limit of their own: a query or a line of chat."""
CHAT = "chat"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of gossip; ``handler`` None: no room of ours judges it. Value."""

    name: str
    handler: Address[GossipReceived] | None
    limit_bytes: int
    """Of the payload behind the message id."""
    salt: bytes
    """Hashed before a payload: the same bytes under another kind are other news."""
    is_of_family: bool = False
    """Whether its handler is that of all kinds that begin as it does."""


class Kinds:
    """Handlers and limits by kind (``bc:new_tx``) or by its first part (``search``), the kind first."""

    def __init__(
        self, handlers: Mapping[str, Address[GossipReceived]], limits_bytes: Mapping[str, int]
    ) -> None:
        self._handlers, self._limits_bytes = handlers, limits_bytes

    def named(self, name: str) -> Kind:
        """What we know of a kind."""
        family = family_of(name)
        limits = self._limits_bytes
        return Kind(
            name,
            self._handlers.get(name) or self._handlers.get(family),
            limits.get(name, limits.get(family, DEFAULT_LIMIT_BYTES)),
            salt_of(WIRE_PREFIX + name),
            is_of_family=name not in self._handlers,
        )

    def knows(self, name: str) -> bool:
        """Whether a room judges this very kind; not one that a peer may have made up behind a first part."""
        return name in self._handlers


def family_of(name: str) -> str:
    """The first part of a kind: ``search`` of ``search:block``."""
    return name.partition(":")[0]


def salt_of(wire_kind: str) -> bytes:
    """Ends in a zero, which no kind contains: one kind's salt is never another's and some payload."""
    return wire_kind.encode() + b"\0"


def is_well_formed(name: str, payload: bytes) -> bool:
    """Whether a payload that no room judges has its kind's form; only that of chat is known."""
    if name != CHAT:
        return True
    sender, zero, text = payload.partition(b"\0")
    if not sender or not zero:
        return False
    try:
        sender.decode(), text.decode()
    except UnicodeDecodeError:
        return False
    return True
