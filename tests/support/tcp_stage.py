"""The tcp room alone, on its thread, over real loopback sockets; deadlines pass by a pushed clock."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from actors.config import TcpSettings
from actors.runtime.address import Address
from actors.tcp.actor import TcpActor
from actors.tcp.adoption import Seats
from actors.tcp.messages import (
    CloseReason,
    Connect,
    Connected,
    ConnectionInfo,
    ConnId,
    Disconnected,
    Establish,
    FramesReceived,
    GetTransport,
    Handled,
    ListConnections,
    TransportInfo,
)
from actors.tcp.sockets import open_listener
from tests.support.thread_probe import TIMEOUT_S, Stage, ThreadProbe
from tests.support.wire_client import WireClient

LOCALHOST = "127.0.0.1"
NAMES = {"peer.test": LOCALHOST}
TOKEN = 5


class TcpScene:
    """The actor, a probe that is told its events, and a listening socket of a peer to dial."""

    def __init__(self, stage: Stage, settings: TcpSettings | None = None) -> None:
        self.stage = stage
        keep = stage.resources.enter_context
        self.listener = keep(open_listener(LOCALHOST, 0))
        self.port: int = self.listener.getsockname()[1]
        self.peer = keep(socket.create_server((LOCALHOST, 0)))
        self.peer_port: int = self.peer.getsockname()[1]
        self.messaging = ThreadProbe(stage, "messaging")
        self.may_resolve = threading.Event()
        self.may_resolve.set()
        stage.resources.callback(self.may_resolve.set)
        self._settings = settings or TcpSettings()
        self._mailbox = stage.mailbox("tcp")
        self._conn_ids = map(ConnId, itertools.count(1))
        self.seats = Seats()
        stage.resources.callback(self.seats.clear)
        self.me: Address[Any] = Address(self._mailbox)
        self.start()

    def start(self) -> None:
        """Run the actor; once more after a stop, as the supervisor would."""
        self.actor = TcpActor(
            settings=self._settings,
            listener=self.listener,
            messaging=self.messaging.address,
            me=self.me,
            clock=self.stage.clock,
            conn_ids=self._conn_ids,
            seats=self.seats,
            resolve=self._resolve,
        )
        self.stage.run(self.actor, self._mailbox)

    def _resolve(self, host: str) -> str | None:
        self.may_resolve.wait(TIMEOUT_S)
        return NAMES.get(host)

    def tell(self, *messages: Any) -> None:
        for message in messages:
            self.me.tell(message)

    def accepted(self) -> tuple[WireClient, ConnId]:
        """A client that the actor has accepted."""
        client = WireClient.connect(LOCALHOST, self.port)
        up = self.messaging.wait_for(Connected, lambda event: event.remote == client.address)
        assert (up.initiated, up.token) == (False, None)
        return client, up.conn

    def established(self) -> tuple[WireClient, ConnId]:
        client, conn = self.accepted()
        self.tell(Establish(conn))
        assert len(self.connections()) > 0  # an answer: the letter before it is handled, too
        return client, conn

    def dialed(self) -> tuple[WireClient, ConnId]:
        """A client that the actor has dialed."""
        self.tell(Connect(TOKEN, LOCALHOST, self.peer_port))
        client = WireClient.accept(self.peer)
        up = self.messaging.wait_for(Connected, lambda event: event.token == TOKEN)
        assert (up.initiated, up.remote) == (True, f"{LOCALHOST}:{self.peer_port}")
        return client, up.conn

    def frames(self, conn: ConnId, count: int) -> list[bytes]:
        """The next frames of a connection, however they are batched; their credit is returned."""
        frames: list[bytes] = []
        while len(frames) < count:
            got = self.messaging.wait_for(FramesReceived, lambda event: event.conn == conn)
            frames += got.frames
            self.tell(Handled(conn, len(got.frames)))
        return frames

    def reason(self, conn: ConnId) -> CloseReason:
        """Why the connection ended, once it has."""
        return self.messaging.wait_for(Disconnected, lambda event: event.conn == conn).reason

    def connections(self) -> tuple[ConnectionInfo, ...]:
        return Address[ListConnections](self._mailbox).ask(ListConnections(), timeout_s=TIMEOUT_S)

    def transport(self) -> TransportInfo:
        return Address[GetTransport](self._mailbox).ask(GetTransport(), timeout_s=TIMEOUT_S)

    def push(self, seconds: float) -> None:
        """Put the clock forward, behind what the room has begun: what that asked the clock for is due by then."""
        self.connections()
        self.stage.clock.push(seconds)

    def await_that(self, holds: Callable[[], bool]) -> None:
        """Until something is true of the room; each look is a question to it, behind what it was told."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not holds():
            assert time.monotonic() < deadline_s, "it never came to hold"
