"""Gossip and searches between real processes in a line: what is said at one end is heard at the other."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import pytest
from troupe.admin.v1 import (
    gossip_service_pb2,
    gossip_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
)

from tests.support.process import (
    CALL_TIMEOUT_S,
    ENVIRONMENT,
    TROUPE,
    WAIT_TIMEOUT_S,
    NodeProcess,
    easy_network_file,
    troupe,
)

NOTE: dict[str, Any] = {"kind": "note", "query": b"motto"}
ONE_NEIGHBOUR = ("--max-peers", "2")
"""A node with half as many peers seeks no more: so a line stays a line."""


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NodeProcess]]:
    """Three nodes: the first and the last know each other through the one between them alone."""
    folder = tmp_path_factory.mktemp("line")
    network_file = str(easy_network_file(folder))
    with ExitStack() as stack:
        nodes: list[NodeProcess] = []
        for name in "abc":
            arguments = ["--network-file", network_file, *ONE_NEIGHBOUR]
            if nodes:
                arguments += ["--peer", nodes[-1].listen_address]
            nodes.append(stack.enter_context(NodeProcess(folder / name, *arguments)))
            nodes[-1].await_that(lambda: nodes[-1].node().peer_count == min(1, len(nodes) - 1))
        first, middle, last = nodes
        middle.await_that(lambda: middle.node().peer_count == 2)
        assert (first.node().peer_count, last.node().peer_count) == (1, 1)
        yield nodes


@contextmanager
def subscribed(node: NodeProcess, *kinds: str) -> Iterator[Any]:
    stub = gossip_service_pb2_grpc.GossipServiceStub(node.channel)
    request = gossip_service_pb2.SubscribeRequest(kinds=kinds)
    stream: Any = stub.Subscribe(request, metadata=node.credentials, timeout=WAIT_TIMEOUT_S)
    try:
        assert next(stream).HasField("started")
        yield stream
    finally:
        stream.cancel()


def publish(
    node: NodeProcess, payload: bytes, kind: str = "chat"
) -> gossip_service_pb2.PublishResponse:
    stub = gossip_service_pb2_grpc.GossipServiceStub(node.channel)
    request = gossip_service_pb2.PublishRequest(kind=kind, payload=payload)
    return node.call(stub.Publish, request)


def kinds_of(node: NodeProcess) -> dict[str, gossip_service_pb2.GossipKind]:
    stub = gossip_service_pb2_grpc.GossipServiceStub(node.channel)
    gossip = node.call(stub.GetGossip, gossip_service_pb2.GetGossipRequest()).gossip
    return {each.kind: each for each in gossip.kinds}


def await_subscriber(node: NodeProcess, kind: str) -> None:
    """Wait until somebody subscribes to the kind."""
    deadline_s = time.monotonic() + WAIT_TIMEOUT_S
    while not (kinds := kinds_of(node)).get(kind, gossip_service_pb2.GossipKind()).subscriber_count:
        assert time.monotonic() < deadline_s, kinds


def test_a_kind_that_no_node_knows_travels_over_those_that_subscribe(
    line: list[NodeProcess],
) -> None:
    first, middle, last = line
    with subscribed(middle, "my:kind") as at_middle, subscribed(last) as at_last:
        published = publish(first, b"\xffhello", "my:kind")
        assert published.peer_count == 1
        for stream, node in ((at_middle, first), (at_last, middle)):
            message = next(stream).message
            assert (message.message_id, message.payload) == (published.message_id, b"\xffhello")
            assert message.peer == node.listen_address
    assert [kinds_of(node)["my:kind"].relayed_count for node in (middle, last)] == [1, 0]


def test_transactions_and_blocks_are_heard_as_they_pass(line: list[NodeProcess]) -> None:
    first, _, last = line
    with subscribed(last, "bc") as stream:
        first.generate(1)
        heard = next(stream).message
        assert heard.kind == "bc:new_block"
        assert heard.payload.startswith(b"1:")


def test_a_search_finds_an_item_two_nodes_away_while_it_is_provided(
    line: list[NodeProcess],
) -> None:
    first, middle, last = line
    provider = search_service_pb2_grpc.SearchServiceStub(first.channel)
    seeker = search_service_pb2_grpc.SearchServiceStub(last.channel)
    item = search_service_pb2.ProvideItemRequest(**NOTE, item=b"all the world")
    first.call(provider.ProvideItem, item)

    def answers(timeout_ms: int, **question: Any) -> Any:
        request = search_service_pb2.SearchRequest(timeout_ms=timeout_ms, **question)
        return seeker.Search(request, metadata=last.credentials, timeout=WAIT_TIMEOUT_S)

    found = next(answers(30_000, **NOTE)).answer
    assert (found.payload, found.peer) == (b"all the world", middle.listen_address)
    (listed,) = first.call(provider.ListItems, search_service_pb2.ListItemsRequest()).items
    assert (listed.query, listed.answer_count) == (b"motto", 1)
    first.call(provider.WithdrawItem, search_service_pb2.WithdrawItemRequest(**NOTE))
    assert list(answers(500, **NOTE)) == []


def test_a_search_for_a_block_ends_with_it(line: list[NodeProcess]) -> None:
    first, _, last = line
    first.generate(1)
    last.await_tip(first.tip_hash())
    found = troupe("search", "block", first.tip_hash(), "--data-dir", str(last.data_dir))
    assert found.returncode == 0, found.stderr
    assert len(found.stdout.splitlines()) == 1


class Chatter:
    """A ``troupe chat`` process, and the lines that it shows."""

    def __init__(self, node: NodeProcess, name: str) -> None:
        self.process = subprocess.Popen(
            (*TROUPE, "chat", "--as", name, "--data-dir", str(node.data_dir)),
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def say(self, text: str) -> None:
        stdin = self.process.stdin
        assert stdin is not None
        stdin.write(text + "\n")
        stdin.flush()

    def hear(self) -> str:
        return self.lines.get(timeout=WAIT_TIMEOUT_S)

    def end(self) -> int:
        if self.process.stdin is not None:
            self.process.stdin.close()
        code = self.process.wait(CALL_TIMEOUT_S)
        self._reader.join(CALL_TIMEOUT_S)
        return code

    def _read(self) -> None:
        stdout: IO[str] | None = self.process.stdout
        assert stdout is not None
        with stdout:
            for line in stdout:
                self.lines.put(line.rstrip("\n").partition("  ")[2])


def test_people_on_three_nodes_chat(line: list[NodeProcess]) -> None:
    names = ("ada", "bob", "eve")
    chatters = [Chatter(node, name) for node, name in zip(line, names, strict=True)]
    try:
        for node in line:
            await_subscriber(node, "chat")
        for speaker, name in zip(chatters, names, strict=True):
            speaker.say(f"I am {name}")
            for listener in chatters:
                if listener is not speaker:
                    assert listener.hear() == f"{name}: I am {name}"
    finally:
        codes = [chatter.end() for chatter in chatters]
    assert codes == [0, 0, 0]
    assert all(chatter.lines.empty() for chatter in chatters)
