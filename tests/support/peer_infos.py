"""What the peers room tells of its peers, for tests of those who ask it."""

from __future__ import annotations

from actors.peers.messages import PeerId, PeerInfo, PeerKind
from actors.tcp.messages import ConnId


def peer_info(conn: int) -> PeerInfo:
    """A peer named after the first of its two connections."""
    return PeerInfo(
        peer=PeerId(f"10.0.0.1:{conn}"),
        conns=(ConnId(conn), ConnId(conn + 1)),
        remote=f"10.0.0.1:{conn + 1}",
        initiated=True,
        kind=PeerKind.TROUPE,
        agent="troupe/0.1.0",
        height=12,
        connected_s=5.0,
        verified=True,
        listed=True,
        score=0.0,
    )
