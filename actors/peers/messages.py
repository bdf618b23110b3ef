"""The public face of the peers room: who is a peer, over which connections, and how to change it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NewType

from actors.runtime.address import Address, Ask
from actors.tcp.messages import CloseReason, ConnId

PeerId = NewType("PeerId", str)
"""``host:port``: as dialed, or as its hello says (WIRE: nodes in the field, 1)."""
BanTarget = NewType("BanTarget", str)
"""An IP address, or on loopback ``host:port`` (WIRE: limits, score); canonical."""


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
    BANNED = "banned"
    BUSY = "busy"


class AddressSource(Enum):
    """How an address came to be known first."""

    CONFIGURED = "configured"
    OPERATOR = "operator"
    HELLO = "hello"
    PEER_LIST = "peer-list"


class BanRefusal(Enum):
    """Why a ban was not made."""

    BAD_TARGET = "bad-target"
    TOO_MANY = "too-many"


class NodeState(Enum):
    """What came of asking a node for its peers."""

    NOT_ASKED = "not-asked"
    SELF = "self"
    ANSWERED = "answered"
    NO_ANSWER = "no-answer"
    UNREACHABLE = "unreachable"


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
    """Another room wants nothing to do with this peer; with ``conn``: only if that is one of its connections
    now, and not of somebody else who had the name. Tell.
    """

    peer: PeerId
    reason: CloseReason
    conn: ConnId | None = None


@dataclass(frozen=True, slots=True)
class Misbehaved:
    """A peer did what WIRE (limits, score) counts: ``points``, 100 of which within a minute end in a ban.
    ``reason`` is of few words, the same for the same fault, and none of the peer's own. Tell.
    """

    peer: PeerId
    points: int
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionMisbehaved:
    """As Misbehaved, by whoever tells it only the connection: the peer whose it is. One that is no peer's yet
    is closed, since nobody answers for it. ``ours_only``: it counts for one of our kind alone, since those of
    the field pass on what a liar wrote (WIRE: limits). Tell.
    """

    conn: ConnId
    points: int
    reason: str
    ours_only: bool = False


@dataclass(frozen=True, slots=True)
class Brought:
    """These peers were the first with what we found good: a block that became our tip, or else transactions
    of more than nothing that we let in. Told once for what is judged together. Tell.
    """

    peers: tuple[PeerId, ...]
    is_block: bool


@dataclass(frozen=True, slots=True)
class Poisoned:
    """What came on this connection felled an actor, and would again. Who sends such a thing twice is banned
    (ARCHITECTURE: supervision): one may have passed on what somebody else wrote. Tell.
    """

    conn: ConnId


@dataclass(frozen=True, slots=True)
class Classify:
    """What the chain room learnt of a peer; ``height`` and ``agent`` None where unknown. Tell."""

    peer: PeerId
    kind: PeerKind
    agent: str | None
    height: int | None


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """A peer as people see it; it has been one for ``connected_s``. Value.

    Attributes:
        verified: Whether it is known to be where its id says, and not only by its own word.
        listed: Whether others are told of it.
        score: Its points now, which fade (WIRE: limits, score): at 100 it is banned.
    """

    peer: PeerId
    conns: tuple[ConnId, ...]
    remote: str
    initiated: bool
    kind: PeerKind
    agent: str | None
    height: int | None
    connected_s: float
    verified: bool
    listed: bool
    score: float


@dataclass(frozen=True, slots=True)
class ListPeers(Ask[tuple[PeerInfo, ...]]):
    """Every peer, oldest first. Ask: tuple of PeerInfo."""


@dataclass(frozen=True, slots=True)
class GetPeer(Ask["PeerInfo | None"]):
    """Ask: PeerInfo, or None if it is no peer."""

    peer: PeerId


@dataclass(frozen=True, slots=True)
class Slots:
    """The places for peers, and how they are taken. Value.

    Attributes:
        outbound: Peers that we dialed, whoever else dialed whom.
        inbound: All others.
        wanted: More peers are sought below so many,
        wanted_outbound: and below so many outbound ones: these places nobody takes by dialing us.
        target: Above so many peers, some are parted with.
        limit: Above so many nobody is accepted.
        dialing: Dials under way of our own accord or an operator's.
        known: Addresses in the book.
    """

    outbound: int
    inbound: int
    wanted: int
    wanted_outbound: int
    target: int
    limit: int
    dialing: int
    known: int


@dataclass(frozen=True, slots=True)
class GetSlots(Ask[Slots]):
    """Ask: Slots."""


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """An address as people see it; both times in Unix time. Value.

    Attributes:
        last_success_s: When it last accepted our hello; None: never.
        failures: In a row, since it was of use.
        next_dial_s: When it may be dialed next; None: whenever peers are sought.
    """

    address: PeerId
    source: AddressSource
    last_success_s: float | None
    failures: int
    next_dial_s: float | None
    connected: bool
    banned: bool


@dataclass(frozen=True, slots=True)
class ListAddresses(Ask[tuple[KnownAddress, ...]]):
    """The address book, in any order. Ask: tuple of KnownAddress."""


# -- bans -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ban:
    """A ban in force; both times in Unix time. Value."""

    target: BanTarget
    reason: str
    created_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Banned:
    """A ban was made, and so many connections are closed for it. Value."""

    ban: Ban
    closed: int


@dataclass(frozen=True, slots=True)
class CreateBan(Ask[Banned | BanRefusal]):
    """Have nothing to do with an IP address, or a ``host:port`` on loopback, for so long. What is banned
    already is banned anew. ``reason`` is printable. Ask: Banned or refusal.
    """

    target: str
    duration_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class DeleteBan(Ask["bool | BanRefusal"]):
    """Lift a ban; False: there is none. Ask: bool, or refusal of what can be no target."""

    target: str


@dataclass(frozen=True, slots=True)
class ListBans(Ask[tuple[Ban, ...]]):
    """Every ban in force. Ask: tuple of Ban."""


# -- who knows whom -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TopologyNode:
    """A node of the graph, so many steps away from ours; ``observed_s`` is Unix time. Value."""

    address: PeerId
    distance: int
    state: NodeState
    observed_s: float | None


@dataclass(frozen=True, slots=True)
class TopologyEdge:
    """One node knows another: by its list, or, where it is ours, by a connection. Unix time. Value."""

    source: PeerId
    target: PeerId
    ours: bool
    observed_s: float


@dataclass(frozen=True, slots=True)
class Topology:
    """Who knows whom. ``truncated``: time or a bound kept us from learning all that was asked. Value."""

    nodes: tuple[TopologyNode, ...]
    edges: tuple[TopologyEdge, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Crawl(Ask["Topology | None"]):
    """Ask the peers for their peers and, above a ``depth`` of 1, dial those and ask them, and so on; answered
    when all have answered or the time is over. Ask: Topology, or None while too many crawls run.
    """

    depth: int
    max_nodes: int
    timeout_s: float


# -- links ----------------------------------------------------------------------------------------


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
PeersQuestion = (
    ConnectPeer
    | DisconnectPeer
    | ListPeers
    | GetPeer
    | GetSlots
    | ListAddresses
    | ListBans
    | CreateBan
    | DeleteBan
    | Crawl
)
PeersCommand = (
    PeersQuestion
    | DropPeer
    | Misbehaved
    | ConnectionMisbehaved
    | Brought
    | Poisoned
    | Classify
    | Resync
)
