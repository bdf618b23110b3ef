"""The links of the peers, as gossip needs them: whose a connection is, and where a relay goes.

Lives here: what the peers room told. Must not live here: who becomes a peer.
"""

from __future__ import annotations

from typing import assert_never

from actors.peers.messages import LinksReset, PeerEvent, PeerId, PeerLinked, PeerUnlinked
from actors.tcp.messages import ConnId


class Links:
    """Every link is listened to; one of each peer, the outbound one, carries what we send."""

    def __init__(self) -> None:
        self.known = False
        """Whether the peers room has told all links; until then some may be missing."""
        self._peer_of: dict[ConnId, PeerId] = {}
        self._outbound: dict[PeerId, ConnId] = {}
        self._but: dict[PeerId, tuple[ConnId, ...]] = {}

    def apply(self, event: PeerEvent) -> list[PeerId]:
        """Note what is told; the peers that are none any more."""
        before = tuple(self._outbound)
        match event:
            case PeerLinked(peer, conn, _, first):
                self._peer_of[conn] = peer
                if first:
                    self._outbound[peer] = conn
            case PeerUnlinked(peer, conn, outbound):
                self._peer_of.pop(conn, None)
                if outbound is None:
                    self._outbound.pop(peer, None)
                else:
                    self._outbound[peer] = outbound
            case LinksReset(links):
                self.known = True
                self._peer_of = {link.conn: link.peer for link in links}
                self._outbound = {link.peer: link.conn for link in links if link.first}
            case _:
                assert_never(event)
        self._but.clear()
        return [peer for peer in before if peer not in self._outbound]

    def peer_of(self, conn: ConnId) -> PeerId | None:
        return self._peer_of.get(conn)

    def outbound(self) -> tuple[ConnId, ...]:
        """To every peer."""
        return tuple(self._outbound.values())

    def outbound_but(self, peer: PeerId) -> tuple[ConnId, ...]:
        """To every peer but this one, on whichever of its links it spoke. Computed once per change."""
        conns = self._but.get(peer)
        if conns is None:
            conns = tuple(conn for other, conn in self._outbound.items() if other != peer)
            self._but[peer] = conns
        return conns
