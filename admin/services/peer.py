"""PeerService: the nodes that this node is connected to."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from typing import Any

from troupe.admin.v1 import errors_pb2, peer_service_pb2, peer_service_pb2_grpc

from actors.peers.messages import ConnectOutcome, ConnectPeer, DisconnectPeer, ListPeers, PeerId
from actors.runtime.events import GetPosition
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, require
from admin.house import House
from admin.paging import page_of
from admin.verdicts import connect_refusal

CONNECT_TIMEOUT_S = 25.0
"""A dial may take 10 s and a hello as long (WIRE: limits); the peers room decides before that is over."""
MAX_PEER_ADDRESS_CHARS = 300
"""A DNS name is at most 253 characters long."""


class PeerService(peer_service_pb2_grpc.PeerServiceServicer):
    """Shows and changes the peers."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker

    async def ListPeers(
        self, request: peer_service_pb2.ListPeersRequest, _context: Any
    ) -> peer_service_pb2.ListPeersResponse:
        page = page_of(request, "ListPeers")
        position = await self._asker.ask(self._house.events, GetPosition())  # before what it dates
        peers = await self._asker.ask(self._house.peers, ListPeers())
        after = "" if page.cursor is None else page.cursor.decode()
        listed = sorted((info for info in peers if info.peer > after), key=lambda info: info.peer)
        shown = listed[: page.size]
        now_unix_s = self._house.clock.wall_s()
        return peer_service_pb2.ListPeersResponse(
            peers=[convert.peer(info, now_unix_s) for info in shown],
            next_page_token=page.token(shown[-1].peer.encode()) if len(listed) > page.size else "",
            position=convert.position(*position),
        )

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
            message = f"{address} is no peer of this node"
            raise Refusal(errors_pb2.ERROR_REASON_PEER_NOT_FOUND, message)
        return peer_service_pb2.DisconnectPeerResponse()


def _peer_address(text: str) -> str:
    """Only what no address can be is refused here; the rest the peers room knows better."""
    fits = 0 < len(text) <= MAX_PEER_ADDRESS_CHARS
    require(fits, "address", f"must be host:port of at most {MAX_PEER_ADDRESS_CHARS} characters")
    return text
