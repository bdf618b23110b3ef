"""Hostile peers on one node, all in one process, each sending so many messages a second for as long as it may.

Each comes from a loopback address of its own and under a name of its own, since on loopback a ban is on the
name; whoever is parted with comes back under another name, as another character.
"""

from __future__ import annotations

import contextlib
import random
import selectors
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import NamedTuple

from actors.ledger.network import Network
from tests.bench.client import READY
from tests.support.hostile_arsenal import CHARACTERS, Arsenal, Character
from tests.support.wire_client import HELLO, REQUEST, RESPONSE, frame, message

TICK_S = 0.02
HELD_BYTES = 64 * 1024
"""Unsent for a node that does not read: what is to be sent beyond that is held back, and counted."""
SCRATCH_BYTES = 1 << 20
STATUS, GET_BLOCKS = b"chain:status", b"chain:get_blocks"
LONGEST_WAIT_S = 1.0
"""For a connection that the node has not yet taken."""


class Plan(NamedTuple):
    """What the crowd is to do."""

    listen_address: str
    network: Network
    connections: int
    rate: int
    """Messages a second of each connection."""
    polite: bool
    """Only what never earns points."""
    away_s: float
    """How long one that was parted with stays away."""
    rich: tuple[bytes, ...]
    """Addresses with a balance, which are not theirs."""
    seed: int


class Deeds(NamedTuple):
    """What the crowd did."""

    sent: Counter[str]
    """Messages by character."""
    held_back: int
    """Messages that were not made, since the node did not read."""
    connected: int
    """How often one came, the first time included."""
    seconds: float
    used_s: float


@dataclass(eq=False)
class Hostile:
    """One connection."""

    number: int
    sock: socket.socket
    name: str
    character: Character
    unsent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)
    is_peer: bool = False
    is_attentive: bool = True
    """Whether it looks at what comes: until there is nothing more to answer."""
    owed: float = 0.0
    """Messages that its rate lets it send."""


