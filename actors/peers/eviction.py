"""Who goes first when there are too many peers: never who is of use, as far as that is hard to imitate.

Pure. Whoever wants to surround us has many connections and much time; what he lacks is a place in many
networks, the newest block before all others, and a past with us. Some peers are protected for each of
these; of the rest goes the youngest of the network that has the most, so that a flood out of one network
costs that network its places. Ping times are not measured, and so not asked for. Must not live here: how
many peers there are to be, and which of those whom we dialed stay in any case (`slots`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from actors.peers.messages import PeerId
from actors.peers.table import Peer

PROTECTED_NETWORKS = 4
"""The oldest peer in each of so many networks, which a secret of ours chooses: nobody knows where to be."""
PROTECTED_FOR_BLOCKS = 4
"""Who were the first with a valid block of late: it takes a miner, or a line to one that is faster than all."""
PROTECTED_FOR_TRANSACTIONS = 4
"""Who were the first with transactions that we took in: these are worth less, and cost their senders funds."""

ScoreOf = Callable[[Peer], float]


class _Order(NamedTuple):
    """Of each list goes first who stands first."""

    guilty: list[Peer]
    exposed: list[Peer]
    """Who dialed us and is not protected."""
    kept: list[Peer]
    """Whom we dialed, then the protected."""
    crowd: dict[PeerId, int]
    """See `crowding`."""


def leaving_order(peers: Sequence[Peer], score_of: ScoreOf, salt: bytes) -> list[Peer]:
    """All of these, who goes first first: whoever has points, the most of them first; who dialed us and is
    not protected; whom we dialed; the protected.
    """
    guilty, exposed, kept, _ = _order(peers, score_of, salt)
    return [*guilty, *exposed, *kept]


def gives_way(
    peers: Sequence[Peer], score_of: ScoreOf, salt: bytes, network: str | None
) -> Peer | None:
    """Who leaves for one more from this network (None: from this machine) where there is no place left:
    whoever has points, else the youngest of a network that will still not have fewer than this one.
    """
    guilty, exposed, _, crowd = _order(peers, score_of, salt)
    if guilty:
        return guilty[0]
    here = sum(not peer.is_outbound and peer.network == network for peer in peers)
    is_crowded = exposed and network is not None and crowd[exposed[0].id] > here + 1
    return exposed[0] if is_crowded else None


def _order(peers: Sequence[Peer], score_of: ScoreOf, salt: bytes) -> _Order:
    youngest = sorted(peers, key=lambda peer: peer.since_s)[::-1]  # stable: the last one first
    points = {peer.id: score_of(peer) for peer in peers}
    guilty = sorted((p for p in youngest if points[p.id]), key=lambda p: -points[p.id])
    innocent = [peer for peer in youngest if not points[peer.id]]
    inbound = [peer for peer in innocent if not peer.is_outbound]
    outbound = [peer for peer in innocent if peer.is_outbound]
    protected, crowd = protected_of(inbound[::-1], salt), crowding(inbound[::-1])
    exposed = [peer for peer in inbound if peer.id not in protected]
    exposed.sort(key=lambda peer: -crowd[peer.id])
    return _Order(guilty, exposed, [*outbound, *(p for p in inbound if p.id in protected)], crowd)


def protected_of(inbound: Sequence[Peer], salt: bytes) -> frozenset[PeerId]:
    """The ids of those who are of use; half of all others is protected for how long it has been here."""
    by_age = sorted(inbound, key=lambda peer: peer.since_s)
    oldest = {peer.network: peer.id for peer in reversed(by_age) if peer.network is not None}
    drawn = sorted(oldest, key=lambda network: sha256(salt + network.encode()).digest())
    kept = {oldest[network] for network in drawn[:PROTECTED_NETWORKS]}
    kept |= _latest(inbound, lambda peer: peer.block_s, PROTECTED_FOR_BLOCKS)
    kept |= _latest(inbound, lambda peer: peer.transactions_s, PROTECTED_FOR_TRANSACTIONS)
    others = [peer.id for peer in by_age if peer.id not in kept]
    return frozenset(kept.union(others[: len(others) // 2]))


def crowding(inbound: Iterable[Peer]) -> dict[PeerId, int]:
    """For each peer how many of its network were here before it left, if the youngest leaves first; on this
    machine each is a network of its own.
    """
    seen, crowd = Counter[str](), dict[PeerId, int]()
    for peer in sorted(inbound, key=lambda each: each.since_s):
        if peer.network is None:
            crowd[peer.id] = 1
            continue
        seen[peer.network] += 1
        crowd[peer.id] = seen[peer.network]
    return crowd


def _latest(peers: Sequence[Peer], when: Callable[[Peer], float | None], count: int) -> set[PeerId]:
    of_use = [(at_s, peer.id) for peer in peers if (at_s := when(peer)) is not None]
    return {peer_id for _, peer_id in sorted(of_use, reverse=True)[:count]}
