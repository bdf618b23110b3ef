"""The tcp room: all sockets of the node, on the actor's own thread.

Where its crew waits *is* the selector loop (:meth:`TcpActor.wait`), so sockets and letters take turns on
one thread, without locks. No knowledge of what a frame says lives here.
"""

from __future__ import annotations

import logging
import selectors
import socket
from collections.abc import Callable, Iterator
from typing import Any, assert_never

from actors.config import TcpSettings
from actors.runtime.actor import WaitingActor
from actors.runtime.address import Address
from actors.runtime.clock import Clock
from actors.tcp.accepting import Doorway
from actors.tcp.admission import HELLO_GRACE_S
from actors.tcp.adoption import Seats
from actors.tcp.budget import Budget
from actors.tcp.connection import Connection
from actors.tcp.dialing import Dialer
from actors.tcp.framing import enframe
from actors.tcp.messages import (
    Answer,
    Close,
    CloseConnection,
    CloseReason,
    Connect,
    ConnectFailed,
    ConnectionsNow,
    ConnId,
    Disconnected,
    Establish,
    GetTransport,
    Handled,
    HelloSaid,
    Idle,
    ListConnections,
    RollCall,
    Send,
    TcpEvent,
    TcpInput,
    TcpQuestion,
)
from actors.tcp.readiness import Readiness
from actors.tcp.resolver import Resolve, system_resolve
from actors.tcp.sockets import Endpoint, endpoint, reason_of, tune
from actors.tcp.tally import Tally
from actors.tcp.timers import AcceptAgain, Private, Resolved, Sweep
from actors.tcp.turns import Turns
from actors.tcp.waker import Waker

log = logging.getLogger(__name__)

SCRATCH_BYTES = 64 * 1024
"""Read at once from a connection: some thousand small frames, or a sixteenth of the largest one."""
SWEEP_S = 1.0
"""All deadlines are checked once in so long; the shortest of them is 5 s."""
STOP_FLUSH_S = 1.0
"""How long an orderly stop tries to write what is queued."""


