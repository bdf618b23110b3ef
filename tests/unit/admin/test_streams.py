"""What a reader of events learns of a gap."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from troupe.admin.v1 import errors_pb2, event_pb2

from actors.mempool.messages import RemovalReason, TransactionRemoved
from actors.runtime.events import Event
from admin.errors import Refusal
from admin.streams import MAX_QUEUED, EventHub
from tests.support.admin_stage import EPOCH, AdminStage

GONE = TransactionRemoved(bytes(32), RemovalReason.EXPIRED)


def received(data_dir: Path, *sequences: int) -> list[int]:
    """The numbers that a reader gets when events of these numbers come in."""

    async def read() -> list[int]:
        stage = AdminStage(data_dir)
        hub = EventHub(stage.house.events, asyncio.get_running_loop())
        stream = hub.open((), event_pb2.EventPosition())
        for sequence in sequences:
            hub.receive(Event(sequence, EPOCH, 0.0, GONE))
        got = [(await stream.next()).sequence for _ in sequences]
        stage.clock.stop()
        return got

    return asyncio.run(read())


def test_an_event_is_serialized_once_for_all_its_readers(tmp_path: Path) -> None:
    async def read() -> list[bytes]:
        stage = AdminStage(tmp_path)
        hub = EventHub(stage.house.events, asyncio.get_running_loop())
        streams = [hub.open((), event_pb2.EventPosition()) for _ in range(2)]
        hub.receive(Event(1, EPOCH, 0.0, GONE))
        responses = [(await stream.next()).response for stream in streams]
        stage.clock.stop()
        return responses

    first, second = asyncio.run(read())
    assert first is second


def test_events_in_a_row_are_read(tmp_path: Path) -> None:
    assert received(tmp_path, 4, 5, 6) == [4, 5, 6]


def test_a_number_that_was_skipped_ends_the_stream(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        received(tmp_path, 4, 6)
    assert caught.value.reason == errors_pb2.ERROR_REASON_SLOW_CONSUMER


def test_a_stream_that_is_not_read_holds_so_many_events_and_after_one_more_none(
    tmp_path: Path,
) -> None:
    async def stall() -> None:
        stage = AdminStage(tmp_path)
        hub = EventHub(stage.house.events, asyncio.get_running_loop())
        stream = hub.open((), event_pb2.EventPosition())
        held = []
        for sequence in range(1, MAX_QUEUED + 3):
            hub.receive(Event(sequence, EPOCH, 0.0, GONE))
            await asyncio.sleep(0)
            held.append(len(stream._queue))
        assert held == [*range(1, MAX_QUEUED + 1), 0, 0]
        with pytest.raises(Refusal) as caught:
            await stream.next()
        assert caught.value.reason == errors_pb2.ERROR_REASON_SLOW_CONSUMER
        stage.clock.stop()

    asyncio.run(stall())
