"""TransportService over the wire."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from troupe.admin.v1 import transport_service_pb2 as pb
from troupe.admin.v1 import transport_service_pb2_grpc

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
from admin.services.transport import END_REASONS
from tests.support.admin_stage import AdminStage, refusal_of
from tests.support.peer_infos import peer_info

Stub = transport_service_pb2_grpc.TransportServiceStub

NEVER_END_A_CONNECTION = {CloseReason.REFUSED, CloseReason.CONNECT_TIMEOUT}
INFO = TransportInfo(
    limits=TcpSettings(max_connections=80),
    connections=((ConnectionState.ESTABLISHED, 3), (ConnectionState.GREETING, 1)),
    dialing=2,
    accepting=True,
    accepted=10,
    dialed=5,
    refused=4,
    failed_dials=6,
    ended=((CloseReason.EVICTED, 7), (CloseReason.REMOTE, 4)),
    received_bytes=1_000,
    sent_bytes=2_000,
    received_frames=30,
    sent_frames=40,
    unsent_bytes=50,
    held_bytes=60,
)


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    return stage.stub(Stub)


def connection(conn: int, **changes: Any) -> ConnectionInfo:
    values: dict[str, Any] = {
        "conn": ConnId(conn),
        "remote": f"10.0.0.1:{conn}",
        "initiated": False,
        "state": ConnectionState.ESTABLISHED,
        "age_s": 60.0,
        "idle_s": 1.5,
        "received_bytes": 100,
        "sent_bytes": 200,
        "received_frames": 3,
        "sent_frames": 4,
        "unsent_bytes": 5,
        "unhandled_frames": 6,
        "reading": True,
    }
    return ConnectionInfo(**{**values, **changes})


def test_get_transport_shows_numbers_and_limits(stage: AdminStage, stub: Stub) -> None:
    stage.tcp.answer(GetTransport, INFO)
    shown = stub.GetTransport(pb.GetTransportRequest()).transport
    assert (shown.listen_address, shown.accepting) == (stage.house.listen_address, True)
    assert {each.state: each.count for each in shown.connection_counts} == {
        pb.CONNECTION_STATE_ESTABLISHED: 3,
        pb.CONNECTION_STATE_GREETING: 1,
    }
    assert (shown.accepted_count, shown.refused_count, shown.evicted_count) == (10, 4, 7)
    assert (shown.dialed_count, shown.failed_dial_count, shown.dialing_count) == (5, 6, 2)
    assert {each.reason: each.count for each in shown.end_counts} == {
        pb.END_REASON_EVICTED: 7,
        pb.END_REASON_REMOTE: 4,
    }
    assert (shown.received_bytes, shown.received_frame_count) == (1_000, 30)
    assert (shown.sent_bytes, shown.sent_frame_count, shown.unsent_bytes) == (2_000, 40, 50)
    assert (shown.held_bytes, shown.limits.buffer_limit_bytes) == (60, 64 * 2**20)
    assert (shown.limits.max_connections, shown.limits.frame_limit_bytes) == (80, 2**20)
    assert shown.limits.silent_s == 90.0


def test_every_reason_to_end_a_connection_has_its_own_word() -> None:
    assert set(END_REASONS) == set(CloseReason) - NEVER_END_A_CONNECTION
    assert len(set(END_REASONS.values())) == len(END_REASONS)


def test_list_connections_names_the_peers(stage: AdminStage, stub: Stub) -> None:
    stage.tcp.answer(
        ListConnections,
        (
            connection(7000),
            connection(7001, state=ConnectionState.CLOSING, reading=False),
            connection(9, initiated=True, state=ConnectionState.GREETING),
        ),
    )
    stage.peers.answer(ListPeers, (peer_info(7000),))  # on connections 7000 and 7001
    greeting, first, second = stub.ListConnections(pb.ListConnectionsRequest()).connections
    assert [each.peer_address for each in (greeting, first, second)] == [
        "",
        "10.0.0.1:7000",
        "10.0.0.1:7000",
    ]
    assert (greeting.id, greeting.initiated, greeting.state) == (
        9,
        True,
        pb.CONNECTION_STATE_GREETING,
    )
    assert (first.remote_address, first.reading, first.unhandled_frame_count) == (
        "10.0.0.1:7000",
        True,
        6,
    )
    assert (first.received_bytes, first.received_frame_count) == (100, 3)
    assert (first.sent_bytes, first.sent_frame_count, first.unsent_bytes) == (200, 4, 5)
    assert (first.age_s, first.idle_s) == (60.0, 1.5)
    assert 59 < stage.clock.wall_s() - first.open_time.seconds < 120
    assert (second.state, second.reading) == (pb.CONNECTION_STATE_CLOSING, False)


def test_list_connections_goes_on_page_by_page(stage: AdminStage, stub: Stub) -> None:
    stage.peers.answer(ListPeers, ())
    stage.tcp.answer(ListConnections, tuple(connection(conn) for conn in range(1, 6)))
    first = stub.ListConnections(pb.ListConnectionsRequest(page_size=3))
    stage.tcp.answer(ListConnections, tuple(connection(conn) for conn in (2, 4, 6)))
    request = pb.ListConnectionsRequest(page_size=3, page_token=first.next_page_token)
    second = stub.ListConnections(request)
    assert [each.id for each in first.connections] == [1, 2, 3]
    assert [each.id for each in second.connections] == [4, 6]
    assert not second.next_page_token


def test_a_page_token_of_another_listing_is_refused(stub: Stub) -> None:
    request = pb.ListConnectionsRequest(page_token="nonsense")
    seen = refusal_of(lambda: stub.ListConnections(request))
    assert (seen.code, seen.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


def test_close_connection_closes_it_or_says_that_there_is_none(
    stage: AdminStage, stub: Stub
) -> None:
    request = pb.CloseConnectionRequest(connection_id=3)
    stage.tcp.answer(CloseConnection, True)
    stub.CloseConnection(request)
    assert stage.tcp.of(CloseConnection) == [CloseConnection(ConnId(3))]
    stage.tcp.answer(CloseConnection, False)
    seen = refusal_of(lambda: stub.CloseConnection(request))
    assert (seen.code, seen.reason) == (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")


def test_no_connection_has_the_id_0(stage: AdminStage, stub: Stub) -> None:
    seen = refusal_of(lambda: stub.CloseConnection(pb.CloseConnectionRequest()))
    assert (seen.reason, seen.fields) == ("FIELD_INVALID", ("connection_id",))
    assert not stage.tcp.of(CloseConnection)


def test_a_token_for_reading_sees_and_does_not_close(stage: AdminStage) -> None:
    stage.tcp.answer(GetTransport, INFO)
    stub: Any = stage.stub(Stub, readonly=True)
    assert stub.GetTransport(pb.GetTransportRequest()).transport.accepted_count == 10
    seen = refusal_of(lambda: stub.CloseConnection(pb.CloseConnectionRequest(connection_id=3)))
    assert (seen.reason, seen.metadata) == (
        "PERMISSION_MISSING",
        {"permission": "transport:write"},
    )
