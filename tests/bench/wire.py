"""Requests and responses on one connection to a real node, the client a process of its own."""

from __future__ import annotations

import select
import socket
import statistics
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

from tests.bench.chains import BENCH_MAIN
from tests.bench.client import READY, ClientProcess
from tests.bench.figure import Bench, Figure, at_least
from tests.bench.nodes import node_of
from tests.bench.wires import CHUNK_BYTES, Stopwatch, dial
from tests.support.usage import cpu_s
from tests.support.wire_client import REQUEST, RESPONSE, frame, message

ONE_BY_ONE = 10_000
PIPELINED = 200_000
IN_FLIGHT = 2_048
"""Requests on the way or in the node: some 60 KiB, more than the node takes in at once, so that it never
waits for us."""
KIND = "p2p:get_peers"
ID, LAST_ID = 7, 8
PATIENCE_S = 60.0


class Requests(NamedTuple):
    """How many a second, and what the client used of a processor meanwhile."""

    per_s: float
    cpu_share: float


def wire(bench: Bench) -> Iterator[Figure]:
    runs = bench.runs()
    counts = (bench.size(ONE_BY_ONE, 50), bench.size(PIPELINED, 500))
    targets = (at_least(12_000), at_least(300_000))
    names = ("one by one", "pipelined")
    with (
        node_of(bench.folder / "node", BENCH_MAIN) as node,
        ClientProcess(ask, node.listen_address, counts, runs) as client,
    ):
        for name, target in zip(names, targets, strict=True):
            before_s, begun_s = cpu_s(node.process.pid), time.perf_counter()
            client.tell()
            made: list[Requests] = client.hear()
            taken_s = time.perf_counter() - begun_s
            node_share = (cpu_s(node.process.pid) - before_s) / taken_s
            what = f"requests on one connection, {name}"
            yield Figure(what, statistics.median(run.per_s for run in made), "1/s", target)
            client_share = statistics.median(run.cpu_share for run in made)
            yield Figure(f"{what}, CPU of the node", 100 * node_share, "%")
            yield Figure(f"{what}, CPU of the client", 100 * client_share, "%")


def ask(pipe: Connection, listen_address: str, counts: tuple[int, int], runs: int) -> None:
    """Told to go on, so many rounds of one way to ask, then of the other; each time it says them."""
    with dial(listen_address) as client:
        listed = client.request(ID, KIND)
        pipe.send(READY)
        for way, count in zip((_one_by_one, _pipelined), counts, strict=True):
            pipe.recv()
            made = []
            for _ in range(runs):
                watch = Stopwatch()
                way(client.sock, count, listed)
                spell = watch.spell(0)
                made.append(Requests(count / (spell.ended_s - spell.begun_s), spell.cpu_share))
            pipe.send(made)
        pipe.recv()


def _one_by_one(sock: socket.socket, count: int, listed: bytes) -> None:
    question, answer = frame(message(REQUEST, ID, KIND)), frame(message(RESPONSE, ID, "", listed))
    for _ in range(count):
        sock.sendall(question)
        heard = b""
        while answer not in heard:  # the node asks us, too
            heard += sock.recv(CHUNK_BYTES)


def _pipelined(sock: socket.socket, count: int, listed: bytes) -> None:
    """Keep so many in flight: send whenever some have come back and the socket takes more."""
    question, answer = frame(message(REQUEST, ID, KIND)), frame(message(RESPONSE, ID, "", listed))
    last = frame(message(RESPONSE, LAST_ID, "", listed))
    unsent = memoryview(question * (count - 1) + frame(message(REQUEST, LAST_ID, KIND)))
    most_bytes, heard_bytes, tail = IN_FLIGHT * len(question), 0, b""
    view = memoryview(bytearray(CHUNK_BYTES))
    sock.setblocking(False)
    while last not in tail:
        answered_bytes = heard_bytes // len(answer) * len(question)
        sent_bytes = count * len(question) - len(unsent)
        room = answered_bytes + most_bytes - sent_bytes
        wanting = [sock] if unsent and room > most_bytes // 4 else []
        readable, writable, _ = select.select([sock], wanting, [], PATIENCE_S)
        assert readable or writable, "the node says nothing"
        if writable:
            unsent = unsent[sock.send(unsent[:room]) :]
        if readable:
            got = sock.recv_into(view)
            assert got, "the node has closed the connection"
            heard_bytes += got
            tail = tail[-len(last) :] + view[:got].tobytes()
    sock.settimeout(PATIENCE_S)
