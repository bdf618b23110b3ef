"""How many peers there are to be, and who goes when they are too many (WIRE: peers).

Pure. A peer takes one place, however many connections it has: a field node keeps two, and drops us when
either is closed (WIRE: nodes in the field, 1). It is outbound if we dialed it, whoever else dialed whom.

Whoever surrounds a node with his own machines decides what it sees. He chooses to dial us, but not whom
we dial: hence some places are for outbound peers only, and those who have one keep it. Kept are also
the operator's bootstrap peers; a score, or youth, costs all others theirs. Whoever stayed for
long while others came and went costs an attacker most to imitate.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from actors.peers.addresses import host_of
from actors.peers.eviction import ScoreOf, gives_way, leaving_order
from actors.peers.messages import PeerId
from actors.peers.table import MAX_LINKS_PER_PEER, Peer, PeerTable, network_at

MAX_OUTBOUND_KEPT = 8
"""One honest peer is enough to learn of the best chain; of eight that we chose, one most likely is."""


def outbound_wanted(max_peers: int) -> int:
    """So many outbound peers are sought in any case, and their places kept; at most half of all."""
    return min(MAX_OUTBOUND_KEPT, max_peers // 2)


def most_links(max_peers: int) -> int:
    """So many connections are for peers. With fewer, those who have several would keep out whoever the table has
    a place for, or would make one.
    """
    return MAX_LINKS_PER_PEER * SlotPolicy(max_peers).limit


@dataclass(frozen=True, slots=True)
class SlotPolicy:
    """What ``max_peers`` means; tables are arguments."""

    max_peers: int

    @property
    def wanted(self) -> int:
        """Below so many more are sought."""
        return -(-self.max_peers // 2)

    @property
    def wanted_outbound(self) -> int:
        return outbound_wanted(self.max_peers)

    @property
    def limit(self) -> int:
        """Above so many nobody is accepted."""
        return 2 * self.max_peers

    def missing(self, table: PeerTable) -> int:
        """How many more peers are sought."""
        return max(0, self.wanted - len(table), self.wanted_outbound - table.outbound)

    def open_to_inbound(self, table: PeerTable) -> int:
        """So many peers may there be with one more that dialed us: the rest is for whom we will dial."""
        return self.limit - max(0, self.wanted_outbound - table.outbound)


@dataclass(frozen=True, slots=True)
class Seats:
    """Who leaves, by the policy and the peers that there are.

    Attributes:
        kept: Never parted with; who only says that it is one of these, as anybody.
        score_of: The points of a peer now.
        salt: Our secret (`eviction`).
    """

    policy: SlotPolicy
    table: PeerTable
    kept: Container[PeerId]
    score_of: ScoreOf
    salt: bytes

    def surplus(self) -> list[PeerId]:
        """Whom to part with to get down to ``max_peers``."""
        over = len(self.table) - self.policy.max_peers
        if over <= 0:
            return []
        leaving = leaving_order(self._may_go(), self.score_of, self.salt)
        return [peer.id for peer in leaving[:over]]

    def is_free(self, peer: PeerId, remote: str) -> bool:
        """Whether one more connection of a peer that dialed us finds a place."""
        return self.table.has_room(peer, remote, self.policy.open_to_inbound(self.table))

    def gives_way(self, newcomer: PeerId, remote: str) -> PeerId | None:
        """Who leaves for a new peer that dialed us, where no place is free; None: nobody does."""
        host = host_of(remote)
        known = self.table.get(newcomer)
        if known is not None and known.host == host:  # and no claimant of its name
            return None  # it has a place, and as many connections as one may have
        peer = gives_way(self._may_go(), self.score_of, self.salt, network_at(host))
        return None if peer is None else peer.id

    def _may_go(self) -> list[Peer]:
        """All but the kept, and of those whom we dialed the wanted ones: the best score, then the oldest."""
        peers = [peer for peer in self.table if not (peer.verified and peer.id in self.kept)]
        outbound = sorted((peer for peer in peers if peer.is_outbound), key=self.score_of)  # stable
        safe = {peer.id for peer in outbound[: self.policy.wanted_outbound]}
        return [peer for peer in peers if peer.id not in safe]
