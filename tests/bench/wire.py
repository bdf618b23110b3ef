"""The peers' wire of a real node over loopback, the client being this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure, median_s
from tests.support.process import NodeProcess, easy_network_file
from tests.support.wire_client import REQUEST, RESPONSE, WireClient, frame, message

PIPELINE = 200
"""Requests under way at once: within the read credit of a connection."""


def figures(folder: Path) -> Iterator[Figure]:
    network_file = str(easy_network_file(folder))
    with NodeProcess(folder / "node", "--network-file", network_file) as node:
        yield from wire(node)
        yield from sync(node, folder, network_file)


def wire(node: NodeProcess) -> Iterator[Figure]:
    body = frame(message(REQUEST, 7, "p2p:get_peers"))

    def pipelined(client: WireClient) -> None:
        client.send_raw(body * PIPELINE)
        for _ in range(PIPELINE):
            assert client.recv_frame()[0] == RESPONSE

    with dial(node) as client:
        yield Figure(
            "requests on one connection, one by one",
            1 / median_s(lambda: client.request(7, "p2p:get_peers"), 1_000),
            "1/s",
        )
        yield Figure(
            "requests on one connection, pipelined",
            PIPELINE / median_s(lambda: pipelined(client), 50),
            "1/s",
        )


def sync(node: NodeProcess, folder: Path, network_file: str) -> Iterator[Figure]:
    blocks = 1_000
    node.generate(blocks)
    begun_s = time.perf_counter()
    with NodeProcess(folder / "late", "--network-file", network_file) as late:
        started_s = time.perf_counter() - begun_s
        begun_s = time.perf_counter()
        late.connect(node)
        late.await_height(node.height())
        yield Figure("start of a node to serving", started_s, "s")
        yield Figure("sync of empty blocks", blocks / (time.perf_counter() - begun_s), "1/s")


def dial(node: NodeProcess) -> WireClient:
    host, _, port = node.listen_address.rpartition(":")
    client = WireClient.connect(host, int(port))
    assert client.hello(client.address).accepted
    return client
