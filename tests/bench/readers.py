"""Readers of a node's events, brisk and stalled ones, as :class:`~tests.bench.client.ClientProcess` runs them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, cast

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status
from troupe.admin.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc

from tests.bench.client import READY, Door, parent
from tests.bench.figure import quantile

LAST = event_pb2.EVENT_TYPE_MINING_STOPPED
"""What a benchmark lets happen last, by which readers know that they have all."""
NARROW = (("grpc.http2.bdp_probe", 0), ("grpc.use_local_subchannel_pool", 1))
"""A connection of its own, whose window stays at 64 KiB: what it does not read soon waits in the node."""


class Watched(NamedTuple):
    """What many streams received, from where the last of them began.

    Attributes:
        numbers: Of the events that the first received.
        blocks: Hashes of the blocks that these told of.
        differing: Streams that did not receive the very same.
        p50_ms: How old an event was when a stream received it.
        p99_ms: The same.
        last_ms: How much later the last stream received its last event than the first stream to have it.
    """

    numbers: list[int]
    blocks: frozenset[str]
    differing: int
    p50_ms: float
    p99_ms: float
    last_ms: float


class Stalled(NamedTuple):
    """What a reader that stalled received.

    Attributes:
        before: Numbers that it received before it was cut off.
        reason: What it was cut off with, and the metadata of that.
        after: Numbers that it received when it resumed from there.
    """

    before: list[int]
    reason: str
    metadata: dict[str, str]
    after: list[int]


def watch(pipe: Connection, door: Door, streams: int) -> None:
    """So many streams over one channel; at their last event it says :class:`Watched`."""
    asyncio.run(_watch(pipe, door, streams))


def stall(pipe: Connection, door: Door) -> None:
    """A stream that is not read until it is told to go on; at its last event it says :class:`Stalled`."""
    asyncio.run(_stall(pipe, door))


async def _watch(pipe: Connection, door: Door, streams: int) -> None:
    async with grpc.aio.insecure_channel(door.address) as channel, parent(pipe) as bench:
        begun = [await _begin(channel, door) for _ in range(streams)]
        bench.say(READY)
        common, ages = max(start for _, start in begun), list[float]()
        readings = await asyncio.gather(*(_read(call, common, ages) for call, _ in begun))
        ends = [end_s for _, end_s in readings]
        first = readings[0][0]
        watched = Watched(
            numbers=[event.sequence for event in first],
            blocks=frozenset(
                block.hash for event in first for block in event.tip_changed.connected
            ),
            differing=sum(events != first for events, _ in readings),
            p50_ms=1e3 * quantile(ages, 0.50),
            p99_ms=1e3 * quantile(ages, 0.99),
            last_ms=1e3 * (max(ends) - min(ends)),
        )
        bench.say(watched)


async def _read(call: Any, after: int, ages: list[float]) -> tuple[list[event_pb2.Event], float]:
    """The events of a stream after a number, to the last, and when that came."""
    events = []
    async for event in _to_last(call):
        if event.sequence > after:
            ages.append(time.time() - event.time.ToNanoseconds() / 1e9)
            events.append(event)
    return events, time.perf_counter()


async def _stall(pipe: Connection, door: Door) -> None:
    async with (
        grpc.aio.insecure_channel(door.address, options=NARROW) as channel,
        parent(pipe) as bench,
    ):
        call, _ = await _begin(channel, door)
        bench.say(READY)
        await bench.wait()
        before, info = await _read_to_the_end(call)
        metadata, after = dict(info.metadata), []
        if metadata:
            sequence, epoch = int(metadata["sequence"]), metadata["epoch"]
            position = event_pb2.EventPosition(sequence=sequence, epoch=epoch)
            again, _ = await _begin(channel, door, position)
            after = [event.sequence async for event in _to_last(again)]
        bench.say(Stalled(before, info.reason, metadata, after))


async def _read_to_the_end(call: Any) -> tuple[list[int], Any]:
    """The numbers of the events of a stream, and the ErrorInfo that it ends with, empty after the last."""
    numbers: list[int] = []
    info = error_details_pb2.ErrorInfo()
    try:
        async for event in _to_last(call):
            numbers.append(event.sequence)  # noqa: PERF401 - they must outlive the error
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(cast("Any", error))
        if status is None or not any(detail.Unpack(info) for detail in status.details):
            raise
    return numbers, info


async def _begin(
    channel: Any, door: Door, resume_after: event_pb2.EventPosition | None = None
) -> tuple[Any, int]:
    """A stream, past its first message, and the number that it begins behind."""
    stub: Any = event_service_pb2_grpc.EventServiceStub(channel)
    request = event_service_pb2.WatchEventsRequest(resume_after=resume_after)
    call = stub.WatchEvents(request, metadata=door.metadata)
    started: event_pb2.Event = (await call.read()).event
    assert started.type == event_pb2.EVENT_TYPE_WATCH_STARTED
    return call, started.sequence


async def _to_last(call: Any) -> AsyncIterator[event_pb2.Event]:
    while True:
        response = await call.read()
        if response is grpc.aio.EOF:  # type: ignore[attr-defined]
            await _fail(call)
        yield response.event
        if response.event.type == LAST:
            return


async def _fail(call: Any) -> None:
    """Raise what the stream ended with."""
    raise grpc.aio.AioRpcError(
        await call.code(),
        await call.initial_metadata(),
        await call.trailing_metadata(),
        await call.details(),
        "",
    )
