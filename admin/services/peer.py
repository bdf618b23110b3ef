"""PeerService: the nodes that this node is connected to, knows of, or wants nothing to do with."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from troupe.admin.v1 import errors_pb2, peer_service_pb2, peer_service_pb2_grpc

from actors.peers.bans import MAX_BAN_S
from actors.peers.messages import (
    BanRefusal,
    ConnectOutcome,
    ConnectPeer,
    Crawl,
    CreateBan,
    DeleteBan,
    DisconnectPeer,
    GetPeer,
    GetSlots,
    ListAddresses,
    ListBans,
    ListPeers,
    PeerId,
)
from actors.runtime.events import GetPosition
from admin import convert, convert_peers
from admin.asks import Asker
from admin.errors import Refusal, require
from admin.house import House
from admin.paging import Page, page_of
from admin.verdicts import ban_refusal, connect_refusal

CONNECT_TIMEOUT_S = 25.0
"""A dial may take 10 s and a hello as long (WIRE: limits); the peers room decides before that is over."""
MAX_PEER_ADDRESS_CHARS = 300
"""A DNS name is at most 253 characters long."""
DEFAULT_BAN_S = 600
"""As long as misbehaviour is banned (WIRE: limits, score)."""
MAX_BAN_REASON_CHARS = 200
"""A sentence."""
MAX_DEPTH = 4
"""With 80 peers a node, that far from here is everywhere."""
DEFAULT_TOPOLOGY_NODES = 200
MAX_TOPOLOGY_NODES = 1_000
"""More is no picture; with the longest names they take 270 kB."""
DEFAULT_TOPOLOGY_S = 5
MAX_TOPOLOGY_S = 30
"""A person waits no longer, and the questions under way hold places."""
TOPOLOGY_MARGIN_S = 5.0
"""The peers room answers when its time is over, not sooner and hardly later."""

T = TypeVar("T")


class PeerService(peer_service_pb2_grpc.PeerServiceServicer):
    """Shows and changes the peers, the address book and the bans."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker

    async def ListPeers(
        self, request: peer_service_pb2.ListPeersRequest, _context: Any
    ) -> peer_service_pb2.ListPeersResponse:
        page = page_of(request, "ListPeers")
        position = await self._asker.ask(self._house.events, GetPosition())  # before what it dates
        peers = await self._asker.ask(self._house.peers, ListPeers())
        shown, token = _page(page, peers, lambda info: info.peer)
        now_unix_s = self._house.clock.wall_s()
        return peer_service_pb2.ListPeersResponse(
            peers=[convert.peer(info, now_unix_s) for info in shown],
            next_page_token=token,
            position=convert.position(*position),
        )

    async def GetPeer(
        self, request: peer_service_pb2.GetPeerRequest, _context: Any
    ) -> peer_service_pb2.GetPeerResponse:
        address = _peer_address(request.address)
        info = await self._asker.ask(self._house.peers, GetPeer(PeerId(address)))
        if info is None:
            raise _no_peer(address)
        return peer_service_pb2.GetPeerResponse(peer=convert.peer(info, self._house.clock.wall_s()))

    async def GetPeerSlots(
        self, _request: peer_service_pb2.GetPeerSlotsRequest, _context: Any
    ) -> peer_service_pb2.GetPeerSlotsResponse:
        taken = await self._asker.ask(self._house.peers, GetSlots())
        return peer_service_pb2.GetPeerSlotsResponse(slots=convert_peers.slots(taken))

    async def ConnectPeer(
        self, request: peer_service_pb2.ConnectPeerRequest, _context: Any
    ) -> peer_service_pb2.ConnectPeerResponse:
        address = _peer_address(request.address)
        outcome = await self._asker.ask(
            self._house.peers, ConnectPeer(address), timeout_s=CONNECT_TIMEOUT_S
        )
        if refusal := connect_refusal(outcome, address):
            raise refusal
        return peer_service_pb2.ConnectPeerResponse(
            already_connected=outcome is ConnectOutcome.ALREADY_CONNECTED
        )

    async def DisconnectPeer(
        self, request: peer_service_pb2.DisconnectPeerRequest, _context: Any
    ) -> peer_service_pb2.DisconnectPeerResponse:
        address = _peer_address(request.address)
        if not await self._asker.ask(self._house.peers, DisconnectPeer(PeerId(address))):
            raise _no_peer(address)
        return peer_service_pb2.DisconnectPeerResponse()

    async def ListAddresses(
        self, request: peer_service_pb2.ListAddressesRequest, _context: Any
    ) -> peer_service_pb2.ListAddressesResponse:
        page = page_of(request, "ListAddresses")
        addresses = await self._asker.ask(self._house.peers, ListAddresses())
        shown, token = _page(page, addresses, lambda known: known.address)
        return peer_service_pb2.ListAddressesResponse(
            addresses=list(map(convert_peers.known_address, shown)), next_page_token=token
        )

    async def ListBans(
        self, request: peer_service_pb2.ListBansRequest, _context: Any
    ) -> peer_service_pb2.ListBansResponse:
        page = page_of(request, "ListBans")
        bans = await self._asker.ask(self._house.peers, ListBans())
        shown, token = _page(page, bans, lambda ban: ban.target)
        return peer_service_pb2.ListBansResponse(
            bans=list(map(convert_peers.ban, shown)), next_page_token=token
        )

    async def CreateBan(
        self, request: peer_service_pb2.CreateBanRequest, _context: Any
    ) -> peer_service_pb2.CreateBanResponse:
        _require_target(request.target)
        duration_s = request.duration_s or DEFAULT_BAN_S
        require(duration_s <= MAX_BAN_S, "duration_s", f"must be at most {MAX_BAN_S}")
        reason = request.reason
        fits = len(reason) <= MAX_BAN_REASON_CHARS and reason.isprintable()
        require(fits, "reason", f"must be at most {MAX_BAN_REASON_CHARS} printable characters")
        made = await self._asker.ask(
            self._house.peers, CreateBan(request.target, float(duration_s), reason)
        )
        if isinstance(made, BanRefusal):
            raise ban_refusal(made)
        return peer_service_pb2.CreateBanResponse(
            ban=convert_peers.ban(made.ban), closed_connection_count=made.closed
        )

    async def DeleteBan(
        self, request: peer_service_pb2.DeleteBanRequest, _context: Any
    ) -> peer_service_pb2.DeleteBanResponse:
        _require_target(request.target)
        lifted = await self._asker.ask(self._house.peers, DeleteBan(request.target))
        if isinstance(lifted, BanRefusal):
            raise ban_refusal(lifted)
        if not lifted:
            message = f"{request.target} is not banned"
            raise Refusal(errors_pb2.ERROR_REASON_BAN_NOT_FOUND, message)
        return peer_service_pb2.DeleteBanResponse()

    async def GetTopology(
        self, request: peer_service_pb2.GetTopologyRequest, _context: Any
    ) -> peer_service_pb2.GetTopologyResponse:
        command = _crawl(request)
        timeout_s = command.timeout_s + TOPOLOGY_MARGIN_S
        learnt = await self._asker.ask(self._house.peers, command, timeout_s=timeout_s)
        if learnt is None:
            message = "as many topologies are being looked for as may be at a time"
            raise Refusal(errors_pb2.ERROR_REASON_PEERS_BUSY, message)
        return convert_peers.topology(learnt)


