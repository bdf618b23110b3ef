"""The admin API in front of a whole node, without sockets: calls go through the guard as gRPC makes them.

Actors are pumped, and time passes, until a call has ended or its client gives it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc

from actors.chain.archive import Archive
from actors.chain.importer import Importer
from actors.chain.store import Store
from actors.ledger.keys import PrivateKey
from actors.ledger.network import Network
from actors.ledger.types import Block
from admin.asks import Asker
from admin.auth import Minted, Token, Tokens, digest
from admin.cli.definitions import SETTINGS
from admin.cli.settings import DIRECTORY_FILE
from admin.counts import CallCounts
from admin.errors import CODES
from admin.guard import Guard
from admin.house import House as AdminHouse
from admin.logs import LogHub
from admin.permissions import EVERYTHING
from admin.roster import Means, services
from admin.services.chain_files import BACKUPS_DIRECTORY
from admin.sharing import Changes
from admin.streams import EventHub
from admin.tuning import Setting, Source, Tuning, as_text
from tests.fuzz.house import OWN, House
from tests.fuzz.scratch import folder

SECRET = "ab" * 32
DOCUMENTED = frozenset(CODES.values()) - {grpc.StatusCode.INTERNAL}
MAX_RESPONSES = 4
"""That a client takes of a stream before it leaves."""
MAX_ROUNDS = 40
STEP_S = 1.0
"""So many rounds of it are longer than any call may wait."""
JOB_S = 0.02
"""What a job on a thread of its own gets in a round."""
MAX_TRAILER_BYTES = 8 * 1024
"""What clients take of headers."""


class NoTokenFiles:
    """One token that may all, and nothing is kept."""

    def load(self) -> Iterable[Token]:
        yield Token("one", "one", digest(SECRET), EVERYTHING, 0.0)

    def save(self, tokens: Sequence[Token]) -> None:
        pass

    def discard(self, minted: Minted) -> None:
        pass


class Context:
    """What gRPC gives a handler, as far as ours use it."""

    def __init__(self, encode: Any, hear: Callable[[Any], None] = lambda _response: None) -> None:
        self.code: grpc.StatusCode | None = None
        self.responses = 0
        self._encode, self._hear = encode, hear

    async def abort(self, code: grpc.StatusCode, details: str, trailer: Any) -> None:
        self.code = code
        assert sum(len(value) for _, value in trailer) + len(details.encode()) < MAX_TRAILER_BYTES
        raise grpc.aio.AbortError

    async def write(self, response: Any) -> None:
        self.answer(response)
        self.responses += 1
        if self.responses >= MAX_RESPONSES:
            raise asyncio.CancelledError  # the client has left

    def answer(self, response: Any) -> None:
        """What gRPC does with a response."""
        self._encode(response)
        self._hear(response)

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        return (("authorization", f"Bearer {SECRET}"),)

    def peer(self) -> str:
        return "ipv4:127.0.0.1:5"


class Registry:
    """What services are added to in place of a server."""

    def __init__(self) -> None:
        self._handlers: list[Any] = []

    def add_generic_rpc_handlers(self, handlers: Iterable[Any]) -> None:
        self._handlers += handlers

    def add_registered_method_handlers(self, _service: str, _handlers: Any) -> None:
        """The same once more, for a faster way."""

    async def find(self, details: Any) -> Any:
        found = (handler.service(details) for handler in self._handlers)
        return next((each for each in found if each is not None), None)


class Door:
    """The admin plane of a house. Close it."""

    def __init__(
        self,
        house: House,
        network: Network,
        wallet: PrivateKey,
        hear: Callable[[Any], None] = lambda _response: None,
    ) -> None:
        """``hear`` is told every response."""
        self._hear = hear
        self._house, self._network, self._wallet = house, network, wallet
        self.archive = Archive(own_folder() / "chain.db", network, house.clock)
        self._guard: Guard
        self._registry = Registry()

    def close(self) -> None:
        self.archive.close()
        shutil.rmtree(own_folder() / BACKUPS_DIRECTORY, ignore_errors=True)
        (own_folder() / DIRECTORY_FILE).unlink(missing_ok=True)
        for name in ("", "actors", "admin", *logging.root.manager.loggerDict):
            if name.startswith(("actors", "admin")):
                logging.getLogger(name).setLevel(logging.NOTSET)

    def call_all(self, calls: Iterable[tuple[str, Sequence[bytes]]]) -> None:
        """Make calls one after the other: methods, each with its requests.

        Raises:
            AssertionError: one ended as none may.
        """
        asyncio.run(self._call_all(calls))

    async def _call_all(self, calls: Iterable[tuple[str, Sequence[bytes]]]) -> None:
        loop, clock, events = asyncio.get_running_loop(), self._house.clock, self._house.addresses
        counts, changes, logs = CallCounts(), Changes(), LogHub(loop)
        tokens = Tokens(NoTokenFiles(), clock)
        admin_house = self._admin_house()
        asker = Asker(admin_house.supervisor)
        hub = EventHub(events.events, loop)
        means = Means(admin_house, asker, hub, logs, tokens, counts, asyncio.Event(), changes, 0.0)
        for service in services(means):
            service.add(service.servicer, self._registry)
        self._guard = Guard(tokens, counts, changes, clock)
        with logs.listening():
            for method, requests in calls:
                await self._call(method, requests)

    def _admin_house(self) -> AdminHouse:
        house, at, network = self._house, self._house.addresses, self._network
        settings = [
            Setting(each.name, as_text(each.default), Source.DEFAULT, parse=each.parse)
            if each.mutable
            else Setting(each.name, as_text(each.default), Source.DEFAULT)
            for each in SETTINGS
        ]
        return AdminHouse(
            **{name: getattr(at, name) for name in at.__dataclass_fields__},
            clock=house.clock,
            version="0.0.0",
            network=network,
            started_s=house.clock.now_s(),
            listen_address=OWN,
            advertise_address=OWN,
            data_dir=own_folder(),
            archive=self.archive,
            wallet=self._wallet,
            shutdown=lambda: None,
            tuning=Tuning(
                settings, file=own_folder() / DIRECTORY_FILE, set_log_level=lambda _level: None
            ),
        )

    async def _call(self, method: str, requests: Sequence[bytes]) -> None:
        context = SimpleNamespace()
        task = asyncio.create_task(self._handle(method, requests, context))
        await self._settle(task)
        with contextlib.suppress(asyncio.CancelledError, grpc.aio.AbortError):
            task.result()
        code = context.seen.code
        assert code is None or code in DOCUMENTED, f"{method} ended with {code}"

    async def _handle(self, method: str, requests: Sequence[bytes], box: SimpleNamespace) -> None:
        box.seen = context = Context(lambda _response: b"")
        details = SimpleNamespace(method=method, invocation_metadata=context.invocation_metadata())
        handler = await self._guard.intercept_service(self._registry.find, details)
        box.seen = context = Context(handler.response_serializer, self._hear)
        asked = _stream(map(handler.request_deserializer, requests))
        if handler.stream_unary is not None:
            context.answer(await handler.stream_unary(asked, context))
        else:
            await handler.stream_stream(asked, context)

    async def _settle(self, task: asyncio.Task[None]) -> None:
        """Let actors, threads and time do their part until the call has ended, or the client leaves."""
        for _ in range(MAX_ROUNDS):
            for _ in range(8):
                await asyncio.sleep(0)
                self._house.pump.run_until_idle()
            if task.done():
                return
            if self.archive._jobs:
                await asyncio.wait({task}, timeout=JOB_S)
            if task.done():
                return
            self._house.pump.run_for(STEP_S)
        task.cancel()
        await asyncio.wait({task})


async def _stream(requests: Iterator[Any]) -> AsyncIterator[Any]:
    for request in requests:
        yield request


def own_folder() -> Path:
    """The data directory: what is in it but the chain goes with the door."""
    path = folder() / "door"
    path.mkdir(exist_ok=True)
    return path


def prepare(network: Network, chain: Sequence[Block]) -> Path:
    """The file that the long jobs read."""
    path = own_folder() / "chain.db"
    with contextlib.closing(Store.open(path, network)) as store:
        Importer(store, network).add(chain)
    return path
