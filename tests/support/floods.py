"""Sixteen attackers of the admin plane in a process of their own, each as fast as it can be.

A flood is a client as in :mod:`tests.bench.client`: told to go on, it begins; told again, it ends and says how
its calls ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Any, Final

import grpc

from admin.server import MAX_MESSAGE_BYTES
from tests.bench.client import READY, Door, parent
from tests.support.abuse import OVERSIZED_BYTES
from tests.support.http2 import (
    CANCEL,
    END_HEADERS,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    call_headers,
    frame,
)

ATTACKERS = 16
PACKAGE = "/troupe.admin.v1."
GET_NODE = PACKAGE + "NodeService/GetNode"
SUBMIT = PACKAGE + "MempoolService/SubmitTransaction"
WATCH = PACKAGE + "EventService/WatchEvents"
CHECK = "/grpc.health.v1.Health/Check"
VERIFY = PACKAGE + "ChainService/VerifyChain"
UNKNOWN = "x" * 43
AT_ONCE = 8
"""Calls of an attacker on their way at a time, where it is not one."""
UNREAD = 7
"""Streams of an attacker: all of them together are what one token may have."""
RESETS_A_BREATH, BREATH_S = 2, 0.03
"""Of one attacker: 16 of them begin and give up some 1,000 calls a second."""
RETRY_S = 0.05
RESET = "calls reset at once"
LIMIT_S = 60.0
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)

Seen = Counter[str]
Attack = Callable[[Door, Seen], Awaitable[None]]


@contextlib.asynccontextmanager
async def _channel(door: Door) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(door.address, options=OWN_CONNECTION) as channel:
        yield channel


async def _call(door: Door, seen: Seen, method: str, request: bytes, at_once: int) -> None:
    """One method again and again."""
    metadata = door.metadata if door.token else ()

    async def again(call: Any) -> None:
        while True:
            try:
                await call(request, metadata=metadata, timeout=LIMIT_S)
                seen["OK"] += 1
            except grpc.aio.AioRpcError as error:
                seen[error.code().name] += 1

    async with _channel(door) as channel, asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(again(channel.unary_unary(method)))


async def without_token(door: Door, seen: Seen) -> None:
    await _call(replace(door, token=""), seen, GET_NODE, b"", AT_ONCE)


async def with_unknown_token(door: Door, seen: Seen) -> None:
    await _call(replace(door, token=UNKNOWN), seen, GET_NODE, b"", AT_ONCE)


async def with_good_token(door: Door, seen: Seen) -> None:
    await _call(door, seen, GET_NODE, b"", 1)


async def health(door: Door, seen: Seen) -> None:
    await _call(replace(door, token=""), seen, CHECK, b"", 1)


async def oversized(door: Door, seen: Seen) -> None:
    await _call(door, seen, GET_NODE, bytes(OVERSIZED_BYTES), 1)


async def bodies_without_token(door: Door, seen: Seen) -> None:
    """Messages as large as they may be, of calls that are refused before anybody reads them."""
    await _call(replace(door, token=""), seen, SUBMIT, bytes(MAX_MESSAGE_BYTES - 100), AT_ONCE)


async def opened_and_dropped(door: Door, seen: Seen) -> None:
    """Streams that are given up after their first message."""
    async with _channel(door) as channel:
        watch = channel.unary_stream(WATCH)
        while True:
            stream = watch(b"", metadata=door.metadata)
            try:
                await stream.read()
                seen["dropped"] += 1
            except grpc.aio.AioRpcError as error:
                seen[error.code().name] += 1
            stream.cancel()


async def never_read(door: Door, seen: Seen) -> None:
    """Streams of which nothing but the first message is read; when they are all taken, more are asked for."""
    async with _channel(door) as channel:
        watch = channel.unary_stream(WATCH)
        kept = []
        while True:
            stream = watch(b"", metadata=door.metadata)
            try:
                await stream.read()
                kept.append(stream)
                seen["held"] += 1
            except grpc.aio.AioRpcError as error:
                seen[error.code().name] += 1
            if len(kept) >= UNREAD:
                await asyncio.sleep(RETRY_S)


async def long_jobs(door: Door, seen: Seen) -> None:
    """The chain verified from its first block, of which one at a time is done."""
    async with _channel(door) as channel:
        verify = channel.unary_stream(VERIFY)
        while True:
            try:
                async for _ in verify(b"", metadata=door.metadata):
                    pass
                seen["OK"] += 1
            except grpc.aio.AioRpcError as error:
                seen[error.code().name] += 1


async def reset(door: Door, seen: Seen) -> None:
    """Calls that are begun and given up in one breath."""
    headers = call_headers(GET_NODE, ("authorization", f"Bearer {door.token}"))
    async with _raw(door) as writer:
        stream = 1
        while True:
            for _ in range(RESETS_A_BREATH):
                writer.write(frame(HEADERS, END_HEADERS, stream, headers))
                writer.write(frame(RST_STREAM, 0, stream, CANCEL))
                stream += 2
            await writer.drain()
            seen["reset"] += RESETS_A_BREATH
            await asyncio.sleep(BREATH_S)


async def silent(door: Door, seen: Seen) -> None:
    """Connections that say nothing, as many as the node lets in, and more."""
    host, _, port = door.address.rpartition(":")
    kept = []
    while True:
        _, writer = await asyncio.open_connection(host, int(port))
        kept.append(writer)
        seen["connected"] += 1
        await asyncio.sleep(RETRY_S)


@contextlib.asynccontextmanager
async def _raw(door: Door) -> AsyncIterator[asyncio.StreamWriter]:
    host, _, port = door.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(PREFACE + frame(SETTINGS, 0, 0))
    draining = asyncio.create_task(reader.read())
    try:
        yield writer
    finally:
        draining.cancel()
        writer.close()


FLOODS: Final[Mapping[str, Attack]] = MappingProxyType(
    {
        "calls without a token": without_token,
        "calls with an unknown token": with_unknown_token,
        "calls with a good token": with_good_token,
        "health checks": health,
        "oversized messages": oversized,
        "messages without a token": bodies_without_token,
        "streams opened and dropped": opened_and_dropped,
        "streams never read": never_read,
        "long jobs": long_jobs,
        RESET: reset,
        "silent connections": silent,
    }
)


def flood(pipe: Connection, door: Door, name: str) -> None:
    """The work of the process."""
    asyncio.run(_flood(pipe, door, name))


async def _flood(pipe: Connection, door: Door, name: str) -> None:
    seen: Seen = Counter()
    async with parent(pipe) as told:
        told.say(READY)
        await told.wait()
        attackers = [asyncio.ensure_future(FLOODS[name](door, seen)) for _ in range(ATTACKERS)]
        ending = asyncio.create_task(told.wait())
        await asyncio.wait((*attackers, ending), return_when=asyncio.FIRST_COMPLETED)
        while not seen and not any(attacker.done() for attacker in attackers):
            await asyncio.wait(attackers, timeout=RETRY_S)  # a slow machine takes its time to begin
        for attacker in attackers:
            if attacker.done():
                attacker.result()  # it raises: nothing else ends it
            attacker.cancel()
        await asyncio.wait(attackers)
        told.say(seen)
