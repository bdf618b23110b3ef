"""Calls that nobody may make, by the hundred: answered alike, at a pace, and told to the log once."""

from __future__ import annotations

import logging
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    chain_service_pb2,
    chain_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
    mempool_service_pb2,
    mempool_service_pb2_grpc,
)

from actors.mempool.messages import GetPool, PoolInfo
from admin.auth import READONLY_TOKEN_FILE
from admin.brake import REFUSAL_BURST
from admin.places import MAX_TOKEN_CALLS, MAX_TOKEN_STREAMS
from tests.support.admin_stage import DEFER, WAIT_S, AdminStage, refusal_of, refused, staged

CHAIN = chain_service_pb2.GetChainRequest()
POOL = mempool_service_pb2.GetMempoolRequest()
GET_CHAIN = "/troupe.admin.v1.ChainService/GetChain"
UNKNOWN = "x" * 43
NEVER_PER_S = 1e-3
FOR_LONG_S = 1e6
MORE = 20


def begin(method: Any, request: Any, count: int) -> tuple[list[Any], SimpleQueue[Any]]:
    """So many calls at once, and a queue of those that have ended."""
    ended: SimpleQueue[Any] = SimpleQueue()
    calls = [method.future(request, timeout=60) for _ in range(count)]
    for call in calls:
        call.add_done_callback(ended.put)
    return calls, ended


def serves(stage: AdminStage) -> bool:
    stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    return stub.GetChain(CHAIN, timeout=WAIT_S).chain.supply == 50_000


@pytest.mark.parametrize("token", ["", UNKNOWN], ids=["no token", "an unknown token"])
def test_refused_callers_wait_for_their_answer_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setattr("admin.brake.REFUSALS_PER_S", NEVER_PER_S)
    monkeypatch.setattr("admin.brake.MAX_HOLD_S", FOR_LONG_S)
    with staged(tmp_path) as stage:
        stub: Any = chain_service_pb2_grpc.ChainServiceStub(stage.channel(token))
        calls, ended = begin(stub.GetChain, CHAIN, REFUSAL_BURST + MORE)
        for _ in range(REFUSAL_BURST):
            answered = ended.get(timeout=WAIT_S)
            assert refused(answered.exception()).code is grpc.StatusCode.UNAUTHENTICATED
        assert serves(stage)
        assert sum(not call.done() for call in calls) == MORE
        for call in calls:
            call.cancel()


def test_a_caller_that_waits_for_a_refusal_does_not_hold_up_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.brake.REFUSALS_PER_S", NEVER_PER_S)
    monkeypatch.setattr("admin.brake.MAX_HOLD_S", FOR_LONG_S)
    with staged(tmp_path) as stage:
        stub: Any = chain_service_pb2_grpc.ChainServiceStub(stage.channel(UNKNOWN))
        _, ended = begin(stub.GetChain, CHAIN, REFUSAL_BURST + MORE)
        for _ in range(REFUSAL_BURST):
            ended.get(timeout=WAIT_S)
        assert serves(stage)
        stage.server.stop(grace_s=60.0)
        for _ in range(MORE):
            seen = refused(ended.get(timeout=WAIT_S).exception())
            assert seen.reason == "TOKEN_INVALID"


def test_a_flood_of_refused_calls_is_one_line_of_the_log(
    stage: AdminStage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.bursts.QUIET_S", FOR_LONG_S)
    stub: Any = chain_service_pb2_grpc.ChainServiceStub(stage.channel(UNKNOWN))
    with caplog.at_level(logging.DEBUG):
        calls, _ = begin(stub.GetChain, CHAIN, 200)
        assert {refused(call.exception()).reason for call in calls} == {"TOKEN_INVALID"}
    ours = [record for record in caplog.records if record.name.startswith("admin")]
    (line,) = [record.getMessage() for record in ours]
    assert line == f"calls are refused with TOKEN_INVALID, the first from 127.0.0.1: {GET_CHAIN}"
    assert UNKNOWN not in caplog.text


def test_a_refusal_does_not_tell_how_near_a_token_was(stage: AdminStage) -> None:
    good = stage.token()
    auth = stage.stub(auth_service_pb2_grpc.AuthServiceStub)
    made = auth.CreateToken(
        auth_service_pb2.CreateTokenRequest(name="gone", permissions=["chain:read"])
    )
    auth.DeleteToken(auth_service_pb2.DeleteTokenRequest(id=made.token.id))
    near = (UNKNOWN, good[:-1], good + "x", good.swapcase(), made.secret, "y" * 4_000)
    seen = [
        refusal_of(
            lambda token=token: chain_service_pb2_grpc.ChainServiceStub(  # type: ignore[misc]
                stage.channel(token)
            ).GetChain(CHAIN)
        )
        for token in near
    ]
    assert seen[0].reason == "TOKEN_INVALID"
    assert all(each == seen[0] for each in seen)


def test_who_holds_a_token_takes_no_stream_from_another(stage: AdminStage) -> None:
    watch = event_service_pb2.WatchEventsRequest()
    reader: Any = stage.stub(event_service_pb2_grpc.EventServiceStub, readonly=True)
    streams = [reader.WatchEvents(watch) for _ in range(MAX_TOKEN_STREAMS)]
    for stream in streams:
        assert next(stream).event.HasField("watch_started")
    seen = refusal_of(lambda: reader.WatchEvents(watch, timeout=WAIT_S))
    assert (seen.code, seen.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
    assert seen.metadata == {"limit": str(MAX_TOKEN_STREAMS)}
    admin: Any = stage.stub(event_service_pb2_grpc.EventServiceStub)
    mine = admin.WatchEvents(watch)
    assert next(mine).event.HasField("watch_started")
    for stream in (*streams, mine):
        stream.cancel()


def test_who_holds_a_token_takes_no_call_from_another(tmp_path: Path) -> None:
    with staged(tmp_path, ask_timeout_s=60.0) as stage:
        stage.mempool.compute(GetPool, lambda _asked: DEFER)
        channel = stage.channel(stage.token(READONLY_TOKEN_FILE))
        stub: Any = mempool_service_pb2_grpc.MempoolServiceStub(channel)
        calls, ended = begin(stub.GetMempool, POOL, MAX_TOKEN_CALLS + 1)
        seen = refused(ended.get(timeout=WAIT_S).exception())
        assert (seen.code, seen.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "TOO_MANY_STREAMS",
        )
        assert seen.metadata == {"limit": str(MAX_TOKEN_CALLS)}
        assert serves(stage)
        for _ in range(MAX_TOKEN_CALLS):
            future = stage.mempool.deferred.get(timeout=WAIT_S)
            future.set_result(PoolInfo(3, 2, 4, 1_234, 5_000, 1_000))
        answered = [ended.get(timeout=WAIT_S) for _ in range(MAX_TOKEN_CALLS)]
        assert all(call.exception() is None for call in answered)
        assert len(calls) == MAX_TOKEN_CALLS + 1
