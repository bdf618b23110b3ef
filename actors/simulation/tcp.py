"""The tcp room of a simulated node: the real one's messages and limits, without sockets."""

from __future__ import annotations

from typing import assert_never

from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.simulation.host import SimHost
from actors.tcp.messages import (
    Answer,
    Close,
    CloseConnection,
    Connect,
    ConnectionsNow,
    Establish,
    GetTransport,
    Handled,
    HelloSaid,
    ListConnections,
    RollCall,
    Send,
    TcpEvent,
    TcpInput,
)


class SimTcpActor(NodeActor):
    """Stands in for the tcp room: takes the same messages; the host tells the same events."""

    def __init__(self, host: SimHost, messaging: Address[TcpEvent]) -> None:
        super().__init__()
        self._host, self._messaging = host, messaging

    def on_start(self) -> None:
        if self._host.ends:
            self._call_roll()

    def on_stop(self) -> None:
        if not self.returns:
            self._host.vanish()

    def on_receive(self, message: TcpInput) -> object:  # noqa: C901, PLR0912 - a case a message
        host = self._host
        match message:
            case Connect():
                host.connect(message)
            case Send(conns, payloads):
                for conn in conns:
                    host.send(host.ends.get(conn), payloads)
            case Answer(conn, payloads):
                host.send(host.ends.get(conn), payloads)
                host.handled(conn, len(payloads))
            case Handled(conn, frames):
                host.handled(conn, frames)
            case Close(conn, reason):
                host.close(conn, reason)
            case Establish(conn):
                if (end := host.ends.get(conn)) is not None:
                    end.is_established = True
            case HelloSaid(conn):
                if (end := host.ends.get(conn)) is not None:
                    end.has_said_hello = True
            case RollCall():
                self._call_roll()
            case GetTransport() | ListConnections() | CloseConnection():
                pass  # asked by the admin plane alone
            case _:
                assert_never(message)
        return None

    def _call_roll(self) -> None:
        connected = tuple(end.connected() for end in self._host.ends.values())
        self._messaging.tell(ConnectionsNow(connected))
