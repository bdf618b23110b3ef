"""What a peer could fill without end, and how long it may be: read off the actors' own reports.

The questions are asked of the actor itself, between two letters: the answer is that of the moment, and
nothing of the play changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from actors.chain.messages import ChainInfo, GetChain
from actors.chain.orphans import MAX_ORPHANS
from actors.config import MempoolSettings, PeersSettings, TcpSettings
from actors.gossip.messages import GetGossip, GossipInfo
from actors.mempool.messages import GetPool, PoolInfo
from actors.messaging.messages import GetMessaging, MessagingInfo
from actors.messaging.requests import MAX_IN_FLIGHT
from actors.peers.messages import GetSlots, ListBans, Slots
from actors.search.routes import MAX_ROUTES
from actors.simulation.violation import violated

if TYPE_CHECKING:
    from actors.simulation.node import SimNode

A = TypeVar("A")

MAILBOX_FREE = 256
"""Shorter ones are not measured against the number of connections: one peer's read credit is as much."""
OWN_LETTERS = 2_048
"""What a node tells itself at the most at once: the news of a walk's batches and of a pool told anew."""


def mailbox_bound(connections: int) -> int:
    """How many letters may wait for an actor of a node with so many connections.

    A connection's frames that are not handled are bounded by its read credit (WIRE: limits), and a
    frame becomes at most one letter for an actor, and one more for its answer.
    """
    return OWN_LETTERS + 2 * connections * TcpSettings().credit_frames


def check_bans(node: SimNode, is_honest: Callable[[str], bool]) -> None:
    """Look whom a node has banned.

    Raises:
        ViolationError: Somebody honest.
    """
    for ban in asked(node, "peers", ListBans(), tuple) or ():
        if is_honest(ban.target):
            violated(f"node {node.index} banned {ban.target}: {ban.reason}")


def check_bounds(node: SimNode) -> None:
    """Compare a node's sizes with their bounds.

    Raises:
        ViolationError: One is exceeded.
    """
    _check_links(node)
    _check_spreading(node)
    pool = asked(node, "mempool", GetPool(), PoolInfo)
    if pool is not None:
        settings = MempoolSettings()
        _require(node, "transactions are pending", pool.pending, settings.max_pending)
        _require(node, "transactions are queued", pool.queued, settings.max_queued)
    chain = asked(node, "chain", GetChain(), ChainInfo)
    if chain is not None:
        _require(node, "orphans are held", chain.orphans, MAX_ORPHANS)


def _check_links(node: SimNode) -> None:
    host = node.host
    ends = [] if host is None else list(host.ends.values())
    for end in ends:
        _require(node, f"frames too many come back from connection {end.conn}", -end.unhandled, 0)
    messaging = asked(node, "messaging", GetMessaging(), MessagingInfo)
    if messaging is not None:
        bound = MAX_IN_FLIGHT * max(1, len(ends))
        _require(node, "requests are in flight", messaging.requests_in_flight, bound)
    slots = asked(node, "peers", GetSlots(), Slots)
    if slots is not None:
        _require(node, "peers are linked", slots.inbound + slots.outbound, slots.limit)
        _require(node, "addresses are known", slots.known, PeersSettings().known_addresses)


def _check_spreading(node: SimNode) -> None:
    gossip = asked(node, "gossip", GetGossip(), GossipInfo)
    if gossip is not None:
        _require(node, "gossip ids are remembered", gossip.seen_ids, gossip.max_seen)
        _require(node, "gossip contents are remembered", gossip.seen_contents, gossip.max_seen)
        bound = gossip.max_awaiting_verdict
        _require(node, "gossips await a verdict", gossip.awaiting_verdict, bound)
    search: Any = node.stage.actors["search"]  # the one room that has no report of its sizes
    _require(node, "searches are remembered", len(search._routes._relayed), MAX_ROUTES)  # noqa: SLF001


def _require(node: SimNode, what: str, size: int, bound: int) -> None:
    if size > bound:
        violated(f"node {node.index}: {size} {what}, {bound} may be")


def asked(node: SimNode, name: str, question: object, kind: type[A]) -> A | None:
    """What an actor says; None: it is down."""
    actor = node.stage.actors.get(name)
    if actor is None or actor.is_over:
        return None
    with node.store.aside():
        answer = actor.on_receive(question)
    assert isinstance(answer, kind), answer
    return answer
