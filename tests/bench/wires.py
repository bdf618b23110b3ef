"""Peers that load a node: everything is encoded before it counts, sent at once, and counted by bytes.

They run as :class:`~tests.bench.client.ClientProcess`, and say what they used of a processor, so that a reader
sees whether it was the node that was measured.
"""

from __future__ import annotations

import random
import time
from multiprocessing.connection import Connection
from typing import NamedTuple

from tests.bench.client import READY
from tests.support.wire_client import REGULAR, REQUEST, WireClient, frame, message

CHUNK_BYTES = 1 << 20
ID_BYTES = 16


class Spell(NamedTuple):
    """When a client was at it (by a clock that all processes share), and what it used and moved."""

    begun_s: float
    ended_s: float
    cpu_s: float
    moved_bytes: int

    @property
    def cpu_share(self) -> float:
        return self.cpu_s / (self.ended_s - self.begun_s)


class Stopwatch:
    """Tells the spell since it was made."""

    def __init__(self) -> None:
        self._begun_s, self._used_s = time.perf_counter(), time.process_time()

    def spell(self, moved_bytes: int) -> Spell:
        used_s = time.process_time() - self._used_s
        return Spell(self._begun_s, time.perf_counter(), used_s, moved_bytes)


def dial(listen_address: str, advertised: str = "") -> WireClient:
    """A peer that the node has accepted."""
    host, _, port = listen_address.rpartition(":")
    client = WireClient.connect(host, int(port), timeout_s=60.0)
    assert client.hello(advertised or client.address).accepted
    return client


def gossip(kind: str, rumour_id: bytes, payload: bytes) -> bytes:
    """The frame of one gossiped item."""
    return frame(message(REGULAR, 0, f"gossip:{kind}", rumour_id + payload))


def rumours(kind: str, count: int, payload_bytes: int, seed: int) -> list[bytes]:
    """Frames of so many different items of any content."""
    generator = random.Random(seed)
    return [
        gossip(kind, generator.randbytes(ID_BYTES), generator.randbytes(payload_bytes))
        for _ in range(count)
    ]


def speak(pipe: Connection, listen_address: str) -> None:
    """Send each heap of bytes that the pipe brings, when told to go on; then say the :class:`Spell`."""
    with dial(listen_address) as client:
        pipe.send(READY)
        while True:
            data: bytes = pipe.recv_bytes()
            pipe.send(READY)
            pipe.recv()
            watch = Stopwatch()
            client.send_raw(data)
            pipe.send(watch.spell(len(data)))


def listen(pipe: Connection, listen_address: str) -> None:
    """Given a last word, read until it comes, then say the :class:`Spell`."""
    view = memoryview(bytearray(CHUNK_BYTES))
    with dial(listen_address) as client:
        pipe.send(READY)
        while True:
            last: bytes = pipe.recv_bytes()
            client.send_message(REQUEST, 1, "p2p:get_peers")  # a silent peer is dropped
            pipe.send(READY)
            watch, moved, tail = Stopwatch(), 0, b""
            while last not in tail:
                got = client.sock.recv_into(view)
                assert got, "the node has closed the connection"
                moved += got
                tail = tail[-len(last) :] + view[:got].tobytes()
            pipe.send(watch.spell(moved))
