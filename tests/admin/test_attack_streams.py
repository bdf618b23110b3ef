"""Streams that are opened and dropped, opened and not read, opened and not asked for: each gives its place back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from troupe.admin.v1 import event_service_pb2, event_service_pb2_grpc

from actors.ledger.keys import ED25519
from actors.mempool.messages import TransactionAdded
from admin.guard import Guard
from admin.places import MAX_OPEN_STREAMS, MAX_TOKEN_STREAMS
from tests.support.admin_stage import WAIT_S, AdminStage, refused, staged
from tests.support.http2 import RawConnection, call_headers
from tests.support.ledger import key, transfer

WATCH = event_service_pb2.WatchEventsRequest()
WATCH_EVENTS = "/troupe.admin.v1.EventService/WatchEvents"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
BULKY = TransactionAdded(transfer(key(ED25519, "payer"), bytes(2_000), 0, 25), pending=True)
"""Some 12 KB on this surface: six of them fill the window of a stream that is not read."""
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0))
SOON_S = 0.02


@pytest.fixture
def watchful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AdminStage]:
    """A stage whose server looks about all the time, and has little patience."""
    monkeypatch.setattr("admin.server.LOOK_EVERY_S", SOON_S)
    monkeypatch.setattr("admin.guard.STALLED_LOOKS", 5)
    with staged(tmp_path) as stage:
        yield stage


def watches(stage: AdminStage, channel: grpc.Channel | None = None) -> Any:
    """A stream of events that has begun."""
    stub: Any = event_service_pb2_grpc.EventServiceStub(channel or stage.channel())
    stream = stub.WatchEvents(WATCH, metadata=_bearer(stage) if channel else None)
    assert next(stream).event.HasField("watch_started")
    return stream


def eventually(attempt: Callable[[], Any]) -> Any:
    """What an attempt returns once it is not refused for want of a place."""
    deadline_s = time.monotonic() + WAIT_S
    while True:
        try:
            return attempt()
        except grpc.RpcError as error:
            if refused(error).reason != "TOO_MANY_STREAMS" or time.monotonic() > deadline_s:
                raise


def _bearer(stage: AdminStage, file: str = "admin.token") -> Any:
    return (("authorization", f"Bearer {stage.token(file)}"),)


def test_streams_that_are_opened_and_dropped_leave_their_places(stage: AdminStage) -> None:
    stub: Any = stage.stub(event_service_pb2_grpc.EventServiceStub)
    for _ in range(5):
        for stream in [stub.WatchEvents(WATCH) for _ in range(MAX_TOKEN_STREAMS // 2)]:
            stream.cancel()
    held = [eventually(lambda: watches(stage)) for _ in range(MAX_TOKEN_STREAMS // 2)]
    assert len(held) == MAX_TOKEN_STREAMS // 2


def test_a_stream_that_is_not_read_loses_its_place(
    watchful: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.places.MAX_TOKEN_STREAMS", 1)
    with grpc.insecure_channel(watchful.address, options=OWN_CONNECTION) as own:
        unread = watches(watchful, own)
        watchful.happen(*[BULKY] * 20)
        assert eventually(lambda: watches(watchful))
        with pytest.raises(grpc.RpcError) as caught:
            list(unread)
        error: Any = caught.value
        assert error.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED}


def test_a_stream_in_which_nothing_happens_is_not_taken_for_one_that_is_not_read(
    watchful: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: SimpleQueue[None] = SimpleQueue()
    look = Guard.look

    def counted(guard: Guard) -> None:
        look(guard)
        looked.put(None)

    monkeypatch.setattr(Guard, "look", counted)
    stream = watches(watchful)
    for _ in range(20):
        looked.get(timeout=WAIT_S)
    watchful.happen(BULKY)
    assert next(stream).event.sequence == 1


@pytest.mark.parametrize("path", [WATCH_EVENTS, REFLECTION])
def test_a_stream_whose_request_never_comes_loses_its_place(
    watchful: AdminStage, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("admin.places.MAX_TOKEN_STREAMS", 1)
    monkeypatch.setattr("admin.places.MAX_OPEN_STREAMS", 1)
    monkeypatch.setattr("admin.guard.UPLOAD_GAP_S", SOON_S)
    monkeypatch.setattr("admin.guard.STALLED_LOOKS", 1_000_000)
    with RawConnection(watchful.address) as raw:
        raw.open(call_headers(path, *_bearer(watchful)), 3)
        if path == WATCH_EVENTS:
            assert eventually(lambda: watches(watchful))
        else:
            assert eventually(lambda: next(_health_watch(watchful)))


def _health_watch(stage: AdminStage) -> Any:
    watch: Any = health_pb2_grpc.HealthStub(stage.channel(""))
    request: Any = health_pb2
    return watch.Watch(request.HealthCheckRequest(service=""))


def test_streams_without_a_token_take_no_place_of_those_with_one(stage: AdminStage) -> None:
    open_streams = [_health_watch(stage) for _ in range(MAX_OPEN_STREAMS)]
    for stream in open_streams:
        next(stream)
    with pytest.raises(grpc.RpcError) as caught:
        next(_health_watch(stage))
    assert refused(caught.value).metadata == {"limit": str(MAX_OPEN_STREAMS)}
    assert watches(stage)


def test_a_reader_that_stalls_is_not_waited_for_by_a_stop(stage: AdminStage) -> None:
    with grpc.insecure_channel(stage.address, options=OWN_CONNECTION) as own:
        watches(stage, own)
        stage.happen(*[BULKY] * 20)
        brisk = watches(stage)
        stopped = threading.Thread(target=stage.server.stop, kwargs={"grace_s": 1.0})
        stopped.start()
        with pytest.raises(grpc.RpcError) as caught:
            list(brisk)
        assert refused(caught.value).reason == "STOPPING"
        stopped.join(WAIT_S)
        assert not stopped.is_alive()
