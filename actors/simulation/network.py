"""A simulated network: who reaches whom, how long bytes take, and what goes wrong on the way.

Bytes on one connection arrive in order, after seeded delays. A lost packet is one that TCP sends again: it
costs time, and the connection when it is lost too often. A partition breaks what it cuts.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

from actors.messaging.messages import MAX_KIND_BYTES
from actors.runtime.clock import FakeClock
from actors.simulation.trace import Trace
from actors.tcp.messages import Connected, ConnId

if TYPE_CHECKING:
    from actors.simulation.host import SimHost

KIND_OFFSET = 5
"""Behind a message's type and id (WIRE: messages)."""
FIRST_RESEND_S = 0.2
"""TCP's least time-out of a lost packet (RFC 6298 asks for 1 s, systems take a fifth); it doubles."""
MAX_RESENDS = 6
"""Half a minute of them: by then the frame's deadline is over (WIRE: limits)."""


@dataclass(slots=True, eq=False)
class End:
    """One end of a simulated connection.

    Attributes:
        token: That of the dial; None: it was accepted.
        clear_s: When the last bytes sent from here arrive; later ones do not overtake them.
        unhandled: Frames that the rooms have and did not give back.
        waiting: Frames that are not read yet, since too many are unhandled.
        heard_s: When the last bytes arrived here.
    """

    conn: ConnId
    host: SimHost
    remote: str
    token: int | None
    opened_s: float
    other: End | None = None
    open: bool = True
    is_established: bool = False
    has_said_hello: bool = False
    is_idle: bool = False
    clear_s: float = 0.0
    heard_s: float = 0.0
    unhandled: int = 0
    waiting: list[tuple[bytes, ...]] = field(default_factory=list)
    waiting_bytes: int = 0

    @property
    def initiated(self) -> bool:
        """Whether it dialed."""
        return self.token is not None

    def connected(self) -> Connected:
        """What its host's actors are told of it."""
        return Connected(self.conn, self.initiated, self.remote, self.token)


class Meddler(Protocol):
    """A host whose frames are not what its actors sent."""

    def sends(self, end: End, frames: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """What really goes out on a connection."""

    def hears(self, end: End, frames: tuple[bytes, ...]) -> None:
        """What came in on a connection, before its actors see it."""


@dataclass(slots=True)
class Traffic:
    """What was sent so far, by the kind of the message."""

    frames: Counter[str] = field(default_factory=Counter)
    size_bytes: Counter[str] = field(default_factory=Counter)

    def count(self, frames: tuple[bytes, ...]) -> int:
        """Take them in; how many bytes they are."""
        total = 0
        for frame in frames:
            size = len(frame) + 4
            kind = kind_of(frame)
            self.frames[kind] += 1
            self.size_bytes[kind] += size
            total += size
        return total


@dataclass
class SimNetwork:
    """Who listens where, who can reach whom, and how long bytes take.

    Attributes:
        break_share: Of all sends, those at which the connection breaks.
        loss: Of all sends, those whose packet is lost once; of these as many once more, and so on.
        bytes_per_s: What a host can send; 0: any amount at once.
        legacy: Hosts that neither send nor hear our extensions (WIRE: extensions), like nodes in the field.
        meddlers: Hosts that lie, by name.
    """

    clock: FakeClock
    random: random.Random
    min_delay_s: float = 0.005
    max_delay_s: float = 0.150
    break_share: float = 0.0
    loss: float = 0.0
    bytes_per_s: float = 0.0
    hosts: dict[str, SimHost] = field(default_factory=dict)
    sides: dict[str, int] = field(default_factory=dict)
    legacy: set[str] = field(default_factory=set)
    meddlers: dict[str, Meddler] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)
    trace: Trace | None = None
    broken: int = 0
    """Connections that loss has broken."""

    def delay_s(self) -> float:
        return self.min_delay_s + (self.max_delay_s - self.min_delay_s) * self.random.random()

    def resend_s(self) -> float | None:
        """How long lost packets delay a send; None: the connection is given up."""
        waited_s, timeout_s = 0.0, FIRST_RESEND_S
        for _ in range(MAX_RESENDS):
            if self.random.random() >= self.loss:
                return waited_s
            waited_s += timeout_s
            timeout_s *= 2
        return None

    def reachable(self, one: str, other: str) -> bool:
        return self.sides.get(one, 0) == self.sides.get(other, 0)

    def partition(self, sides: dict[str, int]) -> None:
        """Nodes of different sides lose each other until :meth:`heal`."""
        self.sides = dict(sides)
        for host in tuple(self.hosts.values()):
            host.cut_unreachable()

    def heal(self) -> None:
        self.sides = {}

    def note(self, sender: str, receiver: str, frames: tuple[bytes, ...]) -> None:
        """Put frames that arrive on record."""
        if self.trace is not None:
            now_s = self.clock.now_s()
            for frame in frames:
                self.trace.note(
                    f"{now_s:.6f} {sender}>{receiver} {kind_of(frame)}"
                    f" {len(frame)} {crc32(frame):08x}"
                )


def kind_of(frame: bytes) -> str:
    """The kind of a message, for a statistic."""
    if frame[:1] == b"\x02":
        return "response"
    end = frame.find(0, KIND_OFFSET, KIND_OFFSET + MAX_KIND_BYTES + 1)
    return frame[KIND_OFFSET:end].decode("ascii", "replace") if end > 0 else "malformed"
