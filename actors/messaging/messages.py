"""The public face of the messaging room: kinds, requests and responses over connections.

Inbound messages go, in batches, to the room that the first part of their kind names (``gossip:x`` to
``gossip``). Whoever is given an :class:`Inbound` gives its read credit back, once: by ``Respond`` for a
request, by ``Done`` for anything else (and for a request that gets no answer).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from actors.runtime.address import Address, Ask
from actors.tcp.messages import CloseReason, ConnId

ANSWER_BUDGET_BYTES = 2 * 1024 * 1024
"""What one Received may be answered with at most (WIRE: unsent bytes). An honest peer has one large
request under way; whoever sends hundreds at once does not make us queue hundreds of answers."""


class MessageType(IntEnum):
    """The first byte of a message."""

    REGULAR = 0
    REQUEST = 1
    RESPONSE = 2


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
    reply_to: Address[Response]
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
    """So many Inbound of a connection are dealt with without an answer. Tell."""

    conn: ConnId
    messages: int


@dataclass(frozen=True, slots=True)
class OpenGate:
    """The connection's hello was accepted: deliver what waited behind it, and all that follows. Tell.

    Until then only ``p2p:`` messages are delivered; a bounded rest waits (WIRE: gossip that arrives
    before the hello is answered never reaches a room).
    """

    conn: ConnId


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection after what was sent before is written. Tell."""

    conn: ConnId
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class MessagingInfo:
    """The room's numbers: counts since start, ``requests_in_flight`` now. ``unknown_kinds`` counts
    messages by the kind that nobody here handles. Value.
    """

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


MessagingCommand = (
    SendRegular
    | SendBatch
    | SendRequest
    | Respond
    | RespondBatch
    | Done
    | OpenGate
    | Disconnect
    | GetMessaging
)
