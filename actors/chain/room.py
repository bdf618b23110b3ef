"""What the handlers of the chain room share: the store, the peers, and whom to tell."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from actors.chain.messages import TipChanged
from actors.chain.store import Store
from actors.chain.sync import PeerTable
from actors.gossip.messages import Publish, PublishTo, Verdicts
from actors.ledger.network import Network
from actors.messaging.messages import Done, Respond, Response, SendRequest
from actors.peers.messages import Classify, DropPeer, Resync
from actors.runtime.address import Address
from actors.runtime.clock import Clock
from actors.runtime.events import Happened
from actors.search.messages import SearchEnded, StartSearch


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Whom the chain room tells what. Value."""

    messaging: Address[SendRequest | Respond | Done]
    peers: Address[Classify | DropPeer | Resync]
    gossip: Address[Publish | PublishTo | Verdicts]
    search: Address[StartSearch]
    mempool: Address[TipChanged]
    miner: Address[TipChanged]
    events: Address[Happened]


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
    """

    store: Store
    network: Network
    table: PeerTable
    to: Neighbours
    me: Address[Response | SearchEnded]
    tokens: Iterator[int]


def tokens(clock: Clock) -> Iterator[int]:
    """Numbers for our questions: an answer to the incarnation before us must not look like ours."""
    return itertools.count(int(clock.now_s() * 1_000_000))
