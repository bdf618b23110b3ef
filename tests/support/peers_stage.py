"""A peers actor with probes around it, and the other ends of its connections."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from actors.config import PeersSettings
from actors.messaging.messages import Inbound, MessageType, Received, Response, SendRequest
from actors.peers.actor import PeersActor
from actors.peers.addresses import split_address
from actors.peers.messages import ConnectPeer, ListPeers, PeerId, PeerInfo
from actors.peers.scores import Scores
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.simulation.memory import MemoryJournal
from actors.tcp.messages import CloseReason, Connect, Connected, ConnId, Disconnected
from tests.support.player import Player
from tests.support.probe import Probe

OWN = "127.0.0.1:9000"
BOB, CAROL = PeerId("10.0.0.2:8000"), PeerId("10.0.0.3:8000")
BOOT = PeerId("10.0.0.9:8000")


class PeersStage:
    """A peers actor, with probes for everybody that it talks to; one probe for what must be in order."""

    def __init__(self, *, company: Any = None, **settings: Any) -> None:
        """``company``: what incarnations leave to each other (a `Company`); without it each begins with no peer."""
        self.clock = FakeClock()
        self.pump = Pump(1, self.clock)
        self.tcp = Probe(self.pump, "tcp")
        self.events = Probe(self.pump, "events")
        self.out = Probe(self.pump, "messaging and a room")
        self.bans, self.book = MemoryJournal(), MemoryJournal()
        self._rng = random.Random(7)
        scores = Scores()
        self._conns: Iterator[int] = iter(range(1, 1_000))

        self.player = Player(
            self.pump,
            "peers",
            lambda me: PeersActor(
                settings=PeersSettings(advertise=OWN, **settings),
                me=me,
                tcp=self.tcp.address,
                messaging=self.out.address,
                rooms=(self.out.address,),
                events=self.events.address,
                bans=self.bans,
                addresses=self.book,
                clock=self.clock,
                rng=self._rng,
                scores=scores,
                company=company,
            ),
        )
        self.peers = self.player.address

    def tell(self, *messages: Any) -> list[Any]:
        """What messaging and the room are told in consequence."""
        self.out.take()
        for message in messages:
            self.peers.tell(message)
        self.pump.run_until_idle()
        return self.out.take()

    def ask(self, question: Any) -> Future[Any]:
        future: Future[Any] = self.peers.ask_soon(question)
        self.pump.run_until_idle()
        return future

    def table(self) -> dict[str, PeerInfo]:
        return {info.peer: info for info in self.ask(ListPeers()).result()}

    def accepted(self, remote: str) -> ConnId:
        """A connection that somebody made to us."""
        conn = ConnId(next(self._conns))
        self.tell(Connected(conn, initiated=False, remote=remote, token=None))
        return conn

    def hello(self, conn: ConnId, address: str) -> list[Any]:
        return self.tell(Received((request(conn, "p2p:hello", address.encode()),)))

    def greeted(self, address: str, remote: str | None = None) -> ConnId:
        """A connection whose hello we have answered."""
        conn = self.accepted(remote or address.rpartition(":")[0] + ":50000")
        self.hello(conn, address)
        return conn

    def dials(self) -> list[Connect]:
        return [message for message in self.tcp.take() if isinstance(message, Connect)]

    def dialed(self, address: str) -> tuple[Future[Any], SendRequest]:
        """A dial that an operator waits for, and that is up: the answer to be, and our hello."""
        answer = self.ask(ConnectPeer(address))
        host_port = split_address(PeerId(address))
        (dial,) = [dial for dial in self.dials() if (dial.host, dial.port) == host_port]
        conn = ConnId(next(self._conns))
        (hello,) = self.tell(Connected(conn, initiated=True, remote=address, token=dial.token))
        return answer, hello

    def connected(self, dial: Connect, remote: str) -> ConnId:
        """A dial of the actor's own accord that is answered, at ``remote``, and accepted."""
        conn = ConnId(next(self._conns))
        (hello,) = self.tell(Connected(conn, initiated=True, remote=remote, token=dial.token))
        self.tell(Response(hello.token, conn, b"\x01"))
        return conn

    def joined(self, address: str) -> ConnId:
        """The connection of a peer that we dialed."""
        _, hello = self.dialed(address)
        self.tell(Response(hello.token, hello.conn, b"\x01"))
        return hello.conn


def request(conn: ConnId, kind: str, payload: bytes = b"") -> Inbound:
    return Inbound(conn, MessageType.REQUEST, 5, kind, payload)


def gone(conn: ConnId) -> Disconnected:
    return Disconnected(conn, initiated=False, reason=CloseReason.REMOTE)
