"""A liar: a whole node whose frames are not what its actors sent, and which says more than they do.

It speaks the protocol as well as any, has the chain, and mines. What it lies about is its :mod:`lies`. When
all have banned it, it comes back under another address, as who has many of them would.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING

from actors.gossip.course import ID_BYTES
from actors.messaging.codec import encode
from actors.messaging.messages import MessageType
from actors.simulation.forge import Forger
from actors.simulation.lies import LIES, Lie
from actors.simulation.network import KIND_OFFSET, End, kind_of

if TYPE_CHECKING:
    from actors.simulation.node import SimNode

ACT_EVERY_S = 2.0
"""On average."""
SHUNNED_S = 30.0
"""Without any peer for so long, it moves."""
MOST_LIES = 3
MAX_OPEN = 1_024
"""Requests of its peers whose answers it may falsify."""
HEAD = Struct(">BI")


class Liar:
    """Turns a node of the world into a liar; see `network.Meddler`."""

    def __init__(self, node: SimNode, rng: random.Random, wanted: tuple[str, ...] = ()) -> None:
        """Draw what it lies about, unless that is ``wanted``."""
        self.node, self.rng = node, rng
        self.told: Counter[str] = Counter()
        """Lies by their name."""
        names = wanted or tuple(rng.sample(sorted(LIES), rng.randint(1, MOST_LIES)))
        self._lies: list[Lie] = [LIES[name](self) for name in names]
        self._asked: dict[tuple[int, int], tuple[str, bytes]] = {}
        """What its peers asked, by connection and message id."""
        self._alone_since_s: float | None = None
        node.is_honest = False
        node.world.wire.meddlers[node.name] = self

    def act(self) -> float:
        """Lie of its own accord; how long until it does so again, in seconds."""
        if self.node.alive and self.node.host is not None:
            self._move_if_shunned()
            self.rng.choice(self._lies).act()
        return self.rng.expovariate(1.0 / ACT_EVERY_S)

    # -- the network's meddler ------------------------------------------------------------------

    def sends(self, end: End, frames: tuple[bytes, ...]) -> tuple[bytes, ...]:
        sent: list[bytes] = []
        for frame in frames:
            kind, question = kind_of(frame), b""
            if frame[0] == MessageType.RESPONSE:
                kind, question = self._asked.pop((end.conn, HEAD.unpack_from(frame)[1]), ("", b""))
            sent += self._falsified(frame, kind, question)
        return tuple(sent)

    def hears(self, end: End, frames: tuple[bytes, ...]) -> None:
        for frame in frames:
            if len(frame) <= KIND_OFFSET:
                continue
            kind = kind_of(frame)
            payload = frame[KIND_OFFSET + len(kind) + 1 :]
            if frame[0] == MessageType.REQUEST:
                if len(self._asked) >= MAX_OPEN:
                    del self._asked[next(iter(self._asked))]
                self._asked[end.conn, HEAD.unpack_from(frame)[1]] = (kind, payload)
            for lie in self._lies:
                lie.hears(end, kind, payload)

    def _falsified(self, frame: bytes, kind: str, question: bytes) -> tuple[bytes, ...]:
        head, payload = self._parts(frame)
        for lie in self._lies:
            changed = lie.payloads(kind, question, payload)
            if changed is not None:
                self.told[lie.name] += 1
                return tuple(head + each for each in changed)
        return (frame,)

    @staticmethod
    def _parts(frame: bytes) -> tuple[bytes, bytes]:
        """A message up to its kind, and its payload."""
        begin = frame.find(0, KIND_OFFSET) + 1
        return frame[:begin], frame[begin:]

    # -- what lies use --------------------------------------------------------------------------

    def forger(self) -> Forger:
        """In its own name, as of its tip."""
        node = self.node
        with node.store.aside():
            account = node.store.account(node.key.public)
        return Forger(node.world.network, self.rng, node.key, account)

    def gossip(
        self, kind: str, payload: bytes, chosen: Callable[[End], bool] | None = None
    ) -> None:
        """Flood it, or tell it to some alone."""
        rumour = self.rng.randbytes(ID_BYTES) + payload
        self.say(MessageType.REGULAR, f"gossip:{kind}", rumour, chosen)

    def say(
        self,
        message_type: MessageType,
        kind: str,
        payload: bytes,
        chosen: Callable[[End], bool] | None = None,
    ) -> None:
        """Send a message of its own to each peer, or to some."""
        host = self.node.host
        if host is not None:
            ends = [end for end in host.ends.values() if chosen is None or chosen(end)]
            host.inject((encode(message_type, self.rng.getrandbits(32), kind, payload),), ends)

    def _move_if_shunned(self) -> None:
        world, host = self.node.world, self.node.host
        now_s = world.clock.now_s()
        if host is None or any(end.is_established for end in host.ends.values()):
            self._alone_since_s = None
        elif self._alone_since_s is None:
            self._alone_since_s = now_s
        elif now_s - self._alone_since_s >= SHUNNED_S:
            self._alone_since_s = None
            self.told["moved"] += 1
            del world.wire.meddlers[self.node.name]
            self.node.move()
            world.wire.meddlers[self.node.name] = self
