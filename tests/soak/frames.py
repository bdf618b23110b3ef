"""Millions of wrong frames through a real node; prints what became of them and what they cost.

    python -m tests.soak.frames [--frames 10000000] [--connections 16] [--seed 1]

Some connections send batches of `tests.fuzz.grammar`: all kinds of WIRE, wrong in most ways, with misdeeds
among them that lead to bans. Each goes on under another name once it is hung up on. Meanwhile an honest peer
mines a block a second, and the admin API is asked about it. Fails if an actor falls, if a block does not
arrive or a question is not answered in time, or if the node keeps more and more memory.
"""

from __future__ import annotations

import argparse
import random
import selectors
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Self

import grpc
from troupe.admin.v1 import actor_service_pb2 as actor_pb
from troupe.admin.v1 import actor_service_pb2_grpc as actor_grpc
from troupe.admin.v1 import messaging_service_pb2 as messaging_pb
from troupe.admin.v1 import messaging_service_pb2_grpc as messaging_grpc
from troupe.admin.v1 import node_service_pb2 as node_pb
from troupe.admin.v1 import transport_service_pb2 as transport_pb
from troupe.admin.v1 import transport_service_pb2_grpc as transport_grpc

from actors.ledger.keys import ED25519
from actors.ledger.network import Network
from actors.ledger.types import BlockRef
from tests.fuzz.grammar import Batch, Grammar, body_of, mined
from tests.support.ledger import key
from tests.support.process import EASY_TOML, NodeProcess
from tests.support.usage import held
from tests.support.wire_client import HELLO, REGULAR, REQUEST, RESPONSE, WireClient, frame, message

EASY = Network("easy", "ed25519", 3, 10_000, 10, bytes(32), allow_generate=True)
"""As in ``EASY_TOML``."""
BATCHES, BATCH_FRAMES = 192, 256
"""12 MiB, built in some seconds; each is sent again and again, with other ids."""
MOST_CRIMES = 2
"""In a batch: at 10 to 100 points each, a connection lasts for some ten batches."""
BATCHES_A_LIFE = 60
ATTENTIVE_BYTES = 64 * 1024
"""So much of what the node says is read, and its questions answered; the rest is let go."""
ABRUPT_SHARE = 8
"""One in so many breaks off with whatever is on the way; the others wait until the node has read all."""
BLOCKS_AHEAD = 40
"""The honest chain is longer than any of the grammar's."""
KINDS_SHOWN = 20
PATIENCE_S = 60.0
"""Only a node that hangs takes so long, also on a machine with little time for it: CI runs this."""
LOOK_S = 1.0
CHUNK_BYTES = 256 * 1024
SEND_BUFFER_BYTES = 32 * 1024
"""What waits there when the node hangs up was made in vain."""
NEW_MEMORY_BYTES = 64 * 1024 * 1024
"""What the second half may add: caches are full long before, a leak of 13 bytes a frame is above it."""


class Manner(Enum):
    """What a life pretends to be."""

    FIELD = auto()
    """A node as in the field, of which none answers our extensions: nobody takes what is malformed amiss."""
    TROUPE = auto()
    """A node of our own kind: it is soon banned for what is malformed."""
    LIAR = auto()
    """Answers all that the node asks, with lies."""
    SPEECHLESS = auto()
    """Says no hello."""


MANNERS = (*(Manner.FIELD,) * 10, Manner.TROUPE, Manner.LIAR, Manner.SPEECHLESS)
"""One of them is drawn: most live long, and so most frames are looked at."""


@dataclass
class Tally:
    """What was sent, what came of it, and how long answers took."""

    sent: Counter[str] = field(default_factory=Counter)
    lives: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    """What the node said of itself: liars have it sync now and then."""
    answered_s: list[float] = field(default_factory=list)
    connected_s: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    handled: int = 0
    """Frames, as the node counts them."""


