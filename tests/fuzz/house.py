"""A whole node under the pump: all of its actors but tcp, which hands on what the input says.

It also keeps the books of read credit: each frame handed on comes back once, as dealt with, or its connection
would be read no more, or without a limit.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.assembly import Machine, assemble
from actors.chain.importer import Importer
from actors.chain.messages import GetChain
from actors.chain.store import Store
from actors.config import PeersSettings, Settings, TcpSettings
from actors.ledger.keys import PrivateKey
from actors.ledger.network import Network
from actors.ledger.types import Block
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.runtime.supervisor import ListActors
from actors.runtime.team import Alone
from actors.simulation.engine import SimEngine
from actors.simulation.memory import MemoryJournal
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
    ListConnections,
    Send,
    TcpEvent,
    TransportInfo,
)

OWN = "10.0.0.1:8333"
MINER_S = 10.0
SETTLE_S = 45.0
"""Longer than the rooms wait for an answer: a question has 10 s, a search 30 s."""


class Wire(NodeActor):
    """Stands in for tcp: a connection is a number, and dials come to nothing."""

    def __init__(self, messaging: Address[TcpEvent]) -> None:
        super().__init__()
        self._messaging = messaging
        self._ids = map(ConnId, itertools.count(1))
        self.said: dict[ConnId, list[bytes]] = {}
        """What the node has sent on each open connection."""
        self.told: list[bytes] = []
        """All that it has ever sent."""
        self.owed: Counter[ConnId] = Counter()
        """Frames that it has not yet dealt with."""
        self.established: set[ConnId] = set()
        """Connections whose hello was accepted; until then messages wait, for seconds at most."""

    def on_receive(self, message: Any) -> object:
        match message:
            case Send(conns, frames):
                for conn in conns:
                    self._say(conn, frames)
            case Answer(conn, frames):
                self._say(conn, frames)
                self._settle(conn, len(frames))
            case Handled(conn, count):
                self._settle(conn, count)
            case Establish(conn):
                self.established.add(conn)
            case Close(conn, reason):
                self.hang_up(conn, reason)
            case Connect(token):
                self._messaging.tell(ConnectFailed(token, CloseReason.REFUSED))
            case _:
                return self._answer(message)
        return None

    def _answer(self, question: Any) -> object:
        match question:
            case CloseConnection(conn):
                is_open = conn in self.said
                self.hang_up(conn, CloseReason.LOCAL)
                return is_open
            case ListConnections():
                return ()
            case GetTransport():
                return TransportInfo(TcpSettings(), (), 0, True, 0, 0, 0, 0, (), 0, 0, 0, 0, 0)
            case _:
                return None  # of limits that real sockets have

    def accept(self, remote: str) -> ConnId:
        conn = next(self._ids)
        self.said[conn] = []
        self._messaging.tell(Connected(conn, initiated=False, remote=remote, token=None))
        return conn

    def hand_on(self, conn: ConnId, frames: Sequence[bytes]) -> None:
        if conn in self.said and frames:
            self.owed[conn] += len(frames)
            self._messaging.tell(FramesReceived(conn, tuple(frames)))

    def hang_up(self, conn: ConnId, reason: CloseReason = CloseReason.REMOTE) -> None:
        if self.said.pop(conn, None) is not None:
            initiated = reason is not CloseReason.REMOTE
            self._messaging.tell(Disconnected(conn, initiated, reason))

    def _say(self, conn: ConnId, frames: Sequence[bytes]) -> None:
        if conn in self.said:
            self.said[conn] += frames
            self.told += frames

    def _settle(self, conn: ConnId, count: int) -> None:
        self.owed[conn] -= count
        assert self.owed[conn] >= 0, "credit is given back once"


class House:
    """A node that begins on a store in memory, which holds ``chain``. Close it."""

    def __init__(self, network: Network, wallet: PrivateKey, chain: Sequence[Block] = ()) -> None:
        self.clock = FakeClock()
        self.pump = Pump(1, self.clock)
        self.store = Store.open(None, network)
        Importer(self.store, network).add(chain)
        self._wires: list[Wire] = []
        rng = random.Random(1)
        settings = Settings(
            data_dir=Path(), network=network, peers=PeersSettings(advertise=OWN, max_peers=4)
        )
        settings = replace(settings, miner=replace(settings.miner, coinbase=wallet.public))
        machine = Machine(
            runner=self.pump,
            clock=self.clock,
            random=rng,
            team=Alone(),
            store=self.store,
            pool_view=self.store.reader(),
            template_view=self.store.reader(),
            journal=MemoryJournal(),
            bans=MemoryJournal(),
            addresses=MemoryJournal(),
            build_tcp=lambda messaging, _me: self._wired(Wire(messaging)),
            build_engine=lambda miner: SimEngine(miner, self.clock, rng, mean_s=MINER_S),
        )
        self.supervisor, self.addresses = assemble(settings, machine)
        self.supervisor.start_members()
        self.pump.run_until_idle()

    @property
    def wire(self) -> Wire:
        return self._wires[-1]

    def close(self) -> None:
        self.store.close()

    def check(self, network: Network, *, settle_s: float = SETTLE_S) -> None:
        """Nothing fell, nothing is owed, and the money is what the blocks have made."""
        self.pump.run_for(settle_s)
        reports = self.pump.ask(self.supervisor.address, ListActors())
        fallen = [report for report in reports if report.last_error]
        assert not fallen, fallen
        wire = self.wire
        open_ = wire.established & wire.said.keys()
        owed = {conn: wire.owed[conn] for conn in open_ if wire.owed[conn]}
        assert not owed, f"never dealt with: {owed}"
        info = self.pump.ask(self.addresses.chain, GetChain())
        assert info.supply == network.block_reward * info.tip.number

    def _wired(self, wire: Wire) -> Wire:
        self._wires.append(wire)
        return wire
