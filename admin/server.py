"""The admin server: one thread with an event loop that serves every call and stream.

Lives here: its life (bind, serve, stop) and its limits. Must not live here: what a call does (``services``)
or who may make it (``auth``, ``guard``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from actors.runtime.files import write_whole
from actors.runtime.supervisor import ActorReport
from admin import reflection
from admin.asks import ASK_TIMEOUT_S, Asker
from admin.auth import Tokens
from admin.bind import bindable, reachable, unbound
from admin.counts import CallCounts
from admin.guard import Guard
from admin.health import Health
from admin.house import House
from admin.logs import LogHub
from admin.roster import PACKAGE, Means, Service, channelz, services
from admin.services.node import FRESH_S
from admin.sharing import Changes
from admin.streams import EventHub
from admin.tls import TRUST_FILE, ServerTls
from admin.tokenfiles import TokenFiles

log = logging.getLogger(__name__)

ADDRESS_FILE = "admin.address"
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""gRPC's own default, stated: four of the largest frames (WIRE: limits)."""
MAX_CALLS = 1_024
"""At the same time, streams included: bounds what waits for the actors. Streams, calls without a token, those that
are refused and those that were given up take four fifths at most: calls with a token find room.
"""
MAX_CONNECTIONS = 128
"""The next is closed at once. Each is an open file, and a node keeps 256 beside those of its peers."""
HANDSHAKE_MS = 10_000
"""For TLS and HTTP/2: whoever connects and says nothing holds a file."""
IDLE_MS = 300_000
"""A connection without a call is closed after so long; clients open another without a word."""
MAX_STREAMS_PER_CONNECTION = 512
"""HTTP/2 streams, calls included: above the 128 event streams and a client's calls beside them."""
KEEPALIVE_MS = 30_000
"""A client that is gone without a goodbye is noticed within this and the timeout."""
KEEPALIVE_TIMEOUT_MS = 10_000
CLIENT_PING_MS = 10_000
"""Clients may ping so often, also between calls."""
LOOK_EVERY_S = 1.0
"""How long a stream may outlive its token, and a new TLS file wait where nobody connects."""
START_TIMEOUT_S = 10.0
FINAL_EVENT_S = 1.0
"""How long calls and streams may take to end by themselves; a stalled one is cut off with STOPPING."""
LAST_TASKS_S = 1.0
"""How long a call may take to end whose status is sent: it has nothing more to wait for."""
DEFAULT_GRACE_S = 5.0
"""How long calls that were cut off may take to say so to their callers, who may not read."""

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # a second server on the port fails, and does not share it
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
    # Windows that do not grow: what nobody reads, of calls that will be refused too, waits at the caller's. With
    # windows that grow, 128 messages that come without a token were seen to cost a gigabyte.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ("grpc.max_connection_idle_ms", IDLE_MS),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", CLIENT_PING_MS),
)
_ENDING_THEMSELVES = frozenset(
    {
        f"/{PACKAGE}EventService/WatchEvents",
        f"/{PACKAGE}NodeService/WatchNode",
        "/grpc.health.v1.Health/Watch",
    }
)


