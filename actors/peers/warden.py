"""What follows from misdeeds: points, and at 100 of them a ban (WIRE: limits, score).

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
from actors.peers.messages import Banned, BanRefusal, CreateBan, Misbehaved
from actors.peers.scores import BAN_AT, Scores
from actors.peers.table import Peer, PeerTable
from actors.runtime.clock import Clock
from actors.tcp.messages import CloseReason, Connected

log = logging.getLogger(__name__)


class Warden:
    """Counts what peers do wrong, and parts with the banned."""

    def __init__(self, table: PeerTable, links: Links, bouncer: Bouncer, clock: Clock) -> None:
        self._table, self._links, self._bouncer, self._clock = table, links, bouncer, clock
        self._scores = Scores()

    def score_of(self, peer: Peer) -> float:
        """The points of whoever answers for a peer."""
        return self._scores.of(peer.key, self._clock.now_s())

    def misbehaved(self, misdeed: Misbehaved) -> None:
        """Count it; of a peer that left long ago nothing is known."""
        now_s, reason = self._clock.now_s(), misdeed.reason
        peer = self._table.recall(misdeed.peer, now_s)
        if peer is None or misdeed.points <= 0:
            return
        score = self._scores.add(peer.key, misdeed.points, now_s)
        if self._scores.is_news(peer.key, reason, now_s):
            log.warning("peer %s at %s: %s (score %d)", peer.id, peer.host, reason, score)
        if score >= BAN_AT:
            self._expel(peer, reason)

    def ban(self, command: CreateBan) -> Banned | BanRefusal:
        """Ban for an operator, and part with whom that concerns."""
        ban = self._bouncer.create(command)
        return ban if isinstance(ban, BanRefusal) else Banned(ban, self._part_with_banned())

    def _expel(self, peer: Peer, reason: str) -> None:
        """Who cannot be banned is parted with, and keeps his score: the next misdeed is enough again."""
        if peer.culprit is not None and self._bouncer.punish(peer.culprit, reason) is not None:
            self._scores.pardon(peer.key)
            self._part_with_banned()
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
