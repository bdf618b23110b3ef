"""The public face of the messaging room: kinds, requests and responses over connections.

Inbound messages go, in batches, to the room that the first part of their kind names (``gossip:x`` to
``gossip``). Whoever is given an :class:`Inbound` gives its read credit back, once: by ``Respond`` for a
request, by ``Done`` for anything else (and for a request that gets no answer).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple, Protocol

from actors.runtime.address import Ask
from actors.runtime.sink import Sink
from actors.tcp.messages import CloseReason, Connected, ConnId

ANSWER_BUDGET_BYTES = 2 * 1024 * 1024
"""What one Received may be answered with at most (WIRE: unsent bytes). An honest peer has one large
request under way; whoever sends hundreds at once does not make us queue hundreds of answers."""
MAX_KIND_BYTES = 64
"""WIRE: limits. The longest kind in use has 21."""
MAX_WATCHERS = 16
"""Each costs a look at every message; so many people do not watch one node."""


class MessageType(IntEnum):
    """The first byte of a message."""

    REGULAR = 0
    REQUEST = 1
    RESPONSE = 2


class ReplyTo(Protocol):
    """Who is told how a request ended: a room's address, or what stands for somebody outside."""

    def tell(self, message: Response) -> None: ...


# -- commands -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendRegular:
    """Send one regular message to each of the connections. Tell."""

    conns: tuple[ConnId, ...]
    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class SendBatch:
    """Send several regular messages, of a kind and a payload each, to each of the connections. Tell."""

    conns: tuple[ConnId, ...]
    messages: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Send a request; exactly one Response with ``token`` goes to ``reply_to``. Tell."""

    conn: ConnId
    kind: str
    payload: bytes
    token: int
    reply_to: ReplyTo
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer a request; its read credit returns. Tell."""

    conn: ConnId
    message_id: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class RespondBatch:
    """Answer several requests of a connection, by message id; their read credit returns. Tell."""

    conn: ConnId
    answers: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Done:
    """So many Inbound of a connection are dealt with without an answer. So many of them were ``useless``: not
    what the protocol has a use for, whoever sends it; too many of these make it be read more slowly. Tell.
    """

    conn: ConnId
    messages: int
    useless: int = 0


@dataclass(frozen=True, slots=True)
class OpenGate:
    """The connection's hello was accepted: deliver what waited behind it, and all that follows. Tell.

    Until then only ``p2p:`` messages are delivered; a bounded rest waits (WIRE: gossip that arrives
    before the hello is answered never reaches a room). ``peer`` says whose it is, to people who watch.
    """

    conn: ConnId
    peer: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection after what was sent before is written. Tell."""

    conn: ConnId
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class CallRoll:
    """Tell LinksNow: the peers room has begun anew. Tell."""


# -- for people: questions, and messages of any kind --------------------------------------------


class RequestFailure(Enum):
    """Why a request has no answer."""

    NO_CONNECTION = "no-connection"
    BUSY = "busy"
    """Too many requests are in flight; it was not sent."""
    NO_RESPONSE = "no-response"
    """None came in time, or the connection was lost."""


@dataclass(frozen=True, slots=True)
class Post(Ask[int]):
    """As SendRegular, to those of the connections that are open; how many they are. Ask: int."""

    conns: tuple[ConnId, ...]
    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class AskPeer(Ask["bytes | RequestFailure"]):
    """As SendRequest, the response being the answer. Ask: bytes or RequestFailure."""

    conn: ConnId
    kind: str
    payload: bytes
    timeout_s: float


class TracedMessage(NamedTuple):
    """A message as it passed: ``at_s`` is Unix time, ``peer`` empty before the gate is open, ``payload``
    cut at what was asked for, ``size_bytes`` that of the whole payload. Value.
    """

    at_s: float
    sent: bool
    conn: ConnId
    peer: str
    type: MessageType
    message_id: int
    kind: str
    size_bytes: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Watch(Ask[bool]):
    """Show the sink every message from now on: of these kinds (one that ends in a colon stands for all
    that begin so; none given: all), of this peer (empty: all). False: too many watch. Ask: bool.
    """

    sink: Sink[TracedMessage]
    kinds: tuple[str, ...] = ()
    peer: str = ""
    payload_limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Unwatch:
    """Show the sink no more. Tell."""

    sink: Sink[TracedMessage]


@dataclass(frozen=True, slots=True)
class KindTraffic:
    """What has passed of one kind, bytes being those of the payloads. Value."""

    kind: str
    received: int
    received_bytes: int
    sent: int
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class MessagingInfo:
    """The room's numbers: counts since start, ``requests_in_flight`` now. ``unknown_kinds`` counts
    messages by the kind that nobody here handles. Value.
    """

    kinds: tuple[KindTraffic, ...]

    received: int
    malformed: int
    dropped_at_gate: int
    late_responses: int
    unasked_responses: int
    requests_in_flight: int
    unknown_kinds: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class GetMessaging(Ask[MessagingInfo]):
    """Ask: MessagingInfo."""


# -- events -------------------------------------------------------------------------------------


class Inbound(NamedTuple):
    """One regular message or request. Value; a tuple, as hundreds of thousands are made in a second
    and a frozen dataclass takes three times as long.
    """

    conn: ConnId
    type: MessageType
    message_id: int
    kind: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """A batch of messages for one room, of one connection, in order. Tell."""

    messages: tuple[Inbound, ...]


@dataclass(frozen=True, slots=True)
class Response:
    """How a request ended: its response's payload, or None when none came in time or the connection
    was lost. Exactly one per request. Tell.
    """

    token: int
    conn: ConnId
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A connection as messaging has it; ``peer`` is empty while its gate is closed. Value."""

    connected: Connected
    peer: str


@dataclass(frozen=True, slots=True)
class LinksNow:
    """All connections, as of this place among the events, told to the peers room when it asks, and when what it
    was told before may be out of date. Tell.
    """

    links: tuple[OpenLink, ...]


MessagingCommand = (
    SendRegular
    | SendBatch
    | SendRequest
    | Respond
    | RespondBatch
    | Done
    | OpenGate
    | Disconnect
    | CallRoll
    | Post
    | AskPeer
    | Watch
    | Unwatch
    | GetMessaging
)