class Life:
    """One hostile connection, from its hello to its end."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd, rng = crowd, crowd.rng
        host = f"127.{rng.randrange(1, 255)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        name = f"{host}:{rng.randrange(1024, 65_536)}"
        self.sock = socket.create_connection(crowd.address, PATIENCE_S, source_address=(host, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self.sock.setblocking(False)
        self.is_done = False
        self._manner = rng.choice(MANNERS)
        self._heard, self._heard_bytes, self._owed = b"", 0, b""
        self._left = rng.randrange(1, BATCHES_A_LIFE)
        self._batch: Batch | None = None
        hello = frame(message(REQUEST, 1, HELLO, name.encode()))
        self._unsent = memoryview(b"" if self._manner is Manner.SPEECHLESS else hello)

    def write(self) -> bool:
        """Send what the socket takes. False: this life is over."""
        try:
            if not self._unsent and not self.is_done and not self._next():
                return False
            if self._unsent:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
        except BlockingIOError:
            return True
        except OSError:
            return self._end("hung up on")
        if not self._unsent and self._batch is not None:
            self._crowd.tally.sent.update(self._batch.counts)
            self._batch = None
        return True

    def read(self) -> bool:
        """Hear what the node says. False: it has hung up."""
        try:
            got = self.sock.recv(CHUNK_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            got = b""
        if not got:
            return self._end("read to the end" if self.is_done else "hung up on")
        self._heard_bytes += len(got)
        if self._manner is Manner.LIAR:
            self._answer(got, self._crowd.grammar.lie)
        elif self._manner is Manner.TROUPE and self._heard_bytes < ATTENTIVE_BYTES:
            self._answer(got, self._crowd.grammar.status)
        return True

    def _end(self, how: str) -> bool:
        self._crowd.tally.lives[how] += 1
        return False

    def _next(self) -> bool:
        """Another batch, or the end."""
        rng = self._crowd.rng
        if self._left == 0:
            if rng.randrange(ABRUPT_SHARE) == 0:
                return self._end("broken off")
            self.sock.shutdown(socket.SHUT_WR)  # the node hangs up once it has read all
            self.is_done, self._unsent = True, memoryview(b"")
            return True
        self._left -= 1
        if self._left == 0:
            self._unsent = memoryview(self._crowd.grammar.ending())
            self._crowd.tally.sent["what no connection survives"] += 1
            return True
        self._batch = rng.choice(self._crowd.batches)
        self._unsent = memoryview(self._owed + self._batch.renew(rng))
        self._owed = b""
        return True

    def _answer(self, got: bytes, answer: Callable[[], bytes]) -> None:
        """Answer the node's questions among what it said, in front of the next batch."""
        answers, heard = b"", self._heard + got
        while len(heard) >= 4 and len(heard) >= (end := 4 + int.from_bytes(heard[:4], "big")):
            body, heard = heard[4:end], heard[end:]
            if body[:1] == b"\1":
                answers += frame(body_of(RESPONSE, int.from_bytes(body[1:5], "big"), b"", answer()))
        self._heard = heard
        self._owed = (self._owed + answers)[:CHUNK_BYTES]


