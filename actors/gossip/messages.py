"""The public face of the gossip room: rumours out, rumours in, and the verdicts on them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from actors.peers.messages import PeerId
from actors.runtime.address import Ask
from actors.tcp.messages import ConnId


class Decision(Enum):
    """What a handler makes of an item."""

    RELAY = "relay"
    """Good: pass it on, and remember its content."""
    FINAL = "final"
    """It will never be good: end it here, and remember its content."""
    DROP = "drop"
    """End it here; the same content may come again and be good then."""
    PASS = "pass"  # noqa: S105 - a verdict, not a password
    """Pass it on without a judgement of its content (a search that we cannot answer)."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Flood a payload of our own under a fresh id. Tell."""

    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class PublishTo:
    """The same frame to some connections only. Tell."""

    conns: tuple[ConnId, ...]
    kind: str
    payload: bytes


class GossipItem(NamedTuple):
    """A gossiped payload to be judged; ``ticket`` names it in the verdict. Value; a tuple for speed,
    like messaging's ``Inbound``.
    """

    ticket: int
    kind: str
    payload: bytes
    peer: PeerId
    conn: ConnId


@dataclass(frozen=True, slots=True)
class GossipReceived:
    """Items of one connection for the handler of their kind; it owes a verdict for each. Tell."""

    items: tuple[GossipItem, ...]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A handler's decisions, by ticket, at once or later. Tell."""

    decisions: tuple[tuple[int, Decision], ...]


@dataclass(frozen=True, slots=True)
class GossipInfo:
    """The room's numbers: counts since start, sizes now. Value."""

    received: int
    duplicates: int
    relayed: int
    published: int
    unhandled: int
    seen_ids: int
    awaiting_verdict: int


@dataclass(frozen=True, slots=True)
class GetGossip(Ask[GossipInfo]):
    """Ask: GossipInfo."""


GossipCommand = Publish | PublishTo | Verdicts | GetGossip
