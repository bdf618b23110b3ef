"""``troupe peers``: one peer, the address book, bans and the graph, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from troupe.admin.v1 import errors_pb2, peer_service_pb2

from admin.cli.exits import ExitCode
from admin.errors import Refusal
from tests.unit.cli.shell import Shell, shell_of_a_node

ADDRESS = "127.0.0.1:7101"
THEN = Timestamp(seconds=1_700_000_000)
PEER = peer_service_pb2.Peer(
    address=ADDRESS,
    remote_address="127.0.0.1:50000",
    kind=peer_service_pb2.PEER_KIND_TROUPE,
    agent="troupe/0.1.0",
    height=12,
    connect_time=THEN,
    connection_ids=[3, 4],
    verified=True,
    score=41.7,
)
BAN = peer_service_pb2.Ban(target="192.0.2.7", reason="floods", create_time=THEN, expire_time=THEN)
EDGE = peer_service_pb2.TopologyEdge(
    from_address="own:1",
    to_address=ADDRESS,
    source=peer_service_pb2.TOPOLOGY_SOURCE_CONNECTION,
    observe_time=THEN,
)
GRAPH = peer_service_pb2.GetTopologyResponse(
    nodes=[
        peer_service_pb2.TopologyNode(address="own:1", state=peer_service_pb2.TOPOLOGY_STATE_SELF),
        peer_service_pb2.TopologyNode(address=ADDRESS, distance=1),
    ],
    edges=[EDGE],
)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


def test_the_list_has_a_name_of_its_own(shell: Shell) -> None:
    shell.answers(ListPeers=peer_service_pb2.ListPeersResponse(peers=[PEER]))
    assert shell("peers list").stdout == shell("peers").stdout
    assert shell("peers").stdout.splitlines()[1].split()[1:5] == ["inbound", "troupe", "12", "42"]
    assert shell.data("peers list")[0]["address"] == ADDRESS


def test_one_peer_is_shown_with_all_that_is_known(shell: Shell) -> None:
    shell.answers(GetPeer=peer_service_pb2.GetPeerResponse(peer=PEER))
    text = shell(f"peers show {ADDRESS}").stdout
    for part in ("inbound", "troupe/0.1.0", "127.0.0.1:50000", "3, 4", "42 of 100"):
        assert part in text
    data = shell.data(f"peers show {ADDRESS}")
    assert (data["verified"], data["listed"], data["height"]) == (True, False, 12)
    assert shell.node.asked("GetPeer")[0].address == ADDRESS


def test_the_places_for_peers_are_shown(shell: Shell) -> None:
    slots = peer_service_pb2.PeerSlots(
        outbound_count=3,
        inbound_count=5,
        wanted_count=20,
        wanted_outbound_count=8,
        target_count=40,
        limit_count=80,
        known_address_count=1_000,
    )
    shell.answers(GetPeerSlots=peer_service_pb2.GetPeerSlotsResponse(slots=slots))
    text = shell("peers slots").stdout
    for part in ("below 20, and below 8 outbound", "above 40", "above 80", "1,000"):
        assert part in text
    data = shell.data("peers slots")
    assert (data["outbound_count"], data["inbound_count"], data["dialing_count"]) == (3, 5, 0)


def test_a_peer_that_is_none_is_not_found(shell: Shell) -> None:
    shell.answers(GetPeer=Refusal(errors_pb2.ERROR_REASON_PEER_NOT_FOUND, "no peer"))
    result = shell(f"peers show {ADDRESS}")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "PEER_NOT_FOUND" in result.stderr


def test_the_address_book_is_listed_over_all_pages(shell: Shell) -> None:
    def page(
        request: peer_service_pb2.ListAddressesRequest,
    ) -> peer_service_pb2.ListAddressesResponse:
        number = int(request.page_token or 0)
        known = peer_service_pb2.KnownAddress(
            address=f"10.0.0.1:{number}",
            source=peer_service_pb2.ADDRESS_SOURCE_PEER_LIST,
            failure_count=number,
            connected=number == 0,
            banned=number == 1,
        )
        token = "" if number == 2 else str(number + 1)
        return peer_service_pb2.ListAddressesResponse(addresses=[known], next_page_token=token)

    shell.answers(ListAddresses=page)
    data = shell.data("peers addresses")
    assert [each["failure_count"] for each in data] == [0, 1, 2]
    assert data[0]["last_success_time"] is None
    lines = shell("peers addresses").stdout.splitlines()
    assert [line.split()[1:3] for line in lines[1:]] == [
        ["peer-list", "connected"],
        ["peer-list", "banned"],
        ["peer-list", "-"],
    ]


def test_bans_are_listed(shell: Shell) -> None:
    shell.answers(ListBans=peer_service_pb2.ListBansResponse(bans=[BAN]))
    assert "floods" in shell("peers bans").stdout
    assert shell.data("peers bans")[0]["expire_time"] == "2023-11-14T22:13:20.000+00:00"
    shell.answers(ListBans=peer_service_pb2.ListBansResponse())
    assert shell("peers bans").stdout == "Nobody is banned.\n"


def test_a_ban_is_made_for_as_long_as_is_said(shell: Shell) -> None:
    shell.answers(CreateBan=peer_service_pb2.CreateBanResponse(ban=BAN, closed_connection_count=2))
    result = shell("peers ban 192.0.2.7 --for 2h --reason floods")
    assert result.stdout.startswith("192.0.2.7 is banned until 2023-11-1")
    assert result.stdout.endswith("; 2 connections closed.\n")
    assert shell.data("peers ban 192.0.2.7")["ban"]["target"] == "192.0.2.7"
    asked = shell.node.asked("CreateBan")
    assert [(each.target, each.duration_s, each.reason) for each in asked] == [
        ("192.0.2.7", 7_200, "floods"),
        ("192.0.2.7", 600, ""),
    ]


def test_a_ban_is_lifted_once(shell: Shell) -> None:
    shell.answers(DeleteBan=peer_service_pb2.DeleteBanResponse())
    assert "not banned any more" in shell("peers unban 192.0.2.7").stdout
    shell.answers(DeleteBan=Refusal(errors_pb2.ERROR_REASON_BAN_NOT_FOUND, "not banned"))
    assert shell("peers unban 192.0.2.7").exit_code == ExitCode.NOT_FOUND


def test_a_banned_address_is_no_more_connected_to(shell: Shell) -> None:
    shell.answers(ConnectPeer=Refusal(errors_pb2.ERROR_REASON_PEER_BANNED, "it is banned"))
    result = shell(f"peers connect {ADDRESS}")
    assert result.exit_code == ExitCode.REJECTED
    assert "PEER_BANNED" in result.stderr


def test_the_graph_is_shown_node_by_node(shell: Shell) -> None:
    shell.answers(GetTopology=GRAPH)
    lines = shell("peers topology").stdout.splitlines()
    assert lines[1].split() == ["own:1", "0", "self", "1", ADDRESS]
    assert lines[2].split() == [ADDRESS, "1", "not-asked", "0", "-"]
    assert lines[-1] == "2 nodes, 1 edge."
    assert shell.data("peers topology")["edges"][0]["source"] == "connection"


def test_a_graph_that_was_cut_short_says_so(shell: Shell) -> None:
    cut = peer_service_pb2.GetTopologyResponse(truncated=True)
    shell.answers(GetTopology=cut)
    assert "there may be more" in shell("peers topology").stdout


def test_the_graph_goes_as_far_as_it_is_told(shell: Shell) -> None:
    shell.answers(GetTopology=GRAPH)
    shell("peers topology")
    shell("peers topology --dial --depth 3 --max-nodes 9 --wait 7")
    near, far = shell.node.asked("GetTopology")
    assert (near.max_depth, near.dial_others, near.max_nodes, near.timeout_s) == (0, False, 0, 5)
    assert (far.max_depth, far.dial_others, far.max_nodes, far.timeout_s) == (3, True, 9, 7)


@pytest.mark.parametrize(
    "line",
    [
        "show nowhere",
        "ban 192.0.2.7 --for 5",
        "topology --depth 2",
        "topology --dial --depth 5",
        "topology --wait 31",
    ],
)
def test_nonsense_is_not_sent(shell: Shell, line: str) -> None:
    assert shell(f"peers {line}").exit_code == ExitCode.USAGE
    assert shell.node.requests == []
