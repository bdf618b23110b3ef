"""Peers that may do as they like, and what they say.

Sockets of the test's own (`WireClient`), each under a name of its own, since on loopback a ban is on the name.
"""

from __future__ import annotations

import itertools
import random
import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress

from actors.ledger.network import Network
from actors.ledger.types import Block
from tests.support.wire_client import (
    REGULAR,
    REQUEST,
    RESPONSE,
    HelloAnswer,
    WireClient,
    WireMessage,
    frame,
    message,
)

WAIT_S = 30.0
"""For what must come to hold: only a failing test ever waits so long."""
ID_BYTES = 16
NEW_BLOCK, NEW_TX = "gossip:bc:new_block", "gossip:bc:new_tx"
SEARCH, ANSWER = "gossip:search:block", "search_response:block"
STATUS, GET_BLOCKS, GET_POOL = "chain:status", "chain:get_blocks", "mempool:get"
GET_PEERS, HELLO = "p2p:get_peers", "p2p:hello"


class Hostile(WireClient):
    """A peer that may do as it likes."""

    name = ""
    """What its hello said."""
    frames = 0
    """How many it sent."""

    _ids = itertools.count(1_000)

    def send_frame(self, body: bytes) -> None:
        self.frames += 1
        super().send_frame(body)

    def greet(self, name: str) -> HelloAnswer:
        """Say hello under that name."""
        self.name = name
        return self.hello(name)

    def gossip(self, kind: str, payload: bytes, rumour_id: bytes | None = None) -> None:
        """Under a fresh id, if none is given."""
        self.send_message(REGULAR, 0, kind, (rumour_id or random.randbytes(ID_BYTES)) + payload)

    def tell_block(self, *blocks: Block) -> None:
        """In one write, which succeeds however early the node bans for one of them."""
        told = (random.randbytes(ID_BYTES) + block.raw for block in blocks)
        flood(self, (message(REGULAR, 0, NEW_BLOCK, each) for each in told))

    def ask(self, kind: str, payload: bytes = b"") -> bytes:
        """The answer to a request, whatever else comes before it."""
        return self.request(next(self._ids), kind, payload)

    def hears(self) -> list[WireMessage]:
        """What has come, up to the answer to a question that is asked now."""
        number = next(self._ids)
        self.send_message(REQUEST, number, GET_PEERS)
        heard: list[WireMessage] = []
        while (got := self.recv_message()).type != RESPONSE or got.id != number:
            heard.append(got)
        return heard

    def heard(self, kind: str) -> list[bytes]:
        """The payloads of that kind that have come."""
        return [each.payload for each in self.hears() if each.kind == kind]

    def awaits(self, kind: str) -> bytes:
        """The payload of the next message of a kind that is no response; what came before is skipped."""
        while True:
            got = self.recv_message()
            if got.kind == kind:
                return got.payload

    def answer(self, kind: str, payload: bytes) -> bytes:
        """Wait for a request of that kind and answer it; what was asked."""
        asked = self.recv_until(REQUEST, kind=kind)
        self.send_message(RESPONSE, asked.id, "", payload)
        return asked.payload

    def is_parted_with(self) -> bool:
        """Whether the node closes the connection in time; whatever it had sent is lost."""
        deadline_s = time.monotonic() + WAIT_S
        with suppress(ConnectionError):
            while self.sock.recv(65_536):
                if time.monotonic() > deadline_s:
                    return False
        return True


class Listening:
    """A port that the node can dial. It and what comes in are closed with the stack."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.socket = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        host, port = self.socket.getsockname()
        self.address = f"{host}:{port}"

    def take(self) -> Hostile:
        """The next connection."""
        peer = self._stack.enter_context(Hostile.accept(self.socket, WAIT_S))
        peer.name = self.address
        return peer


def status_of(network: Network, height: int = 0, tip: bytes | None = None) -> bytes:
    """What a node of ours tells of itself."""
    genesis = network.genesis.hash.hex()
    fields = (network.name, genesis, height, (tip or network.genesis.hash).hex(), "mallory/1")
    return ",".join(map(str, fields)).encode()


def flood(peer: Hostile, bodies: Iterable[bytes]) -> None:
    """Send many messages in one write."""
    frames = [frame(body) for body in bodies]
    peer.frames += len(frames)
    peer.send_raw(b"".join(frames))