class AdminServer:
    """Serves ``troupe.admin.v1`` of one node."""

    def __init__(
        self,
        house: House,
        *,
        listen: str = "127.0.0.1:0",
        ask_timeout_s: float = ASK_TIMEOUT_S,
        tls: ServerTls | None = None,
        channelz: bool = False,
        fresh_s: float = FRESH_S,
    ) -> None:
        """Args:
            listen: ``host:port``; port 0 lets the system choose.
            ask_timeout_s: How long an actor may take to answer.
            tls: None: plaintext.
            channelz: Whether to serve grpc.channelz.v1 too, which shows the sockets and calls of this server.
            fresh_s: How long GetNode may serve one look at the actors.

        Raises:
            AdminBindError: ``listen`` is no address, or is open to other machines without TLS.
        """
        self._house, self._listen = house, bindable(listen, tls=tls is not None)
        self._tls, self._channelz = tls, channelz
        self._bound: Future[str] = Future()
        self._thread = threading.Thread(target=self._run, name="troupe-admin", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked: asyncio.Event | None = None
        self._grace_s, self._ask_timeout_s = DEFAULT_GRACE_S, ask_timeout_s
        self._fresh_s = fresh_s

    def start(self) -> str:
        """Serve. Returns the bound ``host:port``. While it serves, the data directory's ``admin.address``
        holds where to call it from this machine, and ``admin.pem`` what to trust if it is TLS.

        Raises:
            AdminBindError: the address is in use, or cannot be bound.
            OSError: a token cannot be read, or it or the address cannot be written.
        """
        self._thread.start()
        return self._bound.result(START_TIMEOUT_S)

    def stop(self, grace_s: float = DEFAULT_GRACE_S) -> None:
        """Stop in order, while the actors still play: health says so, streams end with a final event, calls
        finish soon or are refused, all within the grace. Returns when the thread is gone. From any other thread; again is harmless.
        """
        loop, stop_asked = self._loop, self._stop_asked
        if loop is not None and stop_asked is not None:
            self._grace_s = grace_s
            with contextlib.suppress(RuntimeError):  # the loop has closed: it is stopped
                loop.call_soon_threadsafe(stop_asked.set)
        if self._thread.ident is not None:
            self._thread.join()

    # -- on the server's thread ---------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._bound.done():
                log.critical("the admin server fell", exc_info=error)
            else:
                self._bound.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._stop_asked = asyncio.get_running_loop(), asyncio.Event()
        house = self._house
        asker = Asker(house.supervisor, timeout_s=self._ask_timeout_s)
        hub = EventHub(house.events, self._loop)
        tokens = Tokens(TokenFiles(house.data_dir), house.clock)
        counts, logs = CallCounts(), LogHub(self._loop)
        changes = Changes()
        means = Means(
            house, asker, hub, logs, tokens, counts, self._stop_asked, changes, self._fresh_s
        )
        served = services(means)
        if self._channelz:
            served = (*served, channelz())
        needs = {service.name: service.actors for service in served}
        health = Health(asker, house.supervisor, needs, _noter(hub, house.events.name, changes))
        guard = Guard(tokens, counts, changes, house.clock)
        server = grpc.aio.server(
            interceptors=(guard,),
            options=(*_OPTIONS, ("grpc.enable_channelz", int(self._channelz))),
            maximum_concurrent_rpcs=MAX_CALLS,
        )
        logging.getLogger("grpc._cython.cygrpc").addFilter(_is_news)
        _add_services(server, served, health)
        address = _bind(server, self._listen, self._tls)
        await server.start()
        try:
            await health.refresh()
            with logs.listening(), _told(house.data_dir, address, self._tls):
                log.info("the admin API is served on %s", address)
                self._bound.set_result(address)
                await self._serve_until(self._stop_asked, guard, health, hub)
        finally:
            await server.stop(self._grace_s)
            await _others_ended()
        log.info("the admin API is closed")

    async def _serve_until(
        self, stop_asked: asyncio.Event, guard: Guard, health: Health, hub: EventHub
    ) -> None:
        """Look after what is served; once asked to stop, let it end in order."""
        refreshing = asyncio.create_task(health.run())
        looking = asyncio.create_task(_look_about(guard, self._tls))
        try:
            await stop_asked.wait()
            guard.close()
            await health.stop()
            await hub.stop(FINAL_EVENT_S)
            await guard.end_calls(last=_ENDING_THEMSELVES, patience_s=FINAL_EVENT_S)
        finally:
            refreshing.cancel()
            looking.cancel()


@contextlib.contextmanager
def _told(data_dir: Path, address: str, tls: ServerTls | None) -> Iterator[None]:
    """What a client on this machine needs is in files for as long as it is served, the address last."""
    address_file, trust_file = data_dir / ADDRESS_FILE, data_dir / TRUST_FILE
    trust_file.unlink(missing_ok=True)  # of a run that was killed
    with tls.told(trust_file) if tls is not None else contextlib.nullcontext():
        write_whole(address_file, f"{reachable(address)}\n".encode("ascii"))
        try:
            yield
        finally:
            address_file.unlink(missing_ok=True)


async def _look_about(guard: Guard, tls: ServerTls | None) -> None:
    """What time alone brings about: tokens expire, certificates are renewed or replaced."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        guard.look()
        if tls is not None:
            tls.look()


async def _others_ended() -> None:
    """Wait for calls whose status is sent: gRPC has stopped without them, and prints a traceback of one that the end of
    the loop breaks off.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=LAST_TASKS_S)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether gRPC tells more than that a client went while an answer was on its way to it: anybody can do that, and
    as often as he likes.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, grpc.aio.InternalError)


def _noter(hub: EventHub, events: str, changes: Changes) -> Any:
    def note(reports: Mapping[str, ActorReport]) -> None:
        changes.tell()  # before the watchers of health learn of one that is down
        if events in reports:
            hub.note_restarts(reports[events].incarnation)

    return note


def _add_services(server: grpc.aio.Server, served: Sequence[Service], health: Health) -> None:
    for service in served:
        service.add(service.servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    health_name: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    reflection.enable(server, (*(service.name for service in served), health_name))


def _bind(server: grpc.aio.Server, listen: str, tls: ServerTls | None) -> str:
    """Bind, and return ``host:port`` with the port that the system gave."""
    try:
        if tls is None:
            port = server.add_insecure_port(listen)
        else:
            port = server.add_secure_port(listen, tls.credentials())
    except RuntimeError:
        port = 0
    if port == 0:
        raise unbound(listen)
    return f"{listen.rpartition(':')[0]}:{port}"
