"""The peers as far as blocks are concerned: what they claim, how fast they are, and whose turn it is.

Values in, values out. Must not live here: what they are asked (`greeting`, `download`, `walkback`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from actors.chain.sync import ASK_AGAIN_S
from actors.ledger.types import BlockRef
from actors.peers.messages import PeerId, PeerKind
from actors.tcp.messages import ConnId

MAX_DOUBLINGS = 3
"""Of `ASK_AGAIN_S`, for a peer that fails each time: four minutes. It may be the only one that we have."""
USUAL_BATCHES = 4.0
"""An answer is late after so many times what this peer's take, within these bounds: below the one, a
pause of our own is taken for one of the peer's, above the other the download stands still for too long."""
LATE_S = (1.0, 2.0)
LEAST_BATCH_S = 0.001
"""What every turn costs, so that equally fast peers have equally many."""
PACE_WEIGHT = 0.25
"""Of the newest answer in a peer's pace: it follows a change within a few batches."""


@dataclass(frozen=True, slots=True)
class SyncPeer:
    """A peer as far as blocks are concerned. Value.

    Attributes:
        conn: Carries what we send it.
        kind: Which kind of peer it is.
        agent: What it says that it runs.
        height: Of its tip. None: not known, or not to be believed.
        doubted: It failed us: what it says unasked of its height does not count.
        failures: How often it failed us since it was last of use.
        reached: Where a download from it was broken off, if that is on a side branch.
        batch_s: How long its answers take; None: not known.
        turn_s: The sum of those that it was asked for: who has the least of it has the next turn.
    """

    conn: ConnId
    kind: PeerKind = PeerKind.UNKNOWN
    agent: str | None = None
    height: int | None = None
    doubted: bool = False
    failures: int = 0
    reached: BlockRef | None = None
    batch_s: float | None = None
    turn_s: float = 0.0

    @property
    def late_s(self) -> float:
        """When an answer of this peer is late, in seconds from the question."""
        least, most = LATE_S
        return min(most, max(least, USUAL_BATCHES * (self.batch_s or 0.0)))