class Crowd:
    """Keeps so many hostile connections going, on one thread."""

    def __init__(self, node: NodeProcess, rng: random.Random, tally: Tally) -> None:
        host, _, port = node.listen_address.rpartition(":")
        self.address, self.rng, self.tally = (host, int(port)), rng, tally
        self.grammar = Grammar(rng, EASY, key(ED25519, "payer"))
        self.batches: list[Batch] = []
        self._selector = selectors.DefaultSelector()

    def build(self, frames: int) -> None:
        """Batches to send, fewer where few frames are wanted."""
        for _ in range(max(8, min(BATCHES, frames // BATCH_FRAMES))):
            crimes = self.rng.randrange(MOST_CRIMES + 1)
            self.batches.append(self.grammar.batch(BATCH_FRAMES, crimes=crimes))

    def run(self, connections: int, is_enough: Callable[[], bool]) -> None:
        for _ in range(connections):
            self._begin()
        while not is_enough():
            for chosen, events in self._selector.select(LOOK_S):
                life: Life = chosen.data
                going = not events & selectors.EVENT_READ or life.read()
                if not (going and (not events & selectors.EVENT_WRITE or life.write())):
                    self._end(life)
                    self._begin()
                elif life.is_done and events & selectors.EVENT_WRITE:
                    self._selector.modify(life.sock, selectors.EVENT_READ, life)
        for chosen in tuple(self._selector.get_map().values()):
            self._end(chosen.data)
        self._selector.close()

    def _begin(self) -> None:
        life = Life(self)
        self.tally.lives["begun"] += 1
        self._selector.register(life.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, life)

    def _end(self, life: Life) -> None:
        self._selector.unregister(life.sock)
        life.sock.close()


class Watch:
    """The honest peer and the admin client, on a thread: each second a block and a question."""

    def __init__(self, node: NodeProcess, tally: Tally) -> None:
        self._node, self._tally = node, tally
        self._over = threading.Event()
        self.is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self._tip: BlockRef = EASY.genesis.ref
        self._coinbase = key(ED25519, "honest").public

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        host, _, port = self._node.listen_address.rpartition(":")
        try:
            with WireClient.connect(host, int(port), PATIENCE_S) as peer:
                assert peer.hello(peer.address).accepted
                for _ in range(BLOCKS_AHEAD):
                    self._mine(peer)
                self.is_ready.set()
                while not self._over.is_set():
                    self._mine(peer)
                    self._look()
                    self._over.wait(LOOK_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the run ends with
            self._tally.failures.append(f"{type(error).__name__}: {error}")

    def _mine(self, peer: WireClient) -> None:
        """Gossip a block, and wait until the node says that it stands on it."""
        block = mined(EASY, self._tip, self._coinbase)
        begun_s = time.perf_counter()
        gossip = random.randbytes(16) + block.raw
        peer.send_message(REGULAR, 1, "gossip:bc:new_block", gossip)
        while self._node.tip_hash() != block.hash.hex():
            peer.request(2, "p2p:get_peers")
            if time.perf_counter() - begun_s > PATIENCE_S:
                message = f"block {block.number} of an honest peer did not arrive"
                raise TimeoutError(message)
        self._tally.connected_s.append(time.perf_counter() - begun_s)
        self._tip = block.ref

    def _look(self) -> None:
        begun_s = time.perf_counter()
        node = self._node
        stub = messaging_grpc.MessagingServiceStub(node.channel)
        told = node.call(stub.GetMessaging, messaging_pb.GetMessagingRequest(), PATIENCE_S)
        self._tally.handled = told.messaging.received_count
        self._tally.kinds = Counter(
            {each.kind: each.received_count for each in told.messaging.kinds}
        )
        self._tally.memory.append(held(node.process.pid).memory_bytes)
        state = node.node()
        self._tally.states[node_pb.NodeState.Name(state.state).removeprefix("NODE_STATE_")] += 1
        assert state.state != node_pb.NODE_STATE_DEGRADED, state.state_reasons
        self._tally.answered_s.append(time.perf_counter() - begun_s)


def hold_out(frames: int, connections: int, seed: int, say: Callable[[str], None]) -> None:
    """Raises AssertionError when the node did not hold out."""
    rng, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "easy.toml"
        file.write_text(EASY_TOML)
        options = ("--network-file", str(file), "--log-level", "error")
        with NodeProcess(Path(name) / "data", *options) as node:
            crowd = Crowd(node, rng, tally)
            crowd.build(frames)
            begun_s = time.perf_counter()
            with Watch(node, tally) as watch:
                assert watch.is_ready.wait(PATIENCE_S), tally.failures
                crowd.run(connections, lambda: tally.handled >= frames or bool(tally.failures))
            report(node, tally, time.perf_counter() - begun_s, say)
            assert not tally.failures, tally.failures
            falls = fallen(node)
            code = node.stop()
        assert not falls, falls
        assert code == 0, code
        assert not any("Traceback" in line for line in node.output), "".join(node.output[-50:])
        half = tally.memory[len(tally.memory) // 2]
        assert tally.memory[-1] - half < NEW_MEMORY_BYTES, tally.memory


def fallen(node: NodeProcess) -> list[str]:
    """The actors that were started again, and why."""
    stub = actor_grpc.ActorServiceStub(node.channel)
    actors = node.call(stub.ListActors, actor_pb.ListActorsRequest()).actors
    return [f"{each.name}: {each.last_error}" for each in actors if each.restart_count]


def report(node: NodeProcess, tally: Tally, taken_s: float, say: Callable[[str], None]) -> None:
    for label, count in tally.sent.most_common():
        say(f"{count:>12,}  {label}")
    say(f"{tally.sent.total():>12,}  sent; of each kind the node has handled")
    for kind, count in tally.kinds.most_common(KINDS_SHOWN):
        say(f"{count:>12,}  {kind}")
    say(
        f"{tally.handled:>12,}  handled in {taken_s:.1f} s: {tally.handled / taken_s:,.0f} a second"
    )
    for label, count in tally.lives.most_common():
        say(f"{count:>12,}  connections {label}")
    with suppress(grpc.RpcError):
        stub = transport_grpc.TransportServiceStub(node.channel)
        ends = node.call(stub.GetTransport, transport_pb.GetTransportRequest()).transport.end_counts
        for end in ends:
            reason = transport_pb.EndReason.Name(end.reason).removeprefix("END_REASON_")
            say(f"{end.count:>12,}  connections ended: {reason.lower()}")
        say(f"{len(fallen(node)):>12,}  actors fell")
    for label, count in tally.states.most_common():
        say(f"{count:>12,}  times {label.lower()}")
    for label, times_s in (("block", tally.connected_s), ("admin", tally.answered_s)):
        ordered = sorted(times_s) or [0.0]
        p99_s = ordered[len(ordered) * 99 // 100]
        say(
            f"{p99_s * 1000:>9,.0f} ms  {label} p99 of {len(times_s)}, {ordered[-1] * 1000:,.0f} most"
        )
    memory = tally.memory
    sizes = [each >> 20 for each in (memory[0], memory[len(memory) // 2], memory[-1])]
    say(f"              memory at the start, half way and at the end: {sizes} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=10_000_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    try:
        hold_out(chosen.frames, chosen.connections, chosen.seed, print)
    except AssertionError as error:
        sys.exit(f"the node did not hold out: {error}")


if __name__ == "__main__":
    main()
