"""The public face of the tcp room: connections, frames, and what ends them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NewType

from actors.config import TcpSettings
from actors.runtime.address import Ask

ConnId = NewType("ConnId", int)
"""One connection of this run of the node; never used twice."""


class CloseReason(Enum):
    """Why a connection ended, or never came to be."""

    REMOTE = "closed by the other side"
    LOCAL = "closed by us"
    IO_ERROR = "input or output failed"
    REFUSED = "connection refused or unreachable"
    CONNECT_TIMEOUT = "no connection in time"
    FRAME_TOO_LARGE = "frame above the limit"
    HELLO_TIMEOUT = "no hello in time"
    FRAME_TIMEOUT = "frame not finished in time"
    WRITE_TIMEOUT = "unsent bytes not drained in time"
    SILENT = "silent for too long"
    EVICTED = "made room for another"
    PROTOCOL = "broke the protocol"
    REJECTED = "hello rejected"
    BANNED = "banned"
    OTHER_NETWORK = "another network or genesis"
    SHUTDOWN = "node is stopping"


class ConnectionState(Enum):
    """How far a connection has come."""

    GREETING = "greeting"
    """Up; its hello is not accepted yet."""
    ESTABLISHED = "established"
    CLOSING = "closing"
    """It ends once what is owed on it is written, or its time is over."""


# -- commands -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connect:
    """Dial ``host:port``. ``token`` comes back in Connected or ConnectFailed. Tell."""

    token: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Send:
    """Queue messages, a frame each, on every one of the connections; gone ones are skipped. Tell."""

    conns: tuple[ConnId, ...]
    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Queue responses, a frame each; as many received frames are dealt with, as by Handled. Tell."""

    conn: ConnId
    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class HelloSaid:
    """The dialer has said hello, whatever comes of it: its deadline is met. Tell."""

    conn: ConnId


@dataclass(frozen=True, slots=True)
class Establish:
    """The hello is done: lift the early frame limit and the hello deadline. Tell."""

    conn: ConnId


@dataclass(frozen=True, slots=True)
class Handled:
    """So many received frames are dealt with: their read credit returns. Tell."""

    conn: ConnId
    frames: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close once what is queued is written, or the write deadline passed. Tell."""

    conn: ConnId
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class CloseConnection(Ask[bool]):
    """As Close with LOCAL; False: there is no such connection. Ask: bool."""

    conn: ConnId


@dataclass(frozen=True, slots=True)
class RollCall:
    """Tell ConnectionsNow: whoever routes events has begun anew. Tell."""


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """A connection as people see it. Bytes and frames since it began; times in seconds; ``sent_frames``
    were queued, ``unhandled_frames`` are with the rooms, ``reading`` is off while they are too many.
    Value.
    """

    conn: ConnId
    remote: str
    initiated: bool
    state: ConnectionState
    age_s: float
    idle_s: float
    received_bytes: int
    sent_bytes: int
    received_frames: int
    sent_frames: int
    unsent_bytes: int
    unhandled_frames: int
    reading: bool


@dataclass(frozen=True, slots=True)
class ListConnections(Ask[tuple[ConnectionInfo, ...]]):
    """Every open connection, oldest first. Ask: tuple of ConnectionInfo."""


@dataclass(frozen=True, slots=True)
class TransportInfo:
    """The room's numbers: counts since it began, ``connections`` by state, ``dialing``, ``accepting``,
    ``unsent_bytes`` and ``held_bytes`` (which `TcpSettings.buffer_limit_bytes` bounds) now. Value.
    """

    limits: TcpSettings
    connections: tuple[tuple[ConnectionState, int], ...]
    dialing: int
    accepting: bool
    accepted: int
    dialed: int
    refused: int
    failed_dials: int
    ended: tuple[tuple[CloseReason, int], ...]
    received_bytes: int
    sent_bytes: int
    received_frames: int
    sent_frames: int
    unsent_bytes: int
    held_bytes: int = 0


@dataclass(frozen=True, slots=True)
class GetTransport(Ask[TransportInfo]):
    """Ask: TransportInfo."""


# -- events, told to messaging and by it to the rooms that route on them ---------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection is up. ``token`` is that of our Connect, None for an accepted one. Tell."""

    conn: ConnId
    initiated: bool
    remote: str
    token: int | None


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """A dial came to nothing. Tell."""

    token: int
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection is gone; nothing more of it follows. Tell."""

    conn: ConnId
    initiated: bool
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class FramesReceived:
    """The frames that one readiness event completed, without their length prefix. Tell."""

    conn: ConnId
    frames: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing was received for a while; ask for a sign of life. Told once per idle period. Tell."""

    conn: ConnId


@dataclass(frozen=True, slots=True)
class ConnectionsNow:
    """All open connections, oldest first, as of this place among the events. Told by an incarnation that goes on
    with another's, and after RollCall: what was told of any other before is out of date. Tell.
    """

    connections: tuple[Connected, ...]


TcpQuestion = GetTransport | ListConnections | CloseConnection
TcpInput = (
    Connect | Send | Answer | HelloSaid | Establish | Handled | Close | RollCall | TcpQuestion
)
LinkEvent = Connected | ConnectFailed | Disconnected | Idle
TcpEvent = LinkEvent | FramesReceived | ConnectionsNow