class PeerTable:
    """Every peer and its connections; as many as the peers room admits."""

    def __init__(self) -> None:
        self._peers: dict[PeerId, SyncPeer] = {}
        """In the order in which they have their turn at a download."""
        self._owner: dict[ConnId, PeerId] = {}
        self._turn_s = 0.0
        """When the turn given last began, in the sum of turns: nobody saves up more than one from before."""

    def link(self, peer: PeerId, conn: ConnId) -> bool:
        """Note a connection. True when it is the peer's first: it carries what we send."""
        self._owner[conn] = peer
        if peer in self._peers:
            return False
        self._peers[peer] = SyncPeer(conn)
        return True

    def unlink(self, peer: PeerId, conn: ConnId, outbound: ConnId | None) -> None:
        """Forget a connection; ``outbound`` carries what we send now, None: the peer is gone."""
        self._owner.pop(conn, None)
        if outbound is None:
            self._peers.pop(peer, None)
        elif peer in self._peers:
            self._peers[peer] = replace(self._peers[peer], conn=outbound)

    def clear(self) -> None:
        self._peers.clear()
        self._owner.clear()

    def get(self, peer: PeerId | None) -> SyncPeer | None:
        return None if peer is None else self._peers.get(peer)

    def owner(self, conn: ConnId | None) -> PeerId | None:
        return None if conn is None else self._owner.get(conn)

    def is_troupe(self, peer: PeerId | None) -> bool:
        known = self.get(peer)
        return known is not None and known.kind is PeerKind.TROUPE

    def classify(self, peer: PeerId, kind: PeerKind, agent: str | None, height: int | None) -> None:
        """Note what a peer turned out to be."""
        known = self._peers.get(peer)
        if known is not None:
            believed = None if known.doubted else height
            self._peers[peer] = replace(known, kind=kind, agent=agent, height=believed)

    def heard_of(self, peer: PeerId, height: int) -> bool:
        """A peer has a block of this number. True when that is news of one of ours."""
        known = self._peers.get(peer)
        if known is None or known.kind is not PeerKind.TROUPE or known.doubted:
            return False
        if height <= (known.height or 0):
            return False
        self._peers[peer] = replace(known, height=height)
        return True

    def forget_height(self, peer: PeerId, reached: BlockRef | None = None) -> None:
        """The peer did not deliver what it claimed to have: all others have their turn before it.

        Until :meth:`trust` it cannot claim a height again. ``reached``: as in `SyncPeer`.
        """
        known = self._peers.pop(peer, None)
        if known is not None:
            self._peers[peer] = replace(
                known, height=None, doubted=True, failures=known.failures + 1, reached=reached
            )

    def ask_again_s(self, peer: PeerId) -> float:
        """After how long a peer that failed us is asked again what it has."""
        known = self._peers.get(peer)
        doublings = 0 if known is None else min(MAX_DOUBLINGS, max(0, known.failures - 1))
        return ASK_AGAIN_S * (1 << doublings)

    def was_of_use(self, peer: PeerId) -> None:
        """Blocks of this peer were good, and news."""
        known = self._peers.get(peer)
        if known is not None and known.failures:
            self._peers[peer] = replace(known, failures=0)

    def forget_heights(self) -> tuple[tuple[PeerId, ConnId], ...]:
        """Know no height of our kind of peer any more, nor where downloads ended; whom to ask, and where."""
        ours = {p: known for p, known in self._peers.items() if known.kind is PeerKind.TROUPE}
        for peer, known in ours.items():
            self._peers[peer] = replace(known, height=None, reached=None)
        return tuple((peer, known.conn) for peer, known in ours.items())

    def trust(self, peer: PeerId) -> None:
        """We asked the peer again: what it says from now on counts."""
        known = self._peers.get(peer)
        if known is not None:
            self._peers[peer] = replace(known, doubted=False)

    def above(self, height: int) -> tuple[PeerId, ...]:
        """The peers with a tip above ``height`` that can be downloaded from, in turn.

        Not by their heights: one costs nothing to claim. A peer that is new, or comes back under
        another name, is the last in turn, so nobody is kept from having one.
        """
        return tuple(
            peer
            for peer, known in self._peers.items()
            if known.kind is PeerKind.TROUPE and (known.height or 0) > height
        )

    def take_turn(self, peers: Iterable[PeerId]) -> PeerId | None:
        """Of these peers the one to ask: the faster one is, the more often; the first of equals."""
        asked = [(peer, self._peers[peer]) for peer in peers if peer in self._peers]
        if not asked:
            return None
        slowest_s = max(known.batch_s or LEAST_BATCH_S for _, known in asked)

        def start_s(known: SyncPeer) -> float:
            return max(known.turn_s, self._turn_s - slowest_s)

        def end_s(known: SyncPeer) -> float:
            return start_s(known) + (slowest_s if known.batch_s is None else known.batch_s)

        peer, known = min(asked, key=lambda each: end_s(each[1]))
        self._turn_s = max(self._turn_s, start_s(known))
        self._peers[peer] = replace(known, turn_s=end_s(known))
        return peer

    def note_answer(self, peer: PeerId, seconds: float) -> None:
        """A peer's answer, or its failure to give one, took so long."""
        known = self._peers.get(peer)
        if known is not None:
            seconds = max(LEAST_BATCH_S, seconds)
            before_s = seconds if known.batch_s is None else known.batch_s
            batch_s = before_s + PACE_WEIGHT * (seconds - before_s)
            self._peers[peer] = replace(known, batch_s=batch_s)

    def best_height(self) -> int:
        """The highest tip that anybody claims to have."""
        return max((known.height or 0 for known in self._peers.values()), default=0)

    def another(self, conn: ConnId | None) -> ConnId | None:
        """Where to ask when ``conn`` gave no answer."""
        owner = self.owner(conn)
        return next((known.conn for p, known in self._peers.items() if p != owner), None)
