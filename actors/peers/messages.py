"""The public face of the peers room: who is a peer, over which connections, and how to change it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NewType

from actors.runtime.address import Address, Ask
from actors.tcp.messages import CloseReason, ConnId

PeerId = NewType("PeerId", str)
"""``host:port``: as dialed, or as its hello says (WIRE: nodes in the field, 1)."""


class PeerKind(Enum):
    """What a peer turned out to be."""

    UNKNOWN = "unknown"
    TROUPE = "troupe"
    LEGACY = "legacy"


class ConnectOutcome(Enum):
    """How an attempt to gain a peer ended."""

    CONNECTED = "connected"
    ALREADY_CONNECTED = "already-connected"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    NO_ANSWER = "no-answer"
    OURSELVES = "ourselves"
    BAD_ADDRESS = "bad-address"
    BUSY = "busy"


# -- commands and questions -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConnectPeer(Ask[ConnectOutcome]):
    """Dial an address and say hello; answered when that is decided. Ask: ConnectOutcome."""

    address: str


@dataclass(frozen=True, slots=True)
class DisconnectPeer(Ask[bool]):
    """Close every connection of a peer; False if it is none. Ask: bool."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class DropPeer:
    """Another room wants nothing to do with this peer. Tell."""

    peer: PeerId
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class Classify:
    """What the chain room learnt of a peer; ``height`` and ``agent`` None where unknown. Tell."""

    peer: PeerId
    kind: PeerKind
    agent: str | None
    height: int | None


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """A peer as people see it; it has been one for ``connected_s``. Value."""

    peer: PeerId
    conns: tuple[ConnId, ...]
    remote: str
    initiated: bool
    kind: PeerKind
    agent: str | None
    height: int | None
    connected_s: float


@dataclass(frozen=True, slots=True)
class ListPeers(Ask[tuple[PeerInfo, ...]]):
    """Every peer, oldest first. Ask: tuple of PeerInfo."""


@dataclass(frozen=True, slots=True)
class Resync:
    """Tell the links as they are now: a LinksReset that holds them, then a PeerLinked each, the outbound
    one of a peer first. A room that starts tells this, since it knows none. Tell.
    """

    reply_to: Address[PeerEvent]


# -- events, told to gossip, search, mempool, chain ------------------------------------------------


@dataclass(frozen=True, slots=True)
class PeerLinked:
    """A connection of a peer is accepted. ``first``: the peer is new, and this one carries what we
    send; a further connection is only listened to. Tell.
    """

    peer: PeerId
    conn: ConnId
    initiated: bool
    first: bool


@dataclass(frozen=True, slots=True)
class PeerUnlinked:
    """A connection of a peer is gone; ``outbound`` carries what we send now, None: it is no peer any
    more. Tell.
    """

    peer: PeerId
    conn: ConnId
    outbound: ConnId | None


@dataclass(frozen=True, slots=True)
class LinksReset:
    """Forget what was told before: ``links`` are all that there are, none after a fall of ours. Each of
    them is told once more, for those who greet peers; what follows is news. Tell.
    """

    links: tuple[PeerLinked, ...] = ()


PeerEvent = PeerLinked | PeerUnlinked | LinksReset
PeersCommand = ConnectPeer | DisconnectPeer | DropPeer | Classify | ListPeers | Resync
