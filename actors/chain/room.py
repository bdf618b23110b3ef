"""What the handlers of the chain room share: the store, the peers, and whom to tell."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from actors.chain.messages import StoreFault, TipChanged
from actors.chain.signatures import Passed
from actors.chain.store import Store
from actors.chain.table import PeerTable
from actors.gossip.messages import Publish, PublishTo, Verdicts
from actors.ledger.network import Network
from actors.messaging.messages import Done, RespondBatch, Response, SendRequest
from actors.peers.messages import (
    Brought,
    Classify,
    ConnectionMisbehaved,
    DropPeer,
    Misbehaved,
    Resync,
)
from actors.runtime.address import Address
from actors.runtime.clock import Clock
from actors.runtime.events import Happened
from actors.runtime.supervisor import Ailing
from actors.search.messages import SearchEnded, StartSearch


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Whom the chain room tells what. Value."""

    messaging: Address[SendRequest | RespondBatch | Done]
    peers: Address[Classify | DropPeer | Misbehaved | ConnectionMisbehaved | Brought | Resync]
    gossip: Address[Publish | PublishTo | Verdicts]
    search: Address[StartSearch]
    mempool: Address[TipChanged]
    miner: Address[TipChanged | StoreFault]
    events: Address[Happened]
    supervisor: Address[Ailing]


@dataclass(frozen=True, slots=True)
class Verified:
    """The signatures of a batch in the line were looked at; an exception: they could not be. Tell."""

    number: int
    result: Passed | Exception


@dataclass(frozen=True, slots=True)
class Late:
    """An answer did not come in the usual time. Tell."""

    token: int


@dataclass(frozen=True, slots=True)
class Room:
    """The common ground of the actor and its handlers. Value.

    Attributes:
        store: The chain.
        network: Whose rules apply.
        table: The peers that are linked.
        to: Whom to tell.
        me: Where the actor gets its answers.
        tokens: Numbers for questions, no two alike.
        clock: For durations and timers.
    """

    store: Store
    network: Network
    table: PeerTable
    to: Neighbours
    me: Address[Response | SearchEnded | Verified | Late]
    tokens: Iterator[int]
    clock: Clock


def tokens(clock: Clock) -> Iterator[int]:
    """Numbers for our questions: an answer to the incarnation before us must not look like ours."""
    return itertools.count(int(clock.now_s() * 1_000_000))