def _page(page: Page, every: Iterable[T], name: Callable[[T], str]) -> tuple[Sequence[T], str]:
    """The entries of a page in the order of their names, and the token of the next."""
    after = "" if page.cursor is None else page.cursor.decode()
    listed = sorted((each for each in every if name(each) > after), key=name)
    shown = listed[: page.size]
    return shown, page.token(name(shown[-1]).encode()) if len(listed) > page.size else ""


def _peer_address(text: str) -> str:
    """Only what no address can be is refused here; the rest the peers room knows better."""
    fits = 0 < len(text) <= MAX_PEER_ADDRESS_CHARS
    require(fits, "address", f"must be host:port of at most {MAX_PEER_ADDRESS_CHARS} characters")
    return text


def _require_target(text: str) -> None:
    """What can be banned the peers room knows."""
    fits = 0 < len(text) <= MAX_PEER_ADDRESS_CHARS
    require(fits, "target", f"must be 1 to {MAX_PEER_ADDRESS_CHARS} characters")


def _no_peer(address: str) -> Refusal:
    message = f"{address} is no peer of this node"
    return Refusal(errors_pb2.ERROR_REASON_PEER_NOT_FOUND, message)


def _crawl(request: peer_service_pb2.GetTopologyRequest) -> Crawl:
    """The crawl that a request asks for."""
    depth = request.max_depth or (2 if request.dial_others else 1)
    require(depth <= MAX_DEPTH, "max_depth", f"must be at most {MAX_DEPTH}")
    allowed = depth == 1 or request.dial_others
    require(allowed, "max_depth", "above 1 needs dial_others: those nodes are no peers")
    max_nodes = request.max_nodes or DEFAULT_TOPOLOGY_NODES
    require(max_nodes <= MAX_TOPOLOGY_NODES, "max_nodes", f"must be at most {MAX_TOPOLOGY_NODES}")
    timeout_s = request.timeout_s or DEFAULT_TOPOLOGY_S
    require(timeout_s <= MAX_TOPOLOGY_S, "timeout_s", f"must be at most {MAX_TOPOLOGY_S}")
    return Crawl(depth, max_nodes, float(timeout_s))
