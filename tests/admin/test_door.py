"""What every call passes: tokens, permissions, and errors on the way out."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from troupe.admin.v1 import (
    actor_service_pb2,
    actor_service_pb2_grpc,
    chain_service_pb2,
    chain_service_pb2_grpc,
    mempool_service_pb2,
    mempool_service_pb2_grpc,
    wallet_service_pb2,
    wallet_service_pb2_grpc,
)

from actors.chain.messages import GetBlock, GetChain, GetTransaction
from actors.mempool.messages import GetPool
from actors.runtime.supervisor import MAX_RESTARTS
from admin.auth import READONLY_TOKEN_FILE
from admin.brake import MAX_HELD
from admin.permissions import OPEN_METHODS, PERMISSIONS
from admin.places import (
    MAX_GIVEN_UP,
    MAX_OPEN_CALLS,
    MAX_OPEN_STREAMS,
    MAX_STREAMS,
    MAX_TOKEN_CALLS,
)
from admin.server import MAX_CALLS
from tests.support.admin_stage import (
    DEFER,
    WAIT_S,
    AdminStage,
    chain_info,
    hurried,
    refusal_of,
    refusal_once_begun,
    refused,
)
from tests.support.reflection import served_methods

CHAIN = chain_service_pb2.GetChainRequest()
POOL = mempool_service_pb2.GetMempoolRequest()
SHORT_S = 0.05
FOR_LONG_S = 1e6


def call_bare(channel: Any, method: str, request: bytes = b"") -> Any:
    """Call by name with bytes, as a client that knows nothing."""
    return channel.unary_unary(method)(request, timeout=WAIT_S)


def test_every_served_method_is_in_the_table_and_every_entry_is_served(stage: AdminStage) -> None:
    assert set(served_methods(stage)) - OPEN_METHODS == set(PERMISSIONS)


def test_no_method_answers_without_a_token(stage: AdminStage) -> None:
    channel = stage.channel("")
    for method in PERMISSIONS:
        seen = refusal_of(lambda method=method: call_bare(channel, method))  # type: ignore[misc]
        assert (seen.code, seen.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")


def test_no_method_answers_to_a_wrong_token(stage: AdminStage) -> None:
    channel = stage.channel("wrong")
    for method in PERMISSIONS:
        seen = refusal_of(lambda method=method: call_bare(channel, method))  # type: ignore[misc]
        assert (seen.code, seen.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


def test_a_reader_is_refused_each_method_that_writes(stage: AdminStage) -> None:
    channel = stage.channel(stage.token(READONLY_TOKEN_FILE))
    for method, permission in PERMISSIONS.items():
        if permission.endswith(":write"):
            seen = refusal_of(lambda method=method: call_bare(channel, method))  # type: ignore[misc]
            assert (seen.code, seen.reason) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "PERMISSION_MISSING",
            )
            assert seen.metadata == {"permission": permission}


def test_a_reader_may_read(stage: AdminStage) -> None:
    stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub, readonly=True)
    assert stub.GetChain(CHAIN).chain.supply == 50_000


@pytest.mark.parametrize("token", ["", None])
def test_an_unknown_method_is_unimplemented_to_anyone(stage: AdminStage, token: str | None) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call_bare(stage.channel(token), "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_bug_is_internal_with_an_id_that_the_log_knows(
    stage: AdminStage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.chain.answer(GetChain, "a secret that is no ChainInfo")
    stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    with caplog.at_level(logging.ERROR, logger="admin.guard"):
        seen = refusal_of(lambda: stub.GetChain(CHAIN))
    assert (seen.code, seen.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert seen.metadata["error_id"] in caplog.text
    assert "AttributeError" in caplog.text
    assert "secret" not in seen.message
    assert "Error" not in seen.message


def test_bytes_that_are_no_request_are_an_invalid_argument(stage: AdminStage) -> None:
    method = "/troupe.admin.v1.ChainService/GetBlock"
    seen = refusal_of(lambda: call_bare(stage.channel(), method, b"\xff\xff\xff"))
    assert (seen.code, seen.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")


def test_a_message_that_is_too_large_is_refused(stage: AdminStage) -> None:
    stub = stage.stub(mempool_service_pb2_grpc.MempoolServiceStub)
    huge = mempool_service_pb2.SubmitTransactionRequest(raw=bytes(5 * 1024 * 1024))
    with pytest.raises(grpc.RpcError) as caught:
        stub.SubmitTransaction(huge)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert stub.GetMempool(POOL).mempool.pending_count == 3


@pytest.mark.parametrize("letter", ["x", "\N{EURO SIGN}"])
def test_a_name_of_any_length_is_refused_for_what_it_is(stage: AdminStage, letter: str) -> None:
    name = letter * 1_000_000
    health: Any = health_pb2_grpc.HealthStub(stage.channel(""))
    actors = stage.stub(actor_service_pb2_grpc.ActorServiceStub)
    check: Any = health_pb2
    for call, reason in (
        (lambda: health.Check(check.HealthCheckRequest(service=name)), "SERVICE_NOT_FOUND"),
        (
            lambda: actors.GetActor(actor_service_pb2.GetActorRequest(name=name)),
            "ACTOR_NOT_FOUND",
        ),
    ):
        seen = refusal_of(call)
        assert (seen.code, seen.reason) == (grpc.StatusCode.NOT_FOUND, reason)


@contextmanager
def checks_without_request(stage: AdminStage, count: int) -> Iterator[SimpleQueue[Any]]:
    """Health checks whose request never comes; those that have ended are in the queue."""
    released = threading.Event()
    ended: SimpleQueue[Any] = SimpleQueue()

    def never() -> Iterator[bytes]:
        released.wait()
        yield from ()

    channel: Any = stage.channel("")
    check = channel.stream_unary("/grpc.health.v1.Health/Check")
    calls: list[Any] = [check.future(never()) for _ in range(count)]
    for call in calls:
        call.add_done_callback(ended.put)
    try:
        yield ended
    finally:
        for call in calls:
            call.cancel()
        released.set()


def test_calls_without_a_token_take_no_place_of_those_with_one(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.guard.REQUEST_S", WAIT_S)
    others = MAX_STREAMS + MAX_OPEN_STREAMS + MAX_OPEN_CALLS + MAX_HELD + MAX_GIVEN_UP
    assert others <= MAX_CALLS * 4 // 5
    assert others + MAX_TOKEN_CALLS < MAX_CALLS
    with checks_without_request(stage, MAX_OPEN_CALLS + 1) as ended:
        seen = refused(ended.get(timeout=WAIT_S).exception())
        assert (seen.code, seen.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "TOO_MANY_STREAMS",
        )
        assert seen.metadata == {"limit": str(MAX_OPEN_CALLS)}
        stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
        assert stub.GetChain(CHAIN).chain.supply == 50_000


def test_a_call_without_a_token_that_sends_no_request_loses_its_place(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.guard.REQUEST_S", SHORT_S)
    with checks_without_request(stage, MAX_OPEN_CALLS) as ended:
        for _ in range(MAX_OPEN_CALLS):
            seen = refused(ended.get(timeout=WAIT_S).exception())
            assert seen.code is grpc.StatusCode.INVALID_ARGUMENT
    monkeypatch.setattr("admin.guard.REQUEST_S", WAIT_S)
    assert call_bare(stage.channel(""), "/grpc.health.v1.Health/Check")


def test_bytes_that_are_no_grpc_leave_the_server_serving(stage: AdminStage) -> None:
    host, port = stage.address.split(":")
    for noise in (b"\x00" * 4_096, b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 64):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(noise)
    stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    assert stub.GetChain(CHAIN).chain.supply == 50_000


def test_an_actor_that_falls_is_down_and_then_back(stage: AdminStage) -> None:
    def fall(_message: Any) -> Any:
        stage.chain.answer(GetChain, chain_info(stage.tip))
        raise RuntimeError

    stage.chain.compute(GetChain, fall)
    stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    seen = refusal_of(lambda: stub.GetChain(CHAIN))
    assert (seen.code, seen.reason) == (grpc.StatusCode.UNAVAILABLE, "ACTOR_DOWN")
    assert (seen.metadata, seen.retry_s) == ({"actor": "chain"}, 1.0)
    assert stub.GetChain(CHAIN).chain.supply == 50_000


def test_an_actor_that_rests_after_many_falls_is_down(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.runtime.supervisor.RETRY_S", FOR_LONG_S)

    def fall(_message: Any) -> Any:
        raise RuntimeError

    stage.chain.compute(GetChain, fall)
    stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    reasons = [refusal_of(lambda: stub.GetChain(CHAIN)).reason for _ in range(MAX_RESTARTS + 1)]
    with hurried(GetChain):
        reasons.append(refusal_of(lambda: stub.GetChain(CHAIN)).reason)
    assert set(reasons) == {"ACTOR_DOWN"}


def test_a_question_not_reached_in_time_is_withdrawn(stage: AdminStage) -> None:
    released = threading.Event()
    stage.reader.compute(GetBlock, lambda _asked: released.wait(WAIT_S))
    stage.reader.answer(GetTransaction, None)
    unknown = chain_service_pb2.GetTransactionRequest(id="ab" * 32)
    stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    with hurried(GetBlock, GetTransaction):
        held = refusal_once_begun(
            lambda: stub.GetBlock(chain_service_pb2.GetBlockRequest(number=1))
        )
        assert (held.code, held.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "ACTOR_TIMEOUT")
        seen = refusal_of(lambda: stub.GetTransaction(unknown))
        assert (seen.code, seen.reason, seen.retry_s) == (
            grpc.StatusCode.UNAVAILABLE,
            "ACTOR_BUSY",
            1.0,
        )
    released.set()
    assert refusal_of(lambda: stub.GetTransaction(unknown)).reason == "TX_NOT_FOUND"
    assert len(stage.reader.of(GetTransaction)) == 1


def test_a_room_that_is_silent_does_not_hold_up_the_others(stage: AdminStage) -> None:
    stage.mempool.compute(GetPool, lambda _asked: DEFER)
    waiting: Any = stage.stub(mempool_service_pb2_grpc.MempoolServiceStub).GetMempool.future(POOL)
    wallet = stage.stub(wallet_service_pb2_grpc.WalletServiceStub)
    assert wallet.GetAddress(wallet_service_pb2.GetAddressRequest()).address
    waiting.cancel()
