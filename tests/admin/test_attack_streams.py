"""Calls whose client drops them, reads nothing or sends no request: each gives its place back."""

from __future__ import annotations

import asyncio
import logging
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from troupe.admin.v1 import (
    chain_service_pb2,
    chain_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
)

from actors.ledger.keys import ED25519
from actors.mempool.messages import TransactionAdded
from admin.guard import Guard
from admin.places import MAX_OPEN_STREAMS, MAX_TOKEN_STREAMS
from tests.support.admin_stage import WAIT_S, AdminStage, refusal_of, refused, staged
from tests.support.http2 import (
    CANCEL,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    RST_STREAM,
    SETTINGS,
    RawConnection,
    call_headers,
    frame,
)
from tests.support.ledger import key, transfer

WATCH = event_service_pb2.WatchEventsRequest()
WATCH_EVENTS = "/troupe.admin.v1.EventService/WatchEvents"
CHECK = "/grpc.health.v1.Health/Check"
GET_CHAIN = "/troupe.admin.v1.ChainService/GetChain"
NO_WINDOW = struct.pack(">HI", 4, 0)
"""SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113, 6.5.2): not a byte of an answer may be sent."""
EMPTY = struct.pack(">BI", 0, 0)
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
BULKY = TransactionAdded(transfer(key(ED25519, "payer"), bytes(2_000), 0, 25), pending=True)
"""Some 12 KB on this surface: six of them fill the window of a stream that is not read."""
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0))
SOON_S = 0.02


class Looks:
    """The looks of a server about its calls, which come when a test says so."""

    def __init__(self) -> None:
        self._guard: Guard | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def stand_in(self, guard: Guard, _tls: object) -> None:
        """In place of what looks about from time to time."""
        self._guard, self._loop = guard, asyncio.get_running_loop()
        await asyncio.Event().wait()

    def look(self) -> None:
        """One look, made when this returns."""
        self._see(Guard.look)

    def await_quiet(self) -> None:
        """Wait until no message of any call is being sent."""
        while self._see(lambda guard: any(call.writing for _, call in guard._places)):
            pass

    def _see(self, seen: Callable[[Guard], Any]) -> Any:
        async def on_the_loop() -> Any:
            assert self._guard is not None
            return seen(self._guard)

        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(on_the_loop(), self._loop).result(WAIT_S)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    made = Looks()
    monkeypatch.setattr("admin.server._look_about", made.stand_in)
    monkeypatch.setattr("admin.guard.STALLED_LOOKS", 5)
    return made


@pytest.fixture
def watchful(looks: Looks, tmp_path: Path) -> Iterator[AdminStage]:
    """A stage whose server has little patience, and looks about when the test says so."""
    assert looks
    with staged(tmp_path) as stage:
        yield stage


def watches(stage: AdminStage, channel: grpc.Channel | None = None) -> Any:
    """A stream of events that has begun."""
    stub: Any = event_service_pb2_grpc.EventServiceStub(channel or stage.channel())
    stream = stub.WatchEvents(WATCH, metadata=_bearer(stage) if channel else None)
    assert next(stream).event.HasField("watch_started")
    return stream


def eventually(attempt: Callable[[], Any], between: Callable[[], object] = lambda: None) -> Any:
    """What an attempt returns once it is not refused for want of a place; ``between`` comes after each that is."""
    deadline_s = time.monotonic() + WAIT_S
    while True:
        try:
            return attempt()
        except grpc.RpcError as error:
            if refused(error).reason != "TOO_MANY_STREAMS" or time.monotonic() > deadline_s:
                raise
        between()


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
    watchful: AdminStage, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.places.MAX_TOKEN_STREAMS", 1)
    with grpc.insecure_channel(watchful.address, options=OWN_CONNECTION) as own:
        unread = watches(watchful, own)
        watchful.happen(*[BULKY] * 20)
        assert eventually(lambda: watches(watchful), looks.look)
        with pytest.raises(grpc.RpcError) as caught:
            list(unread)
        error: Any = caught.value
        assert error.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED}


def test_a_stream_in_which_nothing_happens_is_not_taken_for_one_that_is_not_read(
    watchful: AdminStage, looks: Looks
) -> None:
    stream = watches(watchful)
    looks.await_quiet()
    for _ in range(20):
        looks.look()
    watchful.happen(BULKY)
    assert next(stream).event.sequence == 1