class TcpActor(WaitingActor):
    """Accepts, dials, frames, and tells ``messaging`` what happens on each connection, in order.

    ``listener``, ``seats`` and ``conn_ids`` outlive the actor and belong to the composition root: a
    restarted one accepts on the same port, goes on with the open connections (`adoption`), and never gives
    one an id that was in use before.
    """

    def __init__(
        self,
        *,
        settings: TcpSettings,
        listener: socket.socket,
        messaging: Address[TcpEvent],
        me: Address[Private],
        clock: Clock,
        conn_ids: Iterator[ConnId],
        seats: Seats | None = None,
        resolve: Resolve = system_resolve,
    ) -> None:
        super().__init__()
        self._seats = seats or Seats()
        self._settings, self._messaging, self._me = settings, messaging, me
        self._clock, self._conn_ids = clock, conn_ids
        self._connections = self._seats.connections
        self._touched: set[Connection] = set()
        self._in_hand: Connection | None = None
        """What is being changed: who falls meanwhile leaves it in no state to go on with."""
        self._admission, self._tally = self._seats.admission(settings), Tally()
        self._budget, self._turns = Budget(settings, self._connections.values()), Turns(messaging)
        self._scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._sweep = Sweep()
        self._selector = selectors.DefaultSelector()
        self._readiness = Readiness(self._selector, self._on_ready)
        self.waker = self._waker = Waker()
        self._doorway = Doorway(
            listener,
            self._selector,
            crowded=lambda: self._admission.crowded(clock.now_s()),
            on_accepted=self._on_accepted,
            on_paused=lambda: self._tell_me_after(HELLO_GRACE_S, AcceptAgain()),
        )
        self._dialer = Dialer(
            self._selector,
            timeout_s=settings.connect_timeout_s,
            resolve=resolve,
            on_resolved=lambda dial, ip: me.tell(Resolved(dial, ip)),
            on_connected=self._on_dialed,
            on_failed=self._on_dial_failed,
        )

    def on_start(self) -> None:
        self._selector.register(
            self._waker.reader, selectors.EVENT_READ, lambda _mask: self._waker.drain()
        )
        self._doorway.open()
        self._tell_me_after(SWEEP_S, self._sweep)
        self._touched.update(self._seats.take_over())
        if self._seats.lives > 1:
            self._call_roll()

    def _call_roll(self) -> None:
        connected = tuple(connection.connected() for connection in self._connections.values())
        self._messaging.tell(ConnectionsNow(connected))

    def on_stop(self) -> None:
        """Leave the connections to the next one; or write what can be written soon, and close them."""
        if self.returns:
            self._let_go()
            return
        until_s = self._clock.now_s() + STOP_FLUSH_S
        self._doorway.close()
        self._dialer.close()
        for connection in self._connections.values():
            connection.close(CloseReason.SHUTDOWN, self._clock.now_s())
            self._touched.add(connection)
        self._settle_touched()
        while self._connections and (left_s := until_s - self._clock.now_s()) > 0:
            self._serve_sockets(left_s)
        for connection in tuple(self._connections.values()):
            self._drop(connection, CloseReason.SHUTDOWN)
        self._let_go()

    def suspect(self) -> int | None:
        return None if self._in_hand is None else self._in_hand.id

    def on_crash(self) -> None:
        try:
            if self._in_hand is not None and self._in_hand.id in self._connections:
                self._drop(self._in_hand, CloseReason.IO_ERROR)
        finally:  # or nobody would ever end the dials
            self._let_go()

    def _let_go(self) -> None:
        """Of all that the next incarnation has anew."""
        self._doorway.close()
        self._dialer.abandon()
        self._waker.close()
        self._selector.close()

    def _tell_me_after(self, delay_s: float, message: Private) -> None:
        self._clock.tell_after(delay_s, self._me, message)

    # -- the loop -------------------------------------------------------------------------------

    def wait(self, is_idle: Callable[[], bool]) -> None:
        """Act on what the letters did to connections, serve the sockets that are ready, and hand frames on."""
        self._settle_touched()
        self._waker.asleep = True
        self._serve_sockets(self._turns.decide(is_idle=is_idle()))

    def _serve_sockets(self, timeout_s: float | None) -> None:
        """One pass: wait for sockets that are ready, let each act once, then act on the results."""
        ready = self._selector.select(timeout_s)
        self._waker.asleep = False
        for key, mask in ready:
            key.data(mask)
        self._touched.update(self._turns.take())
        self._settle_touched()

    def _settle_touched(self) -> None:
        if not self._touched:
            return
        now_s = self._clock.now_s()
        while self._touched:
            connection = self._in_hand = self._touched.pop()
            self._settle(connection, now_s)
        self._in_hand = None
        if self._budget.is_short:
            self._relieve()

    def _relieve(self) -> None:
        """Have the greediest go if there is too much; look at some again that wait for room."""
        while (greediest := self._budget.greediest(self._connections.values())) is not None:
            self._drop(greediest, CloseReason.EVICTED)
        self._touched.update(self._budget.resume())

    def _settle(self, connection: Connection, now_s: float) -> None:
        """After anything happened to a connection: write, end it, or wait for more."""
        if connection.outbox.unsent_bytes and (fault := connection.flush(now_s)) is not None:
            self._drop(connection, fault)
            return
        self._turns.look_at(connection)
        if connection.closing is not None and connection.finished:
            self._drop(connection, connection.closing)
            return
        if connection.held_bytes != connection.counted_bytes:
            self._budget.count(connection)
        connection.decide_reading(now_s, self._budget.room_for(connection))
        self._readiness.watch(connection)

    def _on_ready(self, connection: Connection, mask: int) -> None:
        if connection.id not in self._connections:
            return  # closed by something that was ready before it in the same pass
        self._touched.add(connection)
        if not mask & selectors.EVENT_READ or not (room_bytes := self._budget.room_for(connection)):
            return
        self._in_hand = connection
        try:
            scratch = self._scratch if room_bytes >= SCRATCH_BYTES else self._scratch[:room_bytes]
            fault = connection.receive(scratch, self._clock.now_s())
        except OSError as error:
            fault = reason_of(error)
        self._budget.count(connection)
        self._turns.look_at(connection)
        if fault is not None:
            self._drop(connection, fault)
        self._in_hand = None

    # -- connections come and go ------------------------------------------------------------------

    def _on_accepted(self, sock: socket.socket, sockaddr: tuple[Any, ...]) -> None:
        conn, remote = next(self._conn_ids), endpoint(sockaddr)
        try:
            tune(sock)
        except OSError:
            sock.close()  # gone before it was one
            return
        leaving = self._admission.accept(conn, remote.ip, self._clock.now_s())
        if leaving is None:
            log.debug("refused %s: no seat", remote)
            sock.close()
            self._tally.refused += 1
            return
        self._tally.accepted += 1
        self._enter(conn, sock, remote, token=None, leaving=leaving)

    def _on_dialed(self, token: int, sock: socket.socket, remote: Endpoint) -> None:
        conn = next(self._conn_ids)
        leaving = self._admission.dialed(conn, remote.ip)
        if leaving is None:
            sock.close()
            self._on_dial_failed(token, CloseReason.REFUSED)
            return
        self._tally.dialed += 1
        self._enter(conn, sock, remote, token=token, leaving=leaving)

    def _on_dial_failed(self, token: int, reason: CloseReason) -> None:
        self._tally.failed_dials += 1
        self._messaging.tell(ConnectFailed(token, reason))

    def _enter(
        self,
        conn: ConnId,
        sock: socket.socket,
        remote: Endpoint,
        *,
        token: int | None,
        leaving: tuple[ConnId, ...],
    ) -> None:
        for other in leaving:
            self._drop(self._connections[other], CloseReason.EVICTED)
        now_s = self._clock.now_s()
        connection = Connection(conn, sock, remote, self._settings, token=token, now_s=now_s)
        self._connections[conn] = connection
        self._touched.add(connection)
        self._messaging.tell(connection.connected())

    def _drop(self, connection: Connection, reason: CloseReason) -> None:
        """Close at once; the one place where a connection ends."""
        del self._connections[connection.id]
        self._touched.discard(connection)
        self._admission.leave(connection.id)
        self._budget.leave(connection)
        self._turns.leave(connection)
        self._tally.left(connection, reason)
        self._readiness.forget(connection)
        connection.sock.close()
        log.debug("connection %d to %s ended: %s", connection.id, connection.remote, reason.value)
        self._messaging.tell(Disconnected(connection.id, connection.initiated, reason))

    # -- letters --------------------------------------------------------------------------------

    def on_receive(  # noqa: C901, PLR0912 - a case per message is what a room looks like
        self, message: TcpInput | Private
    ) -> object:
        self._in_hand = None
        match message:
            case Answer(conn, messages):
                self._respond(conn, messages)
            case Send(conns, messages):
                self._send(conns, messages)
            case Handled(conn, frames):
                if (connection := self._touch(conn)) is not None:
                    connection.handled(frames)
            case Connect():
                self._dialer.dial(message, self._clock.now_s())
            case HelloSaid(conn):
                self._hello_said(conn)
            case Establish(conn):
                self._establish(conn)
            case Close(conn, reason):
                self._close(conn, reason)
            case GetTransport() | ListConnections() | CloseConnection():
                return self._answer(message)
            case RollCall():
                self._call_roll()
            case Resolved(dial, ip):
                self._dialer.resolved(dial, ip)
            case AcceptAgain():
                self._doorway.open()
            case Sweep():
                self._check_deadlines(message)
            case _:
                assert_never(message)
        self._in_hand = None
        return None

    def _touch(self, conn: ConnId) -> Connection | None:
        """The connection, to be settled after whatever the caller does to it."""
        connection = self._in_hand = self._connections.get(conn)
        if connection is not None:
            self._touched.add(connection)
        return connection

    def _send(self, conns: tuple[ConnId, ...], messages: tuple[bytes, ...]) -> None:
        if not messages:
            return
        chunk, now_s, is_shared = enframe(messages), self._clock.now_s(), len(conns) > 1
        for conn in conns:
            if (connection := self._touch(conn)) is not None:
                connection.send(chunk, len(messages), now_s, is_shared=is_shared)

    def _respond(self, conn: ConnId, messages: tuple[bytes, ...]) -> None:
        if (connection := self._touch(conn)) is not None:
            connection.send(enframe(messages), len(messages), self._clock.now_s())
            connection.handled(len(messages))

    def _close(self, conn: ConnId, reason: CloseReason) -> bool:
        if (connection := self._touch(conn)) is not None:
            connection.close(reason, self._clock.now_s())
        return connection is not None

    def _answer(self, question: TcpQuestion) -> object:
        connections = self._connections.values()
        match question:
            case GetTransport():
                dialing, accepting = len(self._dialer), self._doorway.is_open
                return self._tally.info(
                    self._settings, connections, dialing=dialing, accepting=accepting
                )
            case ListConnections():
                now_s = self._clock.now_s()
                return tuple(connection.info(now_s) for connection in connections)
            case CloseConnection(conn):
                return self._close(conn, CloseReason.LOCAL)
            case _:
                assert_never(question)

    def _hello_said(self, conn: ConnId) -> None:
        if (connection := self._touch(conn)) is not None:
            self._admission.hello_said(conn)
            connection.hello_said()

    def _establish(self, conn: ConnId) -> None:
        if (connection := self._touch(conn)) is not None:
            self._admission.establish(conn)
            if (fault := connection.establish(self._clock.now_s())) is not None:
                self._drop(connection, fault)

    def _check_deadlines(self, sweep: Sweep) -> None:
        if sweep is not self._sweep:
            return  # a former incarnation's
        now_s = self._clock.now_s()
        self._dialer.expire(now_s)
        for connection in tuple(self._connections.values()):
            reason = connection.overdue(now_s)
            if reason is not None:
                self._drop(connection, reason)
            elif connection.turns_idle(now_s):
                self._messaging.tell(Idle(connection.id))
        self._tell_me_after(SWEEP_S, sweep)
