"""The public face of the gossip room: rumours out, rumours in, the verdicts on them, and who listens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from actors.peers.messages import PeerId
from actors.runtime.address import Ask
from actors.runtime.sink import Sink
from actors.tcp.messages import ConnId

MAX_LISTENERS = 256
"""Each costs a look for each kind of a batch; the admin plane has half as many streams."""


class Decision(Enum):
    """What a handler makes of an item."""

    RELAY = "relay"
    """Good: pass it on, and remember its content."""
    FINAL = "final"
    """It will never be good: end it here, and remember its content."""
    DROP = "drop"
    """End it here; the same content may come again and be good then."""
    UNHEARD = "unheard"
    """End it here unjudged, for its sender has had too many or is gone: the very same message from another is
    news."""
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


class PublishRefusal(Enum):
    """Why an outsider's payload is not published."""

    HANDLED = "handled"
    """One of our rooms judges the kind, and publishes it itself."""
    TOO_LONG = "too-long"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Published:
    """It is on its way to so many peers, under this id. Value."""

    message_id: bytes
    peers: int


@dataclass(frozen=True, slots=True)
class PublishGossip(Ask["Published | PublishRefusal"]):
    """Flood an outsider's payload, as ``Publish`` does our own. Ask: Published or PublishRefusal."""

    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """Gossip that was news when it came, not judged yet; ``peer`` None: we published it. ``at_s`` is
    Unix time. Value.
    """

    message_id: bytes
    kind: str
    payload: bytes
    peer: PeerId | None
    at_s: float


@dataclass(frozen=True, slots=True)
class Listen(Ask[bool]):
    """Offer what is heard of these kinds, or of their first parts, to the sink, and relay what of them no
    room judges; no kinds: offer all, relay nothing for it. False: too many listen. Ask: bool.
    """

    sink: Sink[Heard]
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Unlisten:
    """Offer nothing more to this sink. Tell."""

    sink: Sink[Heard]


@dataclass(frozen=True, slots=True)
class KindInfo:
    """What became of a kind's messages since the actor's start; ``kind`` empty: of all that are not
    counted by name. ``limit_bytes`` is that of a payload, behind the message id. Value.
    """

    kind: str
    is_handled: bool
    limit_bytes: int
    subscribers: int
    received: int
    duplicates: int
    dropped: int
    relayed: int
    published: int


@dataclass(frozen=True, slots=True)
class GossipInfo:
    """The room's numbers: sizes now and their bounds, and each kind's counts. Value."""

    seen_ids: int
    seen_contents: int
    max_seen: int
    seen_lifetime_s: float
    awaiting_verdict: int
    max_awaiting_verdict: int
    listeners: int
    kinds: tuple[KindInfo, ...]


@dataclass(frozen=True, slots=True)
class GetGossip(Ask[GossipInfo]):
    """Ask: GossipInfo."""


GossipCommand = Publish | PublishTo | PublishGossip | Verdicts | Listen | Unlisten | GetGossip
