"""Hundreds of connections cost no thread, the node goes on answering, and each has what is its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from troupe.admin.v1 import diagnostics_service_pb2, diagnostics_service_pb2_grpc

from actors.config import PeersSettings, Settings, TcpSettings
from actors.ledger.codec import make_block
from actors.messaging.messages import GetMessaging
from actors.messaging.traffic import RESPONSES
from actors.node import Node
from tests.support.ledger import EASY_MAIN
from tests.support.process import NodeProcess
from tests.support.wire_client import REGULAR, REQUEST, RESPONSE, WireClient

CONNECTIONS = 200
ROUNDS = 20


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeProcess]:
    with NodeProcess(tmp_path, "--network", "dev", "--max-peers", "500") as node:
        yield node


def dial(node: NodeProcess) -> WireClient:
    host, _, port = node.listen_address.rpartition(":")
    return WireClient.connect(host, int(port))


def threads_of(node: NodeProcess) -> str:
    """Threads of Python, as the node tells it: gRPC begins and ends some of its own as the machine has time."""
    stub = diagnostics_service_pb2_grpc.DiagnosticsServiceStub(node.channel)
    answer = node.call(stub.GetMetrics, diagnostics_service_pb2.GetMetricsRequest())
    (line,) = re.findall("^process_threads .*", answer.text, re.MULTILINE)
    return str(line)


def news_and_question(client: WireClient) -> tuple[bytes, int]:
    """The block it is told of, and the id of what asks it for a sign of life: a slow machine asks first."""
    told: bytes | None = None
    question: int | None = None
    while told is None or question is None:
        got = client.recv_message()
        if got.kind == "gossip:bc:new_block":
            told = got.payload
        elif got.type == REQUEST and got.kind == "p2p:get_peers":
            question = got.id
    return told, question


def test_the_number_of_threads_does_not_depend_on_the_number_of_connections(
    node: NodeProcess,
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(dial(node))
        assert first.hello(first.address).accepted
        node.node()  # the admin server and every actor have been at work
        threads = threads_of(node)
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
        assert threads_of(node) == threads


def test_each_of_hundreds_gets_a_block_and_is_asked_for_a_sign_of_life(tmp_path: Path) -> None:
    connections = 400
    node = Node(
        Settings(
            data_dir=tmp_path,
            network=EASY_MAIN,
            tcp=TcpSettings(idle_s=2.0),
            peers=PeersSettings(max_peers=connections),
        )
    )
    block = make_block(1, 0, EASY_MAIN.genesis.hash, bytes(32), ())
    with ExitStack() as stack:
        stack.callback(node.stop)
        node.start()
        host, _, port = node.listen_address.rpartition(":")
        clients = []
        for _ in range(connections):
            client = stack.enter_context(WireClient.connect(host, int(port), timeout_s=60.0))
            assert client.hello(client.address).accepted
            clients.append(client)
        clients[0].send_message(REGULAR, 1, "gossip:bc:new_block", bytes(16) + block.raw)
        asked = [clients[0].recv_until(REQUEST, kind="p2p:get_peers").id]
        for client in clients[1:]:
            told, question = news_and_question(client)
            assert told == bytes(16) + block.raw
            asked.append(question)
        for client, question in zip(clients, asked, strict=True):
            client.send_message(RESPONSE, question, "", b"")
        for client in clients:
            assert client.request(7, "p2p:get_peers")  # behind its answer, which is then dealt with
        info = node.addresses.messaging.ask(GetMessaging(), timeout_s=10.0)
        received = {each.kind: each.received for each in info.kinds}
        assert (received[RESPONSES], info.unasked_responses) == (connections, 0)
