"""The public face of the search room: questions over gossip, answers along the return path."""

from __future__ import annotations

from dataclasses import dataclass

from actors.runtime.address import Address
from actors.tcp.messages import ConnId


@dataclass(frozen=True, slots=True)
class StartSearch:
    """Look for an item; exactly one SearchEnded with ``token`` goes to ``reply_to``.

    ``only``: ask this one connection (the frame is the same); empty: gossip it. Tell.
    """

    token: int
    kind: str
    query: bytes
    reply_to: Address[SearchEnded]
    only: ConnId | None = None
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class SearchEnded:
    """The answer and the connection it came over, or None for both when time ran out. Tell."""

    token: int
    answer: bytes | None
    conn: ConnId | None


@dataclass(frozen=True, slots=True)
class LookUp:
    """Do you have this item? The provider of a kind answers each with a LookedUp. Tell."""

    ticket: int
    query: bytes
    reply_to: Address[LookedUp]


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The item, or None. Tell."""

    ticket: int
    answer: bytes | None


SearchCommand = StartSearch | LookedUp
