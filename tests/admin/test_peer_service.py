"""PeerService over the wire."""

from __future__ import annotations

import grpc
import pytest
from troupe.admin.v1 import peer_service_pb2 as pb
from troupe.admin.v1 import peer_service_pb2_grpc

from actors.peers.messages import (
    ConnectOutcome,
    ConnectPeer,
    DisconnectPeer,
    GetPeer,
    ListPeers,
    PeerId,
    PeerInfo,
    PeerKind,
)
from actors.tcp.messages import ConnId
from tests.support.admin_stage import AdminStage, refusal_of

Stub = peer_service_pb2_grpc.PeerServiceStub
ADDRESS = "10.0.0.1:7000"


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    return stage.stub(Stub)


def info(port: int, kind: PeerKind = PeerKind.TROUPE) -> PeerInfo:
    agent, height = ("troupe/0.1.0", 12) if kind is PeerKind.TROUPE else (None, None)
    conns = (ConnId(port), ConnId(port + 1))
    return PeerInfo(
        peer=PeerId(f"10.0.0.1:{port}"),
        conns=conns,
        remote=f"10.0.0.1:{port + 1}",
        initiated=True,
        kind=kind,
        agent=agent,
        height=height,
        connected_s=5.0,
        verified=True,
        listed=kind is PeerKind.TROUPE,
        score=0.0 if kind is PeerKind.TROUPE else 12.5,
    )


def test_list_peers_shows_each_with_what_it_is(stage: AdminStage, stub: Stub) -> None:
    stage.peers.answer(ListPeers, (info(7002, PeerKind.LEGACY), info(7000)))
    troupe, legacy = stub.ListPeers(pb.ListPeersRequest()).peers
    assert (troupe.address, troupe.kind, troupe.agent, troupe.height) == (
        ADDRESS,
        pb.PEER_KIND_TROUPE,
        "troupe/0.1.0",
        12,
    )
    assert list(troupe.connection_ids) == [7000, 7001]
    assert (legacy.kind, legacy.agent) == (pb.PEER_KIND_LEGACY, "")
    assert not legacy.HasField("height")
    assert (troupe.verified, troupe.listed, legacy.listed) == (True, True, False)
    assert (troupe.score, legacy.score) == (0.0, 12.5)
    assert 0 < stage.clock.wall_s() - troupe.connect_time.seconds < 60


def test_get_peer_slots_shows_the_places_and_who_takes_them(stub: Stub) -> None:
    slots = stub.GetPeerSlots(pb.GetPeerSlotsRequest()).slots
    assert slots == pb.PeerSlots(
        outbound_count=1,
        inbound_count=2,
        wanted_count=20,
        wanted_outbound_count=8,
        target_count=40,
        limit_count=80,
        dialing_count=3,
        known_address_count=7,
    )


def test_list_peers_goes_on_page_by_page(stage: AdminStage, stub: Stub) -> None:
    stage.peers.answer(ListPeers, tuple(info(port) for port in range(7004, 6999, -1)))
    first = stub.ListPeers(pb.ListPeersRequest(page_size=3))
    stage.peers.answer(ListPeers, tuple(info(port) for port in (7004, 7003, 7001)))
    request = pb.ListPeersRequest(page_size=3, page_token=first.next_page_token)
    second = stub.ListPeers(request)
    assert [peer.address[-1] for peer in first.peers] == ["0", "1", "2"]
    assert [peer.address[-1] for peer in second.peers] == ["3", "4"]
    assert not second.next_page_token


@pytest.mark.parametrize(
    ("outcome", "already"),
    [(ConnectOutcome.CONNECTED, False), (ConnectOutcome.ALREADY_CONNECTED, True)],
)
def test_connect_peer_succeeds_once_it_is_a_peer(
    stage: AdminStage, stub: Stub, outcome: ConnectOutcome, already: bool
) -> None:
    stage.peers.answer(ConnectPeer, outcome)
    assert stub.ConnectPeer(pb.ConnectPeerRequest(address=ADDRESS)).already_connected == already
    assert stage.peers.of(ConnectPeer) == [ConnectPeer(ADDRESS)]


@pytest.mark.parametrize(
    ("outcome", "code", "reason"),
    [
        (ConnectOutcome.REJECTED, grpc.StatusCode.FAILED_PRECONDITION, "PEER_REJECTED"),
        (ConnectOutcome.UNREACHABLE, grpc.StatusCode.FAILED_PRECONDITION, "PEER_UNREACHABLE"),
        (ConnectOutcome.NO_ANSWER, grpc.StatusCode.FAILED_PRECONDITION, "PEER_NO_ANSWER"),
        (ConnectOutcome.OURSELVES, grpc.StatusCode.INVALID_ARGUMENT, "PEER_IS_OURSELVES"),
        (ConnectOutcome.BAD_ADDRESS, grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID"),
        (ConnectOutcome.BANNED, grpc.StatusCode.FAILED_PRECONDITION, "PEER_BANNED"),
        (ConnectOutcome.BUSY, grpc.StatusCode.RESOURCE_EXHAUSTED, "PEERS_BUSY"),
    ],
)
def test_an_address_that_becomes_no_peer_says_why(
    stage: AdminStage, stub: Stub, outcome: ConnectOutcome, code: object, reason: str
) -> None:
    stage.peers.answer(ConnectPeer, outcome)
    refused = refusal_of(lambda: stub.ConnectPeer(pb.ConnectPeerRequest(address=ADDRESS)))
    assert (refused.code, refused.reason) == (code, reason)


@pytest.mark.parametrize("address", ["", "x" * 301])
def test_what_can_be_no_address_is_not_asked_for(
    stage: AdminStage, stub: Stub, address: str
) -> None:
    refused = refusal_of(lambda: stub.ConnectPeer(pb.ConnectPeerRequest(address=address)))
    assert refused.fields == ("address",)
    assert not stage.peers.of(ConnectPeer)


def test_disconnect_peer_closes_it_or_says_that_it_is_none(stage: AdminStage, stub: Stub) -> None:
    request = pb.DisconnectPeerRequest(address=ADDRESS)
    stage.peers.answer(DisconnectPeer, True)
    stub.DisconnectPeer(request)
    assert stage.peers.of(DisconnectPeer) == [DisconnectPeer(PeerId(ADDRESS))]
    stage.peers.answer(DisconnectPeer, False)
    assert refusal_of(lambda: stub.DisconnectPeer(request)).reason == "PEER_NOT_FOUND"


def test_get_peer_shows_one_or_says_that_it_is_none(stage: AdminStage, stub: Stub) -> None:
    request = pb.GetPeerRequest(address=ADDRESS)
    stage.peers.answer(GetPeer, info(7000))
    assert stub.GetPeer(request).peer.agent == "troupe/0.1.0"
    assert stage.peers.of(GetPeer) == [GetPeer(PeerId(ADDRESS))]
    stage.peers.answer(GetPeer, None)
    refused = refusal_of(lambda: stub.GetPeer(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "PEER_NOT_FOUND")
    assert refusal_of(lambda: stub.GetPeer(pb.GetPeerRequest())).fields == ("address",)