class Crowd:
    """All of them, on one thread."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._arsenal = Arsenal(plan.network, plan.seed, plan.rich)
        self._cast = [
            name for name, each in CHARACTERS.items() if each.is_polite or not plan.polite
        ]
        self._selector = selectors.DefaultSelector()
        self._scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._there: list[Hostile] = []
        self._away: list[tuple[float, int]] = [(0.0, each) for each in range(plan.connections)]
        """When which of them comes back."""
        self._sent = Counter[str]()
        self._held_back = self._connected = 0

    def run(self, pipe: Connection) -> Deeds:
        """Attack until the pipe brings a word, and something was sent: a slow machine takes its time to begin.

        Raises:
            EOFError: Whoever began it is gone.
        """
        begun_s, used_s, last_s = time.monotonic(), time.process_time(), time.monotonic()
        is_told = False
        while not (is_told and self._sent):
            if pipe.poll():
                pipe.recv()  # which raises if the other end is gone
                is_told = True
            now_s = time.monotonic()
            self._return(now_s)
            for hostile in tuple(self._there):
                self._attack(hostile, now_s - last_s)
            last_s = now_s
            for key, _ in self._selector.select(max(0.0, now_s + TICK_S - time.monotonic())):
                self._receive(key.data)
            time.sleep(max(0.0, now_s + TICK_S - time.monotonic()))
        seconds = time.monotonic() - begun_s
        self._close()
        used_s = time.process_time() - used_s
        return Deeds(self._sent, self._held_back, self._connected, seconds, used_s)

    def _close(self) -> None:
        for hostile in self._there:
            hostile.sock.close()
        self._selector.close()

    # -- coming and going -------------------------------------------------------------------------

    def _return(self, now_s: float) -> None:
        due = [number for at_s, number in self._away if at_s <= now_s]
        self._away = [each for each in self._away if each[0] > now_s]
        for number in due:
            try:
                self._enter(number)
            except OSError:
                self._away.append((now_s + self._plan.away_s, number))

    def _enter(self, number: int) -> None:
        """Come under a new name; the character changes every time, and all are there at first."""
        host, _, port = self._plan.listen_address.rpartition(":")
        own = f"127.7.{number}.{self._random.randrange(1, 255)}"
        sock = socket.create_connection((host, int(port)), LONGEST_WAIT_S, (own, 0))
        sock.setblocking(False)
        name = self._cast[(number + self._connected) % len(self._cast)]
        if self._connected < self._plan.connections:
            name = self._cast[number % len(self._cast)]
        hostile = Hostile(number, sock, name, CHARACTERS[name])
        said = f"{own}:{self._random.randrange(1_024, 65_536)}".encode()
        hostile.unsent += frame(message(REQUEST, 1, HELLO, said))
        self._connected += 1
        self._there.append(hostile)
        self._selector.register(sock, selectors.EVENT_READ, hostile)

    def _leave(self, hostile: Hostile) -> None:
        self._selector.unregister(hostile.sock)
        hostile.sock.close()
        self._there.remove(hostile)
        self._away.append((time.monotonic() + self._plan.away_s, hostile.number))

    # -- what they say ----------------------------------------------------------------------------

    def _attack(self, hostile: Hostile, elapsed_s: float) -> None:
        if hostile.is_peer:
            hostile.owed += self._plan.rate * elapsed_s
            count = int(hostile.owed)
            hostile.owed -= count
            if len(hostile.unsent) > HELD_BYTES:
                self._held_back += count
            else:
                weapons = self._random.choices(hostile.character.weapons, k=count)
                hostile.unsent += b"".join([frame(each(self._arsenal)) for each in weapons])
                self._sent[hostile.name] += count
        self._send(hostile)

    def _send(self, hostile: Hostile) -> None:
        try:
            sent = hostile.sock.send(hostile.unsent) if hostile.unsent else 0
        except BlockingIOError:
            return
        except OSError:
            self._leave(hostile)
            return
        del hostile.unsent[:sent]

    # -- what they hear ---------------------------------------------------------------------------

    def _receive(self, hostile: Hostile) -> None:
        try:
            size = hostile.sock.recv_into(self._scratch)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self._leave(hostile)
        elif hostile.is_attentive:
            hostile.received += self._scratch[:size]
            self._heed(hostile)

    def _heed(self, hostile: Hostile) -> None:
        """Wait for the hello to be accepted, and answer what ours are asked."""
        data = hostile.received
        while len(data) >= 4 and len(data) >= (end := 4 + int.from_bytes(data[:4], "big")):
            body = bytes(data[4:end])
            del data[:end]
            if body[0] == RESPONSE and not hostile.is_peer:
                hostile.is_peer = body[6:7] == b"\1"
                if not hostile.is_peer:
                    self._leave(hostile)
                    return
            elif body[0] == REQUEST:
                self._answer(hostile, body)
        claims = hostile.character.claims
        if hostile.is_peer and claims is None:
            hostile.is_attentive = False
            data.clear()

    def _answer(self, hostile: Hostile, body: bytes) -> None:
        kind, claims = body[5:].partition(b"\0")[0], hostile.character.claims
        if claims is None:
            return
        if kind == STATUS:
            answer = self._arsenal.status(claims)
            hostile.is_attentive = claims > 0
        elif kind == GET_BLOCKS:
            answer = self._arsenal.orphan()
        else:
            return
        with contextlib.suppress(OSError):
            number = int.from_bytes(body[1:5], "big")
            hostile.unsent += frame(message(RESPONSE, number, "", answer))


def attack(pipe: Connection, plan: Plan) -> None:
    """Ready, begin when told to, end when told to, and say the :class:`Deeds`."""
    crowd = Crowd(plan)
    pipe.send(READY)
    pipe.recv()
    pipe.send(crowd.run(pipe))
