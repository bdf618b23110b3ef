"""What people ask of the room, and what they tell it to do.

Must not live here: the peer protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, assert_never

from actors.peers.book import AddressBook, Entry
from actors.peers.bouncer import Bouncer
from actors.peers.crawler import Crawler
from actors.peers.dialer import Dialer
from actors.peers.links import Links
from actors.peers.messages import (
    ConnectPeer,
    Crawl,
    CreateBan,
    DeleteBan,
    DisconnectPeer,
    GetPeer,
    GetSlots,
    KnownAddress,
    ListAddresses,
    ListBans,
    ListPeers,
    PeerId,
    PeerInfo,
    PeersQuestion,
    Slots,
)
from actors.peers.slots import SlotPolicy
from actors.peers.table import Peer, PeerTable
from actors.peers.warden import Warden
from actors.runtime.clock import Clock
from actors.tcp.messages import CloseReason


@dataclass(frozen=True, slots=True)
class Desk:
    """Answers from what the room's other parts know, and has them act."""

    table: PeerTable
    book: AddressBook
    dialer: Dialer
    links: Links
    bouncer: Bouncer
    warden: Warden
    slots: SlotPolicy
    crawler: Crawler
    clock: Clock

    def answer(  # noqa: C901 - a case a question
        self, question: PeersQuestion, take_over: Callable[[], Future[Any]]
    ) -> object:
        """The answer, or None where the future of ``take_over`` will get it."""
        match question:
            case ConnectPeer(address):
                return self.dialer.connect(address, take_over)
            case DisconnectPeer(peer):
                return self.links.drop(peer, CloseReason.LOCAL)
            case ListPeers():
                return tuple(map(self._info, self.table))
            case GetPeer(peer):
                found = self.table.get(peer)
                return None if found is None else self._info(found)
            case GetSlots():
                return self._slots()
            case ListAddresses():
                return tuple(self._known(*item) for item in self.book.items())
            case CreateBan():
                return self.warden.ban(question)
            case DeleteBan(target):
                return self.bouncer.delete(target)
            case ListBans():
                return self.bouncer.listing()
            case Crawl():
                self.crawler.begin(question, take_over)
                return None
            case _:
                assert_never(question)

    def _info(self, peer: Peer) -> PeerInfo:
        return peer.info(self.clock.now_s(), self.warden.score_of(peer))

    def _slots(self) -> Slots:
        outbound = self.table.outbound
        return Slots(
            outbound=outbound,
            inbound=len(self.table) - outbound,
            wanted=self.slots.wanted,
            wanted_outbound=self.slots.wanted_outbound,
            target=self.slots.max_peers,
            limit=self.slots.limit,
            dialing=len(self.dialer),
            known=len(self.book),
        )

    def _known(self, address: PeerId, entry: Entry) -> KnownAddress:
        now_s, wall_s = self.clock.now_s(), self.clock.wall_s()
        connected = address in self.table
        waits = entry.due_s > now_s and not connected
        return KnownAddress(
            address=address,
            source=entry.source,
            last_success_s=None if entry.answered_s is None else wall_s - now_s + entry.answered_s,
            failures=entry.failures,
            next_dial_s=wall_s - now_s + entry.due_s if waits else None,
            connected=connected,
            banned=self.bouncer.is_banned(address),
        )
