"""A real node with more peers than it wants: one of the field, that drops us if either of its connections is
closed, loses both or none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from troupe.admin.v1 import peer_service_pb2, peer_service_pb2_grpc

from tests.support.field_ledger import FieldNetwork
from tests.support.field_node import GET_PEERS, FieldNode
from tests.support.process import NodeProcess
from tests.support.wire_client import WireClient

NETWORK = FieldNetwork()
MAX_PEERS = 4
"""Up to 8 connections, of which two are kept for those that the node dials."""


@contextmanager
def small_node(folder: Path) -> Iterator[NodeProcess]:
    network = ("--network-file", str(NETWORK.file(folder)))
    with NodeProcess(folder / "data", *network, "--max-peers", str(MAX_PEERS)) as node:
        yield node


def connections(node: NodeProcess) -> dict[str, int]:
    """How many each peer has."""
    stub = peer_service_pb2_grpc.PeerServiceStub(node.channel)
    listed = node.call(stub.ListPeers, peer_service_pb2.ListPeersRequest()).peers
    return {peer.address: len(peer.connection_ids) for peer in listed}


def fill_up(node: NodeProcess, stack: ExitStack) -> list[str]:
    """As many peers as are kept, on one connection each; their addresses."""
    host, _, port = node.listen_address.rpartition(":")
    addresses = []
    for _ in range(MAX_PEERS):
        client = stack.enter_context(WireClient.connect(host, int(port)))
        assert client.hello(client.address).accepted
        addresses.append(client.address)
    return addresses


def test_one_that_came_early_keeps_both_connections_when_others_are_trimmed(
    tmp_path: Path,
) -> None:
    with small_node(tmp_path) as node, FieldNode(NETWORK) as field, ExitStack() as stack:
        links = field.join(node.listen_address)
        others = fill_up(node, stack)
        node.await_that(lambda: len(connections(node)) == MAX_PEERS)
        assert connections(node) == {field.address: 2} | dict.fromkeys(others[:-1], 1)
        for link in links:
            field.request(link, GET_PEERS)
        node.await_tip(field.mine().hash.hex())


def test_one_that_came_late_is_parted_with_on_both_connections(tmp_path: Path) -> None:
    with small_node(tmp_path) as node, FieldNode(NETWORK) as field, ExitStack() as stack:
        others = fill_up(node, stack)
        links = field.join(node.listen_address)
        field.await_that(lambda: all(link.closed for link in links))
        node.await_that(lambda: connections(node) == dict.fromkeys(others, 1))
