"""TransportService: the connections under everything else."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from troupe.admin.v1 import errors_pb2, transport_service_pb2, transport_service_pb2_grpc

from actors.config import TcpSettings
from actors.peers.messages import ListPeers
from actors.tcp.messages import (
    CloseConnection,
    CloseReason,
    ConnectionInfo,
    ConnectionState,
    ConnId,
    GetTransport,
    ListConnections,
    TransportInfo,
)
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, require
from admin.house import House
from admin.paging import page_of

STATES = {
    ConnectionState.GREETING: transport_service_pb2.CONNECTION_STATE_GREETING,
    ConnectionState.ESTABLISHED: transport_service_pb2.CONNECTION_STATE_ESTABLISHED,
    ConnectionState.CLOSING: transport_service_pb2.CONNECTION_STATE_CLOSING,
}
END_REASONS = {
    CloseReason.REMOTE: transport_service_pb2.END_REASON_REMOTE,
    CloseReason.LOCAL: transport_service_pb2.END_REASON_LOCAL,
    CloseReason.IO_ERROR: transport_service_pb2.END_REASON_IO_ERROR,
    CloseReason.FRAME_TOO_LARGE: transport_service_pb2.END_REASON_FRAME_TOO_LARGE,
    CloseReason.HELLO_TIMEOUT: transport_service_pb2.END_REASON_HELLO_TIMEOUT,
    CloseReason.FRAME_TIMEOUT: transport_service_pb2.END_REASON_FRAME_TIMEOUT,
    CloseReason.WRITE_TIMEOUT: transport_service_pb2.END_REASON_WRITE_TIMEOUT,
    CloseReason.SILENT: transport_service_pb2.END_REASON_SILENT,
    CloseReason.EVICTED: transport_service_pb2.END_REASON_EVICTED,
    CloseReason.PROTOCOL: transport_service_pb2.END_REASON_PROTOCOL,
    CloseReason.REJECTED: transport_service_pb2.END_REASON_REJECTED,
    CloseReason.BANNED: transport_service_pb2.END_REASON_BANNED,
    CloseReason.OTHER_NETWORK: transport_service_pb2.END_REASON_OTHER_NETWORK,
    CloseReason.SHUTDOWN: transport_service_pb2.END_REASON_SHUTDOWN,
}
"""All but those for which a dial fails, and no connection ends."""


class TransportService(transport_service_pb2_grpc.TransportServiceServicer):
    """Shows the connections, and closes one."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker

    async def GetTransport(
        self, _request: transport_service_pb2.GetTransportRequest, _context: Any
    ) -> transport_service_pb2.GetTransportResponse:
        info = await self._asker.ask(self._house.tcp, GetTransport())
        return transport_service_pb2.GetTransportResponse(
            transport=_transport(info, self._house.listen_address)
        )

    async def ListConnections(
        self, request: transport_service_pb2.ListConnectionsRequest, _context: Any
    ) -> transport_service_pb2.ListConnectionsResponse:
        page = page_of(request, "ListConnections")
        infos = await self._asker.ask(self._house.tcp, ListConnections())
        peers = await self._asker.ask(self._house.peers, ListPeers())
        peer_of: dict[ConnId, str] = {conn: info.peer for info in peers for conn in info.conns}
        after = 0 if page.cursor is None else int.from_bytes(page.cursor)
        listed = sorted((info for info in infos if info.conn > after), key=lambda info: info.conn)
        shown = listed[: page.size]
        now_unix_s = self._house.clock.wall_s()
        return transport_service_pb2.ListConnectionsResponse(
            connections=[_connection(info, peer_of, now_unix_s) for info in shown],
            next_page_token=page.token(shown[-1].conn.to_bytes(8))
            if len(listed) > page.size
            else "",
        )

    async def CloseConnection(
        self, request: transport_service_pb2.CloseConnectionRequest, _context: Any
    ) -> transport_service_pb2.CloseConnectionResponse:
        conn = request.connection_id
        require(conn > 0, "connection_id", "must be at least 1")
        if not await self._asker.ask(self._house.tcp, CloseConnection(ConnId(conn))):
            raise no_connection(conn)
        return transport_service_pb2.CloseConnectionResponse()


def no_connection(conn: int) -> Refusal:
    """The refusal for a connection that there is not."""
    message = f"there is no open connection {conn}"
    return Refusal(errors_pb2.ERROR_REASON_CONNECTION_NOT_FOUND, message)


def _transport(info: TransportInfo, listen_address: str) -> transport_service_pb2.Transport:
    ended = dict(info.ended)
    return transport_service_pb2.Transport(
        listen_address=listen_address,
        accepting=info.accepting,
        connection_counts=[
            transport_service_pb2.StateCount(state=STATES[state], count=count)
            for state, count in info.connections
        ],
        dialing_count=info.dialing,
        accepted_count=info.accepted,
        dialed_count=info.dialed,
        refused_count=info.refused,
        evicted_count=ended.get(CloseReason.EVICTED, 0),
        failed_dial_count=info.failed_dials,
        end_counts=[
            transport_service_pb2.EndCount(reason=END_REASONS[reason], count=count)
            for reason, count in info.ended
        ],
        received_bytes=info.received_bytes,
        sent_bytes=info.sent_bytes,
        received_frame_count=info.received_frames,
        sent_frame_count=info.sent_frames,
        unsent_bytes=info.unsent_bytes,
        held_bytes=info.held_bytes,
        limits=_limits(info.limits),
    )


def _limits(settings: TcpSettings) -> transport_service_pb2.TransportLimits:
    return transport_service_pb2.TransportLimits(
        max_connections=settings.max_connections,
        max_unestablished=settings.max_unestablished,
        max_per_ip=settings.max_per_ip,
        accepted_frame_limit_bytes=settings.accepted_frame_limit_bytes,
        dialed_frame_limit_bytes=settings.dialed_frame_limit_bytes,
        frame_limit_bytes=settings.frame_limit_bytes,
        unsent_limit_bytes=settings.unsent_limit_bytes,
        credit_frames=settings.credit_frames,
        credit_bytes=settings.credit_bytes,
        connect_timeout_s=settings.connect_timeout_s,
        hello_timeout_s=settings.hello_timeout_s,
        frame_timeout_s=settings.frame_timeout_s,
        write_timeout_s=settings.write_timeout_s,
        idle_s=settings.idle_s,
        silent_s=settings.silent_s,
        buffer_limit_bytes=settings.buffer_limit_bytes,
    )


def _connection(
    info: ConnectionInfo, peer_of: Mapping[ConnId, str], now_unix_s: float
) -> transport_service_pb2.Connection:
    return transport_service_pb2.Connection(
        id=info.conn,
        remote_address=info.remote,
        initiated=info.initiated,
        state=STATES[info.state],
        peer_address=peer_of.get(info.conn, ""),
        open_time=convert.timestamp(now_unix_s - info.age_s),
        age_s=info.age_s,
        idle_s=info.idle_s,
        received_bytes=info.received_bytes,
        sent_bytes=info.sent_bytes,
        received_frame_count=info.received_frames,
        sent_frame_count=info.sent_frames,
        unsent_bytes=info.unsent_bytes,
        unhandled_frame_count=info.unhandled_frames,
        reading=info.reading,
    )
