"""The public face of the search room: questions over gossip, answers along the return path, and the items
that outsiders have us answer with.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from actors.peers.messages import PeerId
from actors.runtime.address import Address, Ask
from actors.runtime.sink import Sink
from actors.tcp.messages import ConnId

MAX_WATCHED_SEARCHES = 32
"""Of outsiders, at a time: each may hold its answers for a reader that stands still."""
MAX_ITEMS = 1_024
MAX_ITEM_BYTES = 64 * 1024
"""An answer goes to whoever asks: it must be cheap to send."""
MAX_ALL_ITEMS_BYTES = 16 * 1024 * 1024
"""Of items and their queries together: they are held in memory."""


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


# -- outsiders' searches --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and the peer that sent it, who may have it from another. Value."""

    payload: bytes
    peer: PeerId
    conn: ConnId
    at_s: float
    """Unix time."""


class AnswerSink(Sink[Answer], Protocol):
    """Where an outsider wants the answers; bounded by the search's own bounds."""

    def end(self) -> None:
        """The search is over: no more answers come."""


class SearchRefusal(Enum):
    """Why an outsider's search did not begin."""

    NO_PEERS = "no-peers"
    TOO_MANY = "too-many"
    NO_QUESTION = "no-question"


@dataclass(frozen=True, slots=True)
class OpenSearch(Ask[SearchRefusal | None]):
    """Ask every peer and offer each distinct answer to the sink, until the time is over or there are as
    many as one search may have. None: it has begun. Ask: SearchRefusal or None.
    """

    sink: AnswerSink
    kind: str
    query: bytes
    timeout_s: float


@dataclass(frozen=True, slots=True)
class CloseSearch:
    """Offer nothing more to this sink. Tell."""

    sink: AnswerSink


# -- items ----------------------------------------------------------------------------------------


class ProvideOutcome(Enum):
    """What became of an item."""

    PROVIDED = "provided"
    THERE = "there"
    """It is provided already."""
    OTHER_THERE = "other-there"
    """The query has another item."""
    TOO_LONG = "too-long"
    FULL = "full"
    RESERVED = "reserved"
    """One of our rooms answers the kind."""


@dataclass(frozen=True, slots=True)
class ProvideItem(Ask[ProvideOutcome]):
    """Answer searches of this kind and query with the content. Ask: ProvideOutcome."""

    kind: str
    query: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class WithdrawItem(Ask[bool]):
    """Answer with this item no more; False if there is none. Ask: bool."""

    kind: str
    query: bytes


@dataclass(frozen=True, slots=True)
class ItemInfo:
    """An item: its size and SHA-256, since when (Unix time), and how often it was an answer. Value."""

    kind: str
    query: bytes
    size_bytes: int
    digest: bytes
    provided_s: float
    answers: int


@dataclass(frozen=True, slots=True)
class ListItems(Ask[tuple[ItemInfo, ...]]):
    """At most ``limit`` items behind this kind and query, in order; of one kind, or None: of all.
    Ask: tuple of ItemInfo.
    """

    limit: int
    after: tuple[str, bytes] | None = None
    kind: str | None = None


SearchCommand = (
    StartSearch | LookedUp | OpenSearch | CloseSearch | ProvideItem | WithdrawItem | ListItems
)