@pytest.mark.parametrize("path", [WATCH_EVENTS, HEALTH_WATCH, REFLECTION])
def test_a_stream_whose_request_never_comes_is_over_for_grpc_as_well(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("admin.places.MAX_TOKEN_STREAMS", 1)
    monkeypatch.setattr("admin.places.MAX_OPEN_STREAMS", 1)
    monkeypatch.setattr("admin.guard.UPLOAD_GAP_S", SOON_S)
    monkeypatch.setattr("admin.guard.REQUEST_S", SOON_S)
    with RawConnection(stage.address) as raw:
        raw.open(call_headers(path, *_bearer(stage)), 1)
        raw.hear(RST_STREAM)
        monkeypatch.setattr("admin.guard.REQUEST_S", WAIT_S)
        if path == WATCH_EVENTS:
            assert eventually(lambda: watches(stage))
        else:
            assert eventually(lambda: next(_health_watch(stage)))


@pytest.mark.parametrize("path", [CHECK, GET_CHAIN])
def test_a_call_whose_answer_is_not_read_loses_its_place(
    watchful: AdminStage, looks: Looks, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("admin.places.MAX_TOKEN_CALLS", 1)
    monkeypatch.setattr("admin.places.MAX_OPEN_CALLS", 1)
    monkeypatch.setattr("admin.guard.ANSWER_LOOKS", 5)
    attempt = _check if path == CHECK else _get_chain
    with RawConnection(watchful.address) as raw:
        _ask_and_take_nothing(raw, path, watchful)
        assert refusal_of(lambda: attempt(watchful)).reason == "TOO_MANY_STREAMS"
        eventually(lambda: attempt(watchful), looks.look)


@pytest.mark.parametrize("path", [CHECK, HEALTH_WATCH])
def test_a_client_that_goes_while_it_is_answered_is_nothing_to_log(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    monkeypatch.setattr("admin.places.MAX_OPEN_CALLS", 1)
    monkeypatch.setattr("admin.places.MAX_OPEN_STREAMS", 1)
    with RawConnection(stage.address) as raw:
        _ask_and_take_nothing(raw, path, stage)
        raw.send([frame(RST_STREAM, 0, 1, CANCEL)])
        eventually(lambda: _check(stage) if path == CHECK else next(_health_watch(stage)))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def _ask_and_take_nothing(raw: RawConnection, path: str, stage: AdminStage) -> None:
    """A call whose answer is on its way, and cannot arrive."""
    headers = frame(HEADERS, END_HEADERS, 1, call_headers(path, *_bearer(stage)))
    request = frame(DATA, END_STREAM, 1, EMPTY)
    raw.send([frame(SETTINGS, 0, 0, NO_WINDOW), headers, request])
    raw.hear(HEADERS)


def _check(stage: AdminStage) -> None:
    stub: Any = health_pb2_grpc.HealthStub(stage.channel(""))
    request: Any = health_pb2
    stub.Check(request.HealthCheckRequest(service=""), timeout=WAIT_S)


def _get_chain(stage: AdminStage) -> None:
    stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    stub.GetChain(chain_service_pb2.GetChainRequest(), timeout=WAIT_S)


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


def test_a_reader_that_stalls_is_not_waited_for_by_a_stop(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_calls, read = Guard.end_calls, threading.Event()

    async def once_the_other_has_read(guard: Guard, **how: Any) -> None:
        await asyncio.to_thread(read.wait, WAIT_S)
        await end_calls(guard, **how)

    monkeypatch.setattr(Guard, "end_calls", once_the_other_has_read)
    with grpc.insecure_channel(stage.address, options=OWN_CONNECTION) as own:
        unread = watches(stage, own)  # kept: gRPC cancels a stream that nobody holds
        stage.happen(*[BULKY] * 20)
        brisk = watches(stage)
        stopped = threading.Thread(target=stage.server.stop, kwargs={"grace_s": 1.0})
        stopped.start()
        with pytest.raises(grpc.RpcError) as caught:
            list(brisk)
        read.set()
        assert refused(caught.value).reason == "STOPPING"
        stopped.join(WAIT_S)
        assert not stopped.is_alive()
        with pytest.raises(grpc.RpcError):
            list(unread)
