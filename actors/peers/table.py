"""The peer table: who is a peer, and over which links.

Lives here: identities, links and the choice of the one that carries what we send. Must not live here:
addresses that are not peers (`book`), or anything that sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from actors.peers.addresses import host_of
from actors.peers.bans import culprit_of, target_of
from actors.peers.messages import (
    BanTarget,
    Brought,
    Classify,
    PeerId,
    PeerInfo,
    PeerKind,
    PeerLinked,
    PeerUnlinked,
)
from actors.runtime.hosts import is_loopback, network_of
from actors.tcp.messages import ConnId

MAX_LINKS_PER_PEER = 4
"""A field node makes two at once, and two more when we dial it as well (WIRE: nodes in the field, 1)."""
MAX_GONE = 1_024
"""Gone peers, and connections, that are remembered, for what is found out after they left: seconds of the fastest coming
and going."""

NEWS_UNDER_WAY_S = 5.0
"""What a room tells of a peer is older than that only if the node is overloaded beyond use."""


def network_at(host: str) -> str | None:
    """The network that a peer is in; None: on this machine, where all are and nobody crowds anybody."""
    return None if is_loopback(host) else network_of(host)


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
    culprit: BanTarget | None = field(init=False)
    """What is banned for its misdeeds; None: it cannot be."""
    targets: frozenset[BanTarget] = field(init=False)
    """Each ban that covers it: for its misdeeds, or of the address that it says it has."""
    links: list[Link] = field(default_factory=list)
    kind: PeerKind = PeerKind.UNKNOWN
    agent: str | None = None
    height: int | None = None
    block_s: float | None = None
    """When it was last the first with a valid block; None: never."""
    transactions_s: float | None = None
    """The same of transactions that we took in."""
    network: str | None = field(init=False)
    """See `network_at`."""

    def __post_init__(self) -> None:
        self.network = network_at(self.host)
        named = target_of(self.id)
        at_home = self.host == host_of(self.id)
        self.culprit = named if at_home else culprit_of(self.id, self.host)
        self.targets = frozenset(filter(None, (self.culprit, named)))

    @property
    def key(self) -> str:
        """Whose its points are: others have them, too, where they share an IP."""
        return self.culprit or self.id

    @property
    def outbound(self) -> ConnId:
        return self.links[0].conn

    @property
    def is_outbound(self) -> bool:
        """Whether we dialed it, on whichever of its links."""
        return any(link.initiated for link in self.links)

    def linked(self, link: Link) -> PeerLinked:
        """What the rooms are told of one of its links."""
        return PeerLinked(self.id, link.conn, link.initiated, first=link.conn == self.outbound)

    def info(self, now_s: float, score: float) -> PeerInfo:
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
            score=score,
        )


class PeerTable:
    """Every peer, oldest first. A peer has at least one link; a link belongs to one peer.

    Two nodes that dial each other at once have a link each way, and keep both: each speaks on its older
    one and listens on both. To close one would save a socket, and lose a peer where it is one of the field
    or both sides close at once.
    """

    def __init__(self) -> None:
        self._peers: dict[PeerId, Peer] = {}
        self._peer_of: dict[ConnId, Peer] = {}
        self._outbound: set[PeerId] = set()
        self._gone: dict[PeerId, Peer] = {}
        """Peers that are none any more, those that left last at the end."""
        self._gone_conns: dict[ConnId, Peer] = {}
        """The same by connection, of which no two have the same number."""

    def again(self) -> PeerTable:
        """Another table of the same peers, its order and indices made anew."""
        table = PeerTable()
        for peer in self._peers.values():
            if not peer.links:
                continue
            table._peers[peer.id] = peer
            table._peer_of.update((link.conn, peer) for link in peer.links)
            if peer.is_outbound:
                table._outbound.add(peer.id)
        table._gone, table._gone_conns = dict(self._gone), dict(self._gone_conns)
        return table

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._peers

    @property
    def outbound(self) -> int:
        """How many peers we dialed."""
        return len(self._outbound)

    def outbound_hosts(self) -> Iterator[str]:
        """The host of each peer that we dialed."""
        return (self._peers[peer].host for peer in self._outbound)

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
        if known is None or host_of(remote) in (known.host, host_of(claimed)):
            return claimed
        return PeerId(remote)

    def is_verified(self, peer: PeerId) -> bool:
        """Whether there is a peer at this address, and not only somebody who says so."""
        known = self._peers.get(peer)
        return known is not None and known.verified

    def recall(self, peer: PeerId, now_s: float) -> Peer | None:
        """Who is meant by a room that speaks of a peer: perhaps of one that left a while ago.

        None: nobody by that name is remembered, or it has just come to another host, and nobody can tell
        which of them is meant. Else whoever claims a name could have its owner pay for him.
        """
        known, gone = self._peers.get(peer), self._gone.get(peer)
        if known is None or gone is None or known.host == gone.host:
            return known or gone
        return known if now_s - known.since_s >= NEWS_UNDER_WAY_S else None

    def recall_by(self, conn: ConnId) -> Peer | None:
        """Whose a connection is, or was a while ago, whoever has the name of its peer now."""
        return self._peer_of.get(conn) or self._gone_conns.get(conn)

    def has_room(self, peer: PeerId, remote: str, max_peers: int) -> bool:
        """Whether one more link of this peer, from ``remote``, may be accepted."""
        known = self._peers.get(peer)
        if known is None or known.host != host_of(remote):  # a claimant in its place makes way
            return len(self) < max_peers
        return len(known.links) < MAX_LINKS_PER_PEER

    def release(self, name: PeerId, remote: str) -> list[PeerUnlinked | PeerLinked]:
        """Free a name for its owner at ``remote``; what the rooms are to be told.

        Who claims it from another host goes on under its own socket's address.
        """
        claimant = self._peers.get(name)
        if claimant is None or claimant.host == host_of(remote):
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
        host = host_of(link.remote)
        known = self._peers.get(peer)
        if known is None:
            known = self._peers[peer] = Peer(peer, listed, now_s, host)
        known.listed = known.listed or listed
        known.verified = known.verified or link.initiated or host == host_of(peer)
        known.links.append(link)
        self._peer_of[link.conn] = known
        if link.initiated:
            self._outbound.add(peer)
        return known.linked(link)

    def links(self) -> Iterator[PeerLinked]:
        """Every link, the outbound one of a peer first."""
        return (peer.linked(link) for peer in self for link in peer.links)

    def unlink(self, conn: ConnId) -> Peer | None:
        """Remove a link and give back its peer, which is gone when no link is left; None: no link."""
        peer = self._peer_of.pop(conn, None)
        if peer is not None:
            self._gone_conns[conn] = peer
            if len(self._gone_conns) > MAX_GONE:
                del self._gone_conns[next(iter(self._gone_conns))]
            peer.links = [link for link in peer.links if link.conn != conn]
            if not peer.is_outbound:
                self._outbound.discard(peer.id)
            if not peer.links:
                del self._peers[peer.id]
                self._note_gone(peer)
        return peer

    def classify(self, news: Classify) -> None:
        """Note what another room learnt of a peer."""
        if (peer := self._peers.get(news.peer)) is not None:
            peer.kind, peer.agent, peer.height = news.kind, news.agent, news.height

    def brought(self, news: Brought, now_s: float) -> None:
        """Note that peers were of use."""
        for peer in map(self._peers.get, news.peers):
            if peer is not None and news.is_block:
                peer.block_s = now_s
            elif peer is not None:
                peer.transactions_s = now_s

    def addresses_for(self, asker: PeerId | None, first: int = 0) -> Iterator[PeerId]:
        """What a peer list tells: every peer that can be dialed, but the one that asks; those before the
        ``first`` one come last.
        """
        in_turn = chain(islice(self, first, None), islice(self, first))
        return (peer.id for peer in in_turn if peer.listed and peer.id != asker)

    def _note_gone(self, peer: Peer) -> None:
        self._gone.pop(peer.id, None)
        if len(self._gone) >= MAX_GONE:
            del self._gone[next(iter(self._gone))]
        self._gone[peer.id] = peer
