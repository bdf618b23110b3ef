"""The public face of the messaging room: kinds, requests and responses over connections.

Inbound messages go, in batches, to the room that the first part of their kind names (``gossip:x`` to
``gossip``). Whoever is given an :class:`Inbound` gives its read credit back, once: by ``Respond`` for a
request, by ``Done`` for anything else (and for a request that gets no answer).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from actors.runtime.address import Address
from actors.tcp.messages import CloseReason, ConnId


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


# -- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inbound:
    """One regular message or request. Value."""

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


MessagingCommand = SendRegular | SendRequest | Respond | Done | OpenGate | Disconnect
