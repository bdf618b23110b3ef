"""What follows from misdeeds: points, and when there are enough of them a ban (WIRE: limits, score).

Who answers for a peer is its IP, since that is what is banned: neither a new name nor a new connection
makes a host innocent. On loopback, where all have one IP, it is the address that a node advertises. What a
peer did may be found out after it left.

Lives here: scores with what comes of them. Must not live here: how points fade (`scores`), who is banned
(`bouncer`).
"""

from __future__ import annotations

import logging

from actors.peers.bouncer import Bouncer
from actors.peers.links import Links
from actors.peers.messages import (
    Banned,
    BanRefusal,
    ConnectionMisbehaved,
    CreateBan,
    Misbehaved,
    PeerKind,
)
from actors.peers.poison import Suspects
from actors.peers.scores import Scores
from actors.peers.table import Peer, PeerTable
from actors.runtime.clock import Clock
from actors.runtime.restraint import Restraint
from actors.tcp.messages import CloseReason, Connected, ConnId

log = logging.getLogger(__name__)


class Warden:
    """Counts what peers do wrong, and parts with the banned."""

    def __init__(
        self, table: PeerTable, links: Links, bouncer: Bouncer, scores: Scores, clock: Clock
    ) -> None:
        """Count on in ``scores``, which an incarnation hands on to the next: nobody's fall is a pardon."""
        self._table, self._links, self._bouncer, self._clock = table, links, bouncer, clock
        self._misdeeds = Restraint(log)
        self._scores = scores

    def score_of(self, peer: Peer) -> float:
        """The points of whoever answers for a peer."""
        return self._scores.of(peer.key, self._clock.now_s())

    def misbehaved(self, misdeed: Misbehaved) -> None:
        """Count it; of a peer that left long ago nothing is known."""
        peer = self._table.recall(misdeed.peer, self._clock.now_s())
        if peer is not None:
            self._count(peer, misdeed.points, misdeed.reason)

    def connection_misbehaved(self, misdeed: ConnectionMisbehaved) -> None:
        """The same by a connection, which may be gone: no two have one number, so nobody pays for another
        who had his name. Who is not even a peer is parted with.
        """
        peer = self._table.recall_by(misdeed.conn)
        if misdeed.ours_only and (peer is None or peer.kind is not PeerKind.TROUPE):
            return
        if peer is not None:
            self._count(peer, misdeed.points, misdeed.reason)
        else:
            self._links.close(misdeed.conn, CloseReason.PROTOCOL)

    def _count(self, peer: Peer, points: int, reason: str) -> None:
        if points <= 0:
            return
        now_s = self._clock.now_s()
        score = self._scores.add(peer.key, points, now_s)
        if self._scores.is_news(peer.key, reason, now_s):
            told = (peer.id, peer.host, reason, score)
            self._misdeeds.warning(now_s, "peer %s at %s: %s (score %d)", *told)
        if self._scores.is_enough(peer.key, now_s):
            self._expel(peer, reason)

    def poisoned(self, conn: ConnId, suspects: Suspects) -> None:
        """What came on a connection felled an actor: who did that before is banned."""
        culprit = self._links.culprit_of(conn)
        log.warning("connection %d sent what felled an actor (%s)", conn, culprit or "nobody known")
        if culprit is None:  # the connection is all that there is to part with
            self._links.close(conn, CloseReason.BANNED)
        elif suspects.is_second(culprit):
            self._bouncer.punish(culprit, "poison")
            self._part_with_banned()
            self._links.close(conn, CloseReason.BANNED)

    def ban(self, command: CreateBan) -> Banned | BanRefusal:
        """Ban for an operator, and part with whom that concerns."""
        ban = self._bouncer.create(command)
        return ban if isinstance(ban, BanRefusal) else Banned(ban, self._part_with_banned())

    def _expel(self, peer: Peer, reason: str) -> None:
        """Who cannot be banned is parted with, and keeps his score: the next misdeed is enough again."""
        if peer.culprit is not None and self._bouncer.punish(peer.culprit, reason) is not None:
            self._scores.pardon(peer.key)
            self._part_with_banned()
        known = self._table.get(peer.id)
        if known is not None and known.host == peer.host:  # and not another of the same name
            self._links.drop(peer.id, CloseReason.BANNED)

    def _part_with_banned(self) -> int:
        """Close what a ban concerns; a dial that is not up yet ends when it is."""
        concerned = [connected for connected in self._links if self._is_banned(connected)]
        return sum(self._links.close(each.conn, CloseReason.BANNED) for each in concerned)

    def _is_banned(self, connected: Connected) -> bool:
        peer = self._table.peer_of(connected.conn)
        if peer is not None and self._bouncer.is_in_force(peer.targets):
            return True
        return (peer is None or peer.culprit is None) and self._bouncer.bars(connected)
