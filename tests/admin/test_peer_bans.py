"""PeerService over the wire: the address book, bans, and who knows whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import peer_service_pb2 as pb
from troupe.admin.v1 import peer_service_pb2_grpc

from actors.peers.bans import MAX_BAN_S, MAX_BANS
from actors.peers.messages import (
    AddressSource,
    Ban,
    Banned,
    BanRefusal,
    BanTarget,
    Crawl,
    CreateBan,
    DeleteBan,
    KnownAddress,
    ListAddresses,
    ListBans,
    NodeState,
    PeerId,
    Topology,
    TopologyEdge,
    TopologyNode,
)
from admin.convert_peers import ADDRESS_SOURCES, NODE_STATES
from tests.support.admin_stage import AdminStage, refusal_of

Stub = peer_service_pb2_grpc.PeerServiceStub
IP = "192.0.2.7"


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    return stage.stub(Stub)


def known(port: int, source: AddressSource = AddressSource.HELLO) -> KnownAddress:
    return KnownAddress(PeerId(f"10.0.0.1:{port}"), source, None, 0, None, False, False)


def ban(target: str = IP) -> Ban:
    return Ban(BanTarget(target), "floods", 1_700_000_000.0, 1_700_000_600.0)


# -- addresses --------------------------------------------------------------------------------------


def test_list_addresses_shows_what_is_known_of_each(stage: AdminStage, stub: Stub) -> None:
    tried = KnownAddress(
        PeerId("10.0.0.1:1"),
        AddressSource.CONFIGURED,
        1_700_000_000.0,
        3,
        1_700_000_064.5,
        True,
        True,
    )
    stage.peers.answer(ListAddresses, (known(2), tried))
    first, second = stub.ListAddresses(pb.ListAddressesRequest()).addresses
    assert (first.address, first.source, first.failure_count) == (
        "10.0.0.1:1",
        pb.ADDRESS_SOURCE_CONFIGURED,
        3,
    )
    assert (first.last_success_time.seconds, first.next_dial_time.ToMilliseconds()) == (
        1_700_000_000,
        1_700_000_064_500,
    )
    assert (first.connected, first.banned) == (True, True)
    assert not second.HasField("last_success_time")
    assert not second.HasField("next_dial_time")


def test_each_source_and_state_has_a_value_of_its_own() -> None:
    assert set(ADDRESS_SOURCES) == set(AddressSource)
    assert len(set(ADDRESS_SOURCES.values())) == len(AddressSource)
    assert set(NODE_STATES) == set(NodeState)
    assert len(set(NODE_STATES.values())) == len(NodeState)


def test_addresses_and_bans_come_page_by_page(stage: AdminStage, stub: Stub) -> None:
    stage.peers.answer(ListAddresses, tuple(known(port) for port in (5, 3, 4, 1, 2)))
    stage.peers.answer(ListBans, tuple(ban(f"10.0.0.{n}") for n in (5, 3, 4, 1, 2)))
    addresses, bans = pb.ListAddressesRequest(page_size=2), pb.ListBansRequest(page_size=2)
    names = list[str]()
    for _ in range(3):
        page = stub.ListAddresses(addresses)
        names += [each.address[-1] for each in page.addresses]
        addresses.page_token = page.next_page_token
        other = stub.ListBans(bans)
        names += [each.target[-1] for each in other.bans]
        bans.page_token = other.next_page_token
    assert names == ["1", "2", "1", "2", "3", "4", "3", "4", "5", "5"]
    assert addresses.page_token == bans.page_token == ""


def test_a_page_token_of_another_listing_is_refused(stage: AdminStage, stub: Stub) -> None:
    stage.peers.answer(ListAddresses, (known(1), known(2)))
    token = stub.ListAddresses(pb.ListAddressesRequest(page_size=1)).next_page_token
    refused = refusal_of(lambda: stub.ListBans(pb.ListBansRequest(page_token=token)))
    assert refused.reason == "PAGE_TOKEN_INVALID"
    bad = pb.ListAddressesRequest(page_token="x")
    assert refusal_of(lambda: stub.ListAddresses(bad)).reason == "PAGE_TOKEN_INVALID"


# -- bans -----------------------------------------------------------------------------------------


def test_create_ban_says_until_when_and_what_it_closed(stage: AdminStage, stub: Stub) -> None:
    stage.peers.answer(CreateBan, Banned(ban(), 2))
    answer = stub.CreateBan(pb.CreateBanRequest(target=IP, duration_s=60, reason="floods"))
    assert (answer.ban.target, answer.ban.reason) == (IP, "floods")
    assert answer.ban.expire_time.seconds - answer.ban.create_time.seconds == 600
    assert answer.closed_connection_count == 2
    assert stage.peers.of(CreateBan) == [CreateBan(IP, 60.0, "floods")]


def test_a_ban_without_a_duration_lasts_ten_minutes(stage: AdminStage, stub: Stub) -> None:
    stage.peers.answer(CreateBan, Banned(ban(), 0))
    stub.CreateBan(pb.CreateBanRequest(target=IP))
    assert stage.peers.of(CreateBan) == [CreateBan(IP, 600.0, "")]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.CreateBanRequest(), "target"),
        (pb.CreateBanRequest(target="x" * 301), "target"),
        (pb.CreateBanRequest(target=IP, duration_s=MAX_BAN_S + 1), "duration_s"),
        (pb.CreateBanRequest(target=IP, reason="x" * 201), "reason"),
        (pb.CreateBanRequest(target=IP, reason="two\nlines"), "reason"),
        (pb.CreateBanRequest(target=IP, reason="a\ttab"), "reason"),
    ],
)
def test_a_bad_ban_names_its_field(
    stage: AdminStage, stub: Stub, request_: pb.CreateBanRequest, field: str
) -> None:
    refused = refusal_of(lambda: stub.CreateBan(request_))
    assert (refused.reason, refused.fields) == ("FIELD_INVALID", (field,))
    assert not stage.peers.of(CreateBan)


def test_a_ban_that_the_node_refuses_says_why(stage: AdminStage, stub: Stub) -> None:
    stage.peers.answer(CreateBan, BanRefusal.BAD_TARGET)
    stage.peers.answer(DeleteBan, BanRefusal.BAD_TARGET)
    create, delete = pb.CreateBanRequest(target="bob"), pb.DeleteBanRequest(target="bob")
    assert refusal_of(lambda: stub.CreateBan(create)).fields == ("target",)
    assert refusal_of(lambda: stub.DeleteBan(delete)).fields == ("target",)
    stage.peers.answer(CreateBan, BanRefusal.TOO_MANY)
    refused = refusal_of(lambda: stub.CreateBan(create))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_BANS",
    )
    assert refused.metadata == {"limit": str(MAX_BANS)}


def test_delete_ban_lifts_it_or_says_that_there_is_none(stage: AdminStage, stub: Stub) -> None:
    request = pb.DeleteBanRequest(target=IP)
    stage.peers.answer(DeleteBan, True)
    stub.DeleteBan(request)
    assert stage.peers.of(DeleteBan) == [DeleteBan(IP)]
    stage.peers.answer(DeleteBan, False)
    refused = refusal_of(lambda: stub.DeleteBan(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "BAN_NOT_FOUND")
    assert refusal_of(lambda: stub.DeleteBan(pb.DeleteBanRequest())).fields == ("target",)


# -- who knows whom -------------------------------------------------------------------------------


def test_get_topology_shows_nodes_and_edges_with_their_age(stage: AdminStage, stub: Stub) -> None:
    own, bob, carol = map(PeerId, ("own:1", "bob:1", "carol:1"))
    nodes = (
        TopologyNode(own, 0, NodeState.SELF, 5.0),
        TopologyNode(bob, 1, NodeState.ANSWERED, 7.0),
        TopologyNode(carol, 2, NodeState.NOT_ASKED, None),
    )
    edges = (TopologyEdge(own, bob, True, 5.0), TopologyEdge(bob, carol, False, 7.0))
    stage.peers.answer(Crawl, Topology(nodes, edges, truncated=True))
    shown = stub.GetTopology(pb.GetTopologyRequest())
    assert [(n.address, n.distance, n.state) for n in shown.nodes] == [
        ("own:1", 0, pb.TOPOLOGY_STATE_SELF),
        ("bob:1", 1, pb.TOPOLOGY_STATE_ANSWERED),
        ("carol:1", 2, pb.TOPOLOGY_STATE_UNSPECIFIED),
    ]
    assert [n.HasField("observe_time") for n in shown.nodes] == [True, True, False]
    assert [(e.from_address, e.to_address, e.source) for e in shown.edges] == [
        ("own:1", "bob:1", pb.TOPOLOGY_SOURCE_CONNECTION),
        ("bob:1", "carol:1", pb.TOPOLOGY_SOURCE_PEER_LIST),
    ]
    assert [e.observe_time.seconds for e in shown.edges] == [5, 7]
    assert shown.truncated


@pytest.mark.parametrize(
    ("request_", "crawl"),
    [
        (pb.GetTopologyRequest(), Crawl(1, 200, 5.0)),
        (pb.GetTopologyRequest(dial_others=True), Crawl(2, 200, 5.0)),
        (
            pb.GetTopologyRequest(dial_others=True, max_depth=4, max_nodes=1_000, timeout_s=30),
            Crawl(4, 1_000, 30.0),
        ),
        (pb.GetTopologyRequest(dial_others=True, max_depth=1), Crawl(1, 200, 5.0)),
    ],
)
def test_a_topology_goes_no_further_than_it_is_told(
    stage: AdminStage, stub: Stub, request_: pb.GetTopologyRequest, crawl: Crawl
) -> None:
    stage.peers.answer(Crawl, Topology((), (), truncated=False))
    stub.GetTopology(request_)
    assert stage.peers.of(Crawl) == [crawl]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.GetTopologyRequest(max_depth=2), "max_depth"),
        (pb.GetTopologyRequest(max_depth=5, dial_others=True), "max_depth"),
        (pb.GetTopologyRequest(max_nodes=1_001), "max_nodes"),
        (pb.GetTopologyRequest(timeout_s=31), "timeout_s"),
    ],
)
def test_a_topology_out_of_bounds_names_its_field(
    stage: AdminStage, stub: Stub, request_: pb.GetTopologyRequest, field: str
) -> None:
    assert refusal_of(lambda: stub.GetTopology(request_)).fields == (field,)
    assert not stage.peers.of(Crawl)


def test_too_many_topologies_at_a_time_have_to_wait(stage: AdminStage, stub: Stub) -> None:
    stage.peers.answer(Crawl, None)
    refused = refusal_of(lambda: stub.GetTopology(pb.GetTopologyRequest()))
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "PEERS_BUSY")


# -- permissions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda stub: stub.ConnectPeer(pb.ConnectPeerRequest(address="10.0.0.1:1")),
        lambda stub: stub.DisconnectPeer(pb.DisconnectPeerRequest(address="10.0.0.1:1")),
        lambda stub: stub.CreateBan(pb.CreateBanRequest(target=IP)),
        lambda stub: stub.DeleteBan(pb.DeleteBanRequest(target=IP)),
        lambda stub: stub.GetTopology(pb.GetTopologyRequest()),
    ],
    ids=["connect", "disconnect", "ban", "unban", "topology"],
)
def test_a_reader_changes_nothing_and_sends_nothing(
    stage: AdminStage, call: Callable[[Any], Any]
) -> None:
    refused = refusal_of(lambda: call(stage.stub(Stub, readonly=True)))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "PERMISSION_MISSING",
    )
    assert refused.metadata["permission"] == "peer:write"
    assert not stage.peers.told


def test_a_reader_may_look(stage: AdminStage) -> None:
    stage.peers.answer(ListBans, (ban(),))
    stage.peers.answer(ListAddresses, (known(1),))
    reader = stage.stub(Stub, readonly=True)
    assert len(reader.ListBans(pb.ListBansRequest()).bans) == 1
    assert len(reader.ListAddresses(pb.ListAddressesRequest()).addresses) == 1
