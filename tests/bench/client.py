"""Clients of a node's admin API in processes of their own, so that the node is all that is measured.

A client is a function that gets one end of a pipe and a :class:`Door`. It says when it is ready; what it is
told after that, it says of itself.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, NamedTuple, Self

import grpc
from troupe.admin.v1 import node_service_pb2, node_service_pb2_grpc

from tests.bench.figure import quantile
from tests.support.process import NodeProcess

PATIENCE_S = 120.0
"""For a client's next word; the longest work takes a quarter of it."""
READY = "ready"
WARM_UP_CALLS = 50


@dataclass(frozen=True)
class Door:
    """Where to call a node, and with what."""

    address: str
    token: str

    @classmethod
    def of(cls, node: NodeProcess) -> Door:
        return cls(node.admin_address, (node.data_dir / "admin.token").read_text().strip())

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)


class ClientProcess:
    """A client that is ready; a context manager that leaves no process behind."""

    def __init__(self, work: Callable[..., None], *arguments: object) -> None:
        processes = multiprocessing.get_context("spawn")  # gRPC does not outlive a fork
        self._pipe, theirs = processes.Pipe()
        self._process = processes.Process(target=work, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        assert self.hear() == READY
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None, "it is started"
        return self._process.pid

    def tell(self) -> None:
        """The one word that there is: go on."""
        self._pipe.send(None)

    def give(self, data: bytes) -> None:
        """What it is to work with; it says when it is ready for that."""
        self._pipe.send_bytes(data)
        assert self.hear() == READY

    def hear(self) -> Any:
        """What it says next.

        Raises:
            EOFError: it fell; its trace is on stderr.
            TimeoutError: it says nothing.
        """
        if not self._pipe.poll(PATIENCE_S):
            message = "a client of the benchmark says nothing"
            raise TimeoutError(message)
        return self._pipe.recv()


class Parent:
    """A client's view of its pipe, on its event loop."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._told = pipe, asyncio.Semaphore(0)

    def say(self, word: object) -> None:
        self._pipe.send(word)

    async def wait(self) -> None:
        """Until told to go on. Twice told lets two waits pass."""
        await self._told.acquire()

    def heed(self) -> None:
        try:
            self._pipe.recv()
        except EOFError:
            raise SystemExit from None
        self._told.release()


@asynccontextmanager
async def parent(pipe: Connection) -> AsyncIterator[Parent]:
    """Heed the pipe for as long as the context lasts."""
    loop, its = asyncio.get_running_loop(), Parent(pipe)
    loop.add_reader(pipe.fileno(), its.heed)
    try:
        yield its
    finally:
        loop.remove_reader(pipe.fileno())


class Calls(NamedTuple):
    """How unary calls went."""

    made: int
    per_s: float
    p50_ms: float
    p99_ms: float


def call_node(pipe: Connection, door: Door, in_flight: int, pause_s: float = 0.0) -> None:
    """GetNode over one channel, so many at a time, each one by one with a pause between.

    Told to go on, it begins; told again, it ends and says :class:`Calls`; and so on.
    """
    asyncio.run(_call_node(pipe, door, in_flight, pause_s))


async def _call_node(pipe: Connection, door: Door, in_flight: int, pause_s: float) -> None:
    request = node_service_pb2.GetNodeRequest()
    async with grpc.aio.insecure_channel(door.address) as channel, parent(pipe) as bench:
        stub: Any = node_service_pb2_grpc.NodeServiceStub(channel)
        answered = asyncio.Event()

        async def one_by_one(taken: list[float]) -> None:
            while True:
                begun_s = time.perf_counter()
                await stub.GetNode(request, metadata=door.metadata)
                taken.append(1e3 * (time.perf_counter() - begun_s))
                answered.set()
                if pause_s:
                    await asyncio.sleep(pause_s)

        for _ in range(WARM_UP_CALLS):
            await stub.GetNode(request, metadata=door.metadata)
        bench.say(READY)
        while True:
            await bench.wait()
            answered.clear()
            taken: list[float] = []
            begun_s = time.perf_counter()
            callers = [asyncio.create_task(one_by_one(taken)) for _ in range(in_flight)]
            ending = asyncio.create_task(bench.wait())
            await asyncio.wait((*callers, ending), return_when=asyncio.FIRST_COMPLETED)
            for caller in callers:
                if caller.done():
                    caller.result()  # it raises: nothing else ends it
            await answered.wait()
            per_s = len(taken) / (time.perf_counter() - begun_s)
            for caller in callers:
                caller.cancel()
            bench.say(Calls(len(taken), per_s, quantile(taken, 0.50), quantile(taken, 0.99)))
