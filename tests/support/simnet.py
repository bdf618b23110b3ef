"""A simulated network: the tcp room's messages without sockets, for any number of nodes on one pump.

Bytes on one connection arrive in order, after seeded delays. A link may be cut (partition), and at any
send a connection may break with a set probability, as when packets are lost for too long.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import assert_never

from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import FakeClock
from actors.tcp.messages import (
    Answer,
    Close,
    CloseConnection,
    CloseReason,
    Connect,
    Connected,
    ConnectFailed,
    ConnId,
    Disconnected,
    Establish,
    FramesReceived,
    GetTransport,
    Handled,
    HelloSaid,
    ListConnections,
    Send,
    TcpEvent,
    TcpInput,
)

EXTENSIONS = (b"chain:", b"mempool:")
FIRST_PORT = 20_000
"""Of the sockets that dial."""
KIND_OFFSET = 5
"""Behind a message's type and id."""


@dataclass(slots=True)
class _End:
    """One end of a simulated connection."""

    conn: ConnId
    host: SimTcpActor
    initiated: bool
    other: _End | None = None
    open: bool = True
    clear_s: float = 0.0
    """When the last bytes sent from here arrive; later ones do not overtake them."""


@dataclass
class SimNetwork:
    """Who listens where, who can reach whom, and how long bytes take."""

    clock: FakeClock
    random: random.Random
    min_delay_s: float = 0.005
    max_delay_s: float = 0.150
    break_share: float = 0.0
    hosts: dict[str, SimTcpActor] = field(default_factory=dict)
    sides: dict[str, int] = field(default_factory=dict)
    legacy: set[str] = field(default_factory=set)
    """Hosts that neither send nor hear our extensions (WIRE: extensions), like nodes in the field."""

    def delay_s(self) -> float:
        return self.random.uniform(self.min_delay_s, self.max_delay_s)

    def reachable(self, one: str, other: str) -> bool:
        return self.sides.get(one, 0) == self.sides.get(other, 0)

    def partition(self, sides: dict[str, int]) -> None:
        """Nodes of different sides lose each other until :meth:`heal`."""
        self.sides = dict(sides)
        for host in tuple(self.hosts.values()):
            host.cut_unreachable()

    def heal(self) -> None:
        self.sides = {}


class SimTcpActor(NodeActor):
    """Stands in for the tcp room: takes the same messages and tells the same events."""

    def __init__(self, network: SimNetwork, name: str, messaging: Address[TcpEvent]) -> None:
        super().__init__()
        self._network, self.name, self._messaging = network, name, messaging
        self._ends: dict[ConnId, _End] = {}
        self._ids = itertools.count(1)

    def on_start(self) -> None:
        self._network.hosts[self.name] = self

    def on_stop(self) -> None:
        self.vanish()

    def on_receive(self, message: TcpInput) -> object:
        match message:
            case Connect():
                self._connect(message)
            case Send(conns, payloads):
                for conn in conns:
                    self._send(self._ends.get(conn), payloads)
            case Answer(conn, payloads):
                self._send(self._ends.get(conn), payloads)
            case Close(conn, reason):
                self._close(conn, reason)
            case GetTransport() | ListConnections() | CloseConnection():
                pass  # asked by the admin plane alone
            case Establish() | Handled() | HelloSaid():
                pass  # limits of real sockets; the simulation has none to lift
            case _:
                assert_never(message)
        return None

    def cut_unreachable(self) -> None:
        for end in tuple(self._ends.values()):
            if end.other is not None and not self._network.reachable(
                self.name, end.other.host.name
            ):
                self._break(end)

    def vanish(self) -> None:
        """The host is gone, as after a power cut: the others see their connections break."""
        self._network.hosts.pop(self.name, None)
        for end in tuple(self._ends.values()):
            self._break(end)

    def _connect(self, command: Connect) -> None:
        target = f"{command.host}:{command.port}"

        def arrive() -> None:
            host = self._network.hosts.get(target)
            if host is None or not self._network.reachable(self.name, target):
                self._messaging.tell(ConnectFailed(command.token, CloseReason.REFUSED))
                return
            ours = _End(ConnId(next(self._ids)), self, initiated=True)
            theirs = _End(ConnId(next(host._ids)), host, initiated=False, other=ours)
            ours.other = theirs
            self._ends[ours.conn] = ours
            host._ends[theirs.conn] = theirs
            remote = f"{self.name.rpartition(':')[0]}:{FIRST_PORT + ours.conn}"
            host._messaging.tell(Connected(theirs.conn, False, remote, None))
            self._messaging.tell(Connected(ours.conn, True, target, command.token))

        self._network.clock.call_after(self._network.delay_s(), arrive)

    def _send(self, end: _End | None, payloads: tuple[bytes, ...]) -> None:
        if end is None or not end.open or end.other is None:
            return
        if self._network.random.random() < self._network.break_share:
            self._break(end)
            return
        other = end.other
        if self._network.legacy & {self.name, other.host.name}:
            payloads = tuple(p for p in payloads if not p[KIND_OFFSET:].startswith(EXTENSIONS))
            if not payloads:
                return
        now_s = self._network.clock.now_s()
        end.clear_s = max(end.clear_s, now_s + self._network.delay_s())

        def arrive() -> None:
            if other.open:
                other.host._messaging.tell(FramesReceived(other.conn, payloads))

        self._network.clock.call_after(end.clear_s - now_s, arrive)

    def _close(self, conn: ConnId, reason: CloseReason) -> None:
        """What was sent before still arrives; then the other side sees the end."""
        end = self._ends.get(conn)
        if end is None:
            return
        other = end.other
        self._drop(end, reason)
        if other is not None:
            delay_s = max(0.0, end.clear_s - self._network.clock.now_s()) + self._network.delay_s()
            self._network.clock.call_after(
                delay_s, lambda: other.host._drop(other, CloseReason.REMOTE)
            )

    def _break(self, end: _End) -> None:
        if end.other is not None:
            end.other.host._drop(end.other, CloseReason.IO_ERROR)
        self._drop(end, CloseReason.IO_ERROR)

    def _drop(self, end: _End, reason: CloseReason) -> None:
        if end.open:
            end.open = False
            self._ends.pop(end.conn, None)
            self._messaging.tell(Disconnected(end.conn, end.initiated, reason))
