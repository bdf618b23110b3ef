"""What a peer could fill without end, and how long it may be: read off the actors' own reports.

The questions are asked of the actor itself, behind a letter: the answer is that of the moment, and nothing of
the play changes.
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
from actors.peers.bans import MAX_BANS
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


def check_bans(node: SimNode, honest: frozenset[str]) -> None:
    """Look whom a node has banned.

    Raises:
        ViolationError: Somebody honest.
    """
    for ban in asked(node, "peers", ListBans(), tuple) or ():
        if ban.target in honest:
            violated(f"node {node.index} banned {ban.target}: {ban.reason}")


def check_bounds(node: SimNode, room: str | None = None) -> None:
    """Compare the sizes of one room of a node with their bounds, or those of all.

    Raises:
        ViolationError: One is exceeded.
    """
    for check in CHECKS.values() if room is None else (CHECKS.get(room, _check_nothing),):
        check(node)


def _check_nothing(_node: SimNode) -> None:
    """A room that holds nothing of peers."""


def _check_tcp(node: SimNode) -> None:
    for end in () if node.host is None else node.host.ends.values():
        _require(node, f"frames too many come back from connection {end.conn}", -end.unhandled, 0)


def _check_messaging(node: SimNode) -> None:
    messaging = asked(node, "messaging", GetMessaging(), MessagingInfo)
    if messaging is not None:
        links = 0 if node.host is None else len(node.host.ends)
        bound = MAX_IN_FLIGHT * max(1, links)
        _require(node, "requests are in flight", messaging.requests_in_flight, bound)


def _check_peers(node: SimNode) -> None:
    slots = asked(node, "peers", GetSlots(), Slots)
    if slots is not None:
        _require(node, "peers are linked", slots.inbound + slots.outbound, slots.limit)
        _require(node, "addresses are known", slots.known, PeersSettings().known_addresses)
    bans = asked(node, "peers", ListBans(), tuple)
    if bans is not None:
        _require(node, "bans are kept", len(bans), MAX_BANS)


def _check_mempool(node: SimNode) -> None:
    pool = asked(node, "mempool", GetPool(), PoolInfo)
    if pool is not None:
        settings = MempoolSettings()
        _require(node, "transactions are pending", pool.pending, settings.max_pending)
        _require(node, "transactions are queued", pool.queued, settings.max_queued)


def _check_chain(node: SimNode) -> None:
    chain = asked(node, "chain", GetChain(), ChainInfo)
    if chain is not None:
        _require(node, "orphans are held", chain.orphans, MAX_ORPHANS)


def _check_gossip(node: SimNode) -> None:
    gossip = asked(node, "gossip", GetGossip(), GossipInfo)
    if gossip is not None:
        _require(node, "gossip ids are remembered", gossip.seen_ids, gossip.max_seen)
        _require(node, "gossip contents are remembered", gossip.seen_contents, gossip.max_seen)
        bound = gossip.max_awaiting_verdict
        _require(node, "gossips await a verdict", gossip.awaiting_verdict, bound)


def _check_search(node: SimNode) -> None:
    search: Any = node.stage.actors["search"]  # the one room that has no report of its sizes
    _require(node, "searches are remembered", len(search._routes._relayed), MAX_ROUTES)  # noqa: SLF001


CHECKS: dict[str, Callable[[SimNode], None]] = {
    "tcp": _check_tcp,
    "messaging": _check_messaging,
    "peers": _check_peers,
    "mempool": _check_mempool,
    "chain": _check_chain,
    "gossip": _check_gossip,
    "search": _check_search,
}
"""By the name of the room."""


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
