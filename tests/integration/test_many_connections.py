"""Two hundred connections cost no thread, and the node goes on answering."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.process import NodeProcess
from tests.support.wire_client import REGULAR, WireClient

CONNECTIONS = 200
ROUNDS = 20


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeProcess]:
    with NodeProcess(tmp_path, "--network", "dev", "--max-peers", "500") as node:
        yield node


def dial(node: NodeProcess) -> WireClient:
    host, _, port = node.listen_address.rpartition(":")
    return WireClient.connect(host, int(port))


def test_the_number_of_threads_does_not_depend_on_the_number_of_connections(
    node: NodeProcess,
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(dial(node))
        assert first.hello(first.address).accepted
        node.node()  # the admin server and every actor have been at work
        threads = node.threads()
        clients = [first]
        for _ in range(CONNECTIONS - 1):
            client = stack.enter_context(dial(node))
            assert client.hello(client.address).accepted
            clients.append(client)
        talking = clients[::2]
        for round_number in range(ROUNDS):
            for client in talking:
                client.send_message(REGULAR, 7, "gossip:chat", bytes(16) + b"a\0hello")
                assert client.request(100 + round_number, "p2p:get_peers")
            assert node.node().peer_count == CONNECTIONS
        assert node.threads() == threads
