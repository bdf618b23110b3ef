"""How many peers there are to be, and who goes when they are too many (WIRE: peers).

Pure. A peer takes one place, however many connections it has: a field node keeps two, and drops us when
either is closed (WIRE: nodes in the field, 1). It is outbound if we dialed it, whoever else dialed whom.

Whoever surrounds a node with his own machines decides what it sees. He chooses to dial us, but not whom
we dial: hence some places are for outbound peers only, and those who have one keep it. Kept are also
the operator's bootstrap peers; a score, or youth, costs all others theirs. Whoever stayed for
long while others came and went costs an attacker most to imitate.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from actors.peers.messages import PeerId
from actors.peers.table import Peer, PeerTable

MAX_OUTBOUND_KEPT = 8
"""One honest peer is enough to learn of the best chain; of eight that we chose, one most likely is."""


def outbound_wanted(max_peers: int) -> int:
    """So many outbound peers are sought in any case, and their places kept; at most half of all."""
    return min(MAX_OUTBOUND_KEPT, max_peers // 2)


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

    def surplus(
        self, table: PeerTable, kept: Collection[PeerId], score_of: Callable[[Peer], float]
    ) -> list[PeerId]:
        """Whom to part with to get down to ``max_peers``: the worst score first, then the youngest."""
        over = len(table) - self.max_peers
        if over <= 0:
            return []
        by_worth = sorted((peer for peer in table if peer.id not in kept), key=score_of)  # stable
        chosen = [peer.id for peer in by_worth if peer.is_outbound][: self.wanted_outbound]
        safe = set(chosen)
        return [peer.id for peer in reversed(by_worth) if peer.id not in safe][:over]
