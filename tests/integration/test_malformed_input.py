"""Whatever bytes come, the node drops or ignores them as WIRE says, and goes on serving."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from actors.ledger.codec import make_block
from actors.ledger.network import WORKSHOP
from tests.support.process import NodeProcess
from tests.support.wire_client import REGULAR, REQUEST, WireClient, frame, message

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "workshop.json").read_text()
)
STATUS = "chain:status"
KINDS = (
    *("gossip:bc:new_block", "gossip:bc:new_tx", "gossip:search:block", "gossip:x", "gossip:"),
    *("search_response:block", "search_response:", "chain:get_blocks", STATUS, "mempool:get"),
    *("p2p:hello", "p2p:get_peers", "p2p:", ":", "", "nonsense"),
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with NodeProcess(tmp_path_factory.mktemp("workshop"), "--network", "workshop") as node:
        yield node


NAMES = (f"127.67.{each >> 8}.{each & 255}:4000" for each in count(1))


def dial(node: NodeProcess) -> WireClient:
    host, _, port = node.listen_address.rpartition(":")
    return WireClient.connect(host, int(port))


def greeted(node: NodeProcess) -> WireClient:
    """Under a name of its own: a port may come again, and with it the ban of who had it before."""
    client = dial(node)
    assert client.hello(next(NAMES)).accepted
    return client


def assert_serving(client: WireClient) -> None:
    """Everything sent before on this connection is dealt with, and the rooms answer."""
    status = client.request(4_000_000_000, STATUS, b"workshop,00,0,00,test/1")
    assert status.startswith(b"workshop," + WORKSHOP.genesis.hash.hex().encode() + b",0,")


def assert_sound(node: NodeProcess) -> None:
    """A newcomer is served, and no actor ever fell."""
    with greeted(node) as client:
        client.send_message(REQUEST, 9, "p2p:get_peers")
        assert client.recv_until(2, id_=9).payload is not None
    assert node.node().state == 1, node.node().state_reasons
    assert not [line for line in node.output if " fell" in line or "Traceback" in line]


def raw_of(case: dict[str, Any]) -> bytes:
    return bytes.fromhex(case["raw_hex"]) if case.get("raw_hex") else case["serialized"].encode()


@pytest.mark.parametrize("case", VECTORS["block_cases"], ids=lambda case: case["case"])
def test_a_block_case_stops_nothing(node: NodeProcess, case: dict[str, Any]) -> None:
    with greeted(node) as client:
        client.send_message(REGULAR, 1, "gossip:bc:new_block", random.randbytes(16) + raw_of(case))
        client.send_message(REGULAR, 2, "search_response:block", raw_of(case))
        with suppress(EOFError, ConnectionError):  # who gossips a block without work is hung up on
            client.request(3, "p2p:get_peers")
    assert_sound(node)
    assert node.height() == 0


def test_who_gossips_a_block_without_work_is_hung_up_on_and_banned(node: NodeProcess) -> None:
    genesis = WORKSHOP.genesis
    workless = make_block(1, 0, genesis.hash, genesis.coinbase, ())
    name = next(NAMES)
    with dial(node) as client:
        assert client.hello(name).accepted
        gossip = random.randbytes(16) + workless.raw
        client.send_message(REGULAR, 1, "gossip:bc:new_block", gossip)
        client.wait_closed()
    with dial(node) as client:
        assert not client.hello(name).accepted
    assert_sound(node)


@pytest.mark.parametrize("case", VECTORS["transaction_cases"], ids=lambda case: case["case"])
def test_a_transaction_case_stops_nothing(node: NodeProcess, case: dict[str, Any]) -> None:
    with greeted(node) as client:
        client.send_message(REGULAR, 1, "gossip:bc:new_tx", random.randbytes(16) + raw_of(case))
        client.request(3, "p2p:get_peers")
    assert_sound(node)


@pytest.mark.parametrize("case", VECTORS["frames"], ids=lambda case: case["name"])
def test_a_frame_of_the_vectors_stops_nothing(node: NodeProcess, case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["frame"])
    with dial(node) as client:
        client.send_raw(data)
        client.sock.shutdown(1)
        client.wait_closed()
    assert_sound(node)


def test_random_bytes_stop_nothing(node: NodeProcess) -> None:
    for seed in range(50):
        generator = random.Random(seed)
        with dial(node) as client:
            client.send_raw(generator.randbytes(generator.randrange(1, 4096)))
            client.reset()
    assert_sound(node)


def test_random_messages_after_the_hello_stop_nothing(node: NodeProcess) -> None:
    generator = random.Random(5)
    for _ in range(20):
        with greeted(node) as client:
            for number in range(100):
                payload = generator.randbytes(generator.randrange(200))
                body = message(generator.randrange(2), number, generator.choice(KINDS), payload)
                client.send_frame(body)
            client.sock.shutdown(1)
            client.wait_closed()
    assert_sound(node)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\xff\xff\xff\xff" + bytes(1000),
        (1024 * 1024 + 1).to_bytes(4, "big"),
        (1025).to_bytes(4, "big"),
    ],
    ids=["4 GiB", "4 GiB and some bytes", "over 1 MiB", "over 1 KiB before the hello"],
)
def test_a_frame_above_the_limit_ends_the_connection(node: NodeProcess, data: bytes) -> None:
    with dial(node) as client:
        client.send_raw(data)
        assert client.wait_closed() == b""
    assert_sound(node)


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", b"\x03\x00\x00\x00\x01p2p:hello\x00", b"\x00\x00\x00\x00\x01" + b"k" * 80],
    ids=["empty", "too short", "type 3", "kind without end"],
)
def test_a_message_that_is_none_ends_the_connection(node: NodeProcess, body: bytes) -> None:
    with greeted(node) as client:
        client.send_frame(body)
        client.wait_closed()
    assert_sound(node)


def test_half_a_frame_and_then_the_end_stop_nothing(node: NodeProcess) -> None:
    hello = frame(message(REQUEST, 1, "p2p:hello", b"127.0.0.1:1"))
    for length in range(len(hello)):
        with dial(node) as client:
            client.send_raw(hello[:length])
    assert_sound(node)


def test_unknown_kinds_are_ignored_and_the_connection_kept(node: NodeProcess) -> None:
    with greeted(node) as client:
        client.send_message(REGULAR, 1, "foo:bar", b"x")
        client.send_message(REQUEST, 2, "foo:bar", b"x")
        assert_serving(client)
