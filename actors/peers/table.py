"""The peer table: who is a peer, and over which links.

Lives here: identities, links and the choice of the one that carries what we send. Must not live here:
addresses that are not peers (`book`), or anything that sends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice

from actors.peers.messages import (
    Classify,
    PeerId,
    PeerInfo,
    PeerKind,
    PeerLinked,
    PeerUnlinked,
)
from actors.tcp.messages import ConnId

MAX_LINKS_PER_PEER = 4
"""A field node makes two at once, and two more when we dial it as well (WIRE: nodes in the field, 1)."""


@dataclass(frozen=True, slots=True)
class Link:
    """An accepted connection. ``remote`` is the other end of its socket, ``host:port``. Value."""

    conn: ConnId
    remote: str
    initiated: bool


@dataclass(slots=True)
class Peer:
    """A peer: its links in order of age, the first of which carries what we send."""

    id: PeerId
    listed: bool
    """Whether its id is an address that others might dial."""
    since_s: float
    host: str
    """Where all its links come from, or lead to."""
    verified: bool = False
    """Whether it is known to be where its id says: we dialed it there, or it comes from that very host.
    Until then its id is a claim, and maybe not its own. What a host name stands for only a dial tells.
    """
    links: list[Link] = field(default_factory=list)
    kind: PeerKind = PeerKind.UNKNOWN
    agent: str | None = None
    height: int | None = None

    @property
    def outbound(self) -> ConnId:
        return self.links[0].conn

    def linked(self, link: Link) -> PeerLinked:
        """What the rooms are told of one of its links."""
        return PeerLinked(self.id, link.conn, link.initiated, first=link.conn == self.outbound)

    def info(self, now_s: float) -> PeerInfo:
        return PeerInfo(
            peer=self.id,
            conns=tuple(link.conn for link in self.links),
            remote=self.links[0].remote,
            initiated=self.links[0].initiated,
            kind=self.kind,
            agent=self.agent,
            height=self.height,
            connected_s=now_s - self.since_s,
            verified=self.verified,
            listed=self.listed,
        )


class PeerTable:
    """Every peer, oldest first. A peer has at least one link; a link belongs to one peer."""

    def __init__(self) -> None:
        self._peers: dict[PeerId, Peer] = {}
        self._peer_of: dict[ConnId, Peer] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._peers

    def get(self, peer: PeerId) -> Peer | None:
        return self._peers.get(peer)

    def peer_of(self, conn: ConnId) -> Peer | None:
        return self._peer_of.get(conn)

    def identify(self, claimed: PeerId, remote: str) -> PeerId:
        """Who says hello as ``claimed`` from ``remote``: that peer, or a stranger of the same name.

        The address in a hello is unchecked. While a peer of that name is linked from another host, the
        newcomer goes by its own socket's address, so that neither can speak for the other: it gets
        none of the peer's traffic, its misdeeds do not drop the peer, and whoever came first does
        not lock the true owner out: who comes from the very host that it claims has the name (see
        `release`). The owner of two hosts is two peers: that costs bytes only.
        """
        known = self._peers.get(claimed)
        if known is None or _host(remote) in (known.host, _host(claimed)):
            return claimed
        return PeerId(remote)

    def is_verified(self, peer: PeerId) -> bool:
        """Whether there is a peer at this address, and not only somebody who says so."""
        known = self._peers.get(peer)
        return known is not None and known.verified

    def has_room(self, peer: PeerId, remote: str, max_peers: int) -> bool:
        """Whether one more link of this peer, from ``remote``, may be accepted."""
        known = self._peers.get(peer)
        if known is None or known.host != _host(remote):  # a claimant in its place makes way
            return len(self) < max_peers
        return len(known.links) < MAX_LINKS_PER_PEER

    def release(self, name: PeerId, remote: str) -> list[PeerUnlinked | PeerLinked]:
        """Free a name for its owner at ``remote``; what the rooms are to be told.

        Who claims it from another host goes on under its own socket's address.
        """
        claimant = self._peers.get(name)
        if claimant is None or claimant.host == _host(remote):
            return []
        links, events = claimant.links, list[PeerUnlinked | PeerLinked]()
        for link in reversed(links):
            self.unlink(link.conn)
            outbound = claimant.outbound if claimant.links else None
            events.append(PeerUnlinked(name, link.conn, outbound))
        own = PeerId(links[0].remote)
        events += self.release(own, own)  # ends: the claimant is out of the table meanwhile
        events += [self.link(own, link, listed=False, now_s=claimant.since_s) for link in links]
        return events

    def link(self, peer: PeerId, link: Link, *, listed: bool, now_s: float) -> PeerLinked:
        """Add a link, to a new peer or as a further one; from another host, `release` comes before."""
        host = _host(link.remote)
        known = self._peers.setdefault(peer, Peer(peer, listed, now_s, host))
        known.listed = known.listed or listed
        known.verified = known.verified or link.initiated or host == _host(peer)
        known.links.append(link)
        self._peer_of[link.conn] = known
        return known.linked(link)

    def links(self) -> Iterator[PeerLinked]:
        """Every link, the outbound one of a peer first."""
        return (peer.linked(link) for peer in self for link in peer.links)

    def unlink(self, conn: ConnId) -> Peer | None:
        """Remove a link and give back its peer, which is gone when no link is left; None: no link."""
        peer = self._peer_of.pop(conn, None)
        if peer is not None:
            peer.links = [link for link in peer.links if link.conn != conn]
            if not peer.links:
                del self._peers[peer.id]
        return peer

    def classify(self, news: Classify) -> None:
        """Note what another room learnt of a peer."""
        if (peer := self._peers.get(news.peer)) is not None:
            peer.kind, peer.agent, peer.height = news.kind, news.agent, news.height

    def addresses_for(self, asker: PeerId | None) -> Iterator[PeerId]:
        """What a peer list tells: every peer that can be dialed, but the one that asks."""
        return (peer.id for peer in self if peer.listed and peer.id != asker)

    def surplus(self, max_peers: int, kept: Collection[PeerId]) -> tuple[PeerId, ...]:
        """Whom to part with to get down to ``max_peers``: the youngest first, ``kept`` ones never."""
        youngest = (peer for peer in reversed(self._peers) if peer not in kept)
        return tuple(islice(youngest, max(0, len(self) - max_peers)))


def _host(remote: str) -> str:
    return remote.rpartition(":")[0]
