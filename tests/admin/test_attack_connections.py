"""Connections that say nothing, too many of them, and HTTP/2 that no client speaks: others are served."""

from __future__ import annotations

import gzip
import logging
import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import chain_service_pb2, chain_service_pb2_grpc

from actors.chain.messages import ListBlocks
from actors.config import TlsSettings
from actors.runtime.clock import FakeClock
from actors.tcp.sockets import OTHER_FILES
from admin import server
from admin.bind import parts_of
from admin.paging import MAX_PAGE_SIZE
from admin.server import MAX_CONNECTIONS, MAX_MESSAGE_BYTES
from admin.tls import server_tls
from tests.support.admin_stage import AdminStage, staged
from tests.support.http2 import (
    CONTINUATION,
    HEADERS,
    PING,
    SETTINGS,
    TIMEOUT_S,
    RawConnection,
    call_headers,
    frame,
    is_closed,
)

GET_CHAIN = "/troupe.admin.v1.ChainService/GetChain"
SUBMIT = "/troupe.admin.v1.MempoolService/SubmitTransaction"
FEW = 6
SOON_MS = 100
EVER_MS = 1_000_000
RESETS = 2_000


def serves(stage: AdminStage) -> bool:
    stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    answer = stub.GetChain(
        chain_service_pb2.GetChainRequest(), timeout=TIMEOUT_S, wait_for_ready=True
    )
    return answer.chain.supply == 50_000


def impatient(monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]) -> None:
    """Change limits that the server has."""
    given = dict(server._OPTIONS)
    assert limits.keys() < given.keys()
    monkeypatch.setattr(server, "_OPTIONS", tuple({**given, **limits}.items()))


def few_connections(monkeypatch: pytest.MonkeyPatch, *, handshake_ms: int) -> None:
    """Let the server have few connections, each with so long to begin."""
    few = {"grpc.max_allowed_incoming_connections": FEW}
    impatient(monkeypatch, {**few, "grpc.server_handshake_timeout_ms": handshake_ms})


def test_connections_leave_files_for_the_rest_of_the_node() -> None:
    assert MAX_CONNECTIONS <= OTHER_FILES // 2


def test_one_connection_too_many_is_closed_and_the_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_connections(monkeypatch, handshake_ms=EVER_MS)
    with staged(tmp_path) as stage, ExitStack() as stack:
        assert serves(stage)  # its connection stays open
        for _ in range(FEW - 1):
            stack.enter_context(RawConnection(stage.address))
        late = stack.enter_context(socket.create_connection(parts_of(stage.address)))
        assert is_closed(late)
        assert serves(stage)


def test_connections_that_say_nothing_are_closed_and_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_connections(monkeypatch, handshake_ms=SOON_MS)
    with staged(tmp_path) as stage, ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(parts_of(stage.address)))
            for _ in range(FEW)
        ]
        assert all(map(is_closed, silent))
        assert serves(stage)


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(300)])
def test_a_handshake_of_tls_that_does_not_come_about_is_ended(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    noise: bytes,
) -> None:
    impatient(monkeypatch, {"grpc.server_handshake_timeout_ms": SOON_MS})
    clock = FakeClock(wall_s=time.time())
    tls = server_tls(TlsSettings(automatic=True), tmp_path, "127.0.0.1:0", clock)
    with staged(tmp_path, tls=tls) as stage, ExitStack() as stack:
        for _ in range(FEW):
            connection = stack.enter_context(
                socket.create_connection(parts_of(stage.address), TIMEOUT_S)
            )
            connection.sendall(noise)
            assert is_closed(connection)


def test_a_connection_that_is_not_used_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch, {"grpc.max_connection_idle_ms": SOON_MS})
    with staged(tmp_path) as stage, RawConnection(stage.address) as idle:
        stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
        request = chain_service_pb2.GetChainRequest()
        for _ in range(20):  # as it is closed under them again and again, callers notice nothing
            assert stub.GetChain(request, timeout=TIMEOUT_S).chain.supply == 50_000
        assert is_closed(idle.socket)


@pytest.mark.parametrize("path", [GET_CHAIN, "/no.such/Method"])
def test_calls_that_are_reset_at_once_leave_nothing(
    stage: AdminStage, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = call_headers(path, ("authorization", f"Bearer {stage.token()}"))
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            with RawConnection(stage.address) as raw:
                raw.open_and_reset(headers, RESETS // 4)
                raw.socket.shutdown(socket.SHUT_WR)
                assert is_closed(raw.socket)
        assert _is_served_again(stage)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def _is_served_again(stage: AdminStage) -> bool:
    """gRPC may cancel calls of others while thousands wait to be taken up; afterwards it does not."""
    stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    while True:
        try:
            stub.GetChain(chain_service_pb2.GetChainRequest(), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            refused: Any = error
            assert refused.code() is grpc.StatusCode.CANCELLED
        else:
            return serves(stage)


@pytest.mark.parametrize(
    "frames",
    [
        [frame(PING, 0, 0, b"12345678")] * 5_000,
        [frame(SETTINGS, 0, 0)] * 5_000,
        [frame(HEADERS, 0, 1, b"")] + [frame(CONTINUATION, 0, 1, call_headers("/a"))] * 5_000,
        [frame(HEADERS, 4, 2, call_headers(GET_CHAIN))],
        [(2**24 - 1).to_bytes(3, "big") + bytes((0, 0)) + (1).to_bytes(4, "big") + bytes(100_000)],
    ],
    ids=["pings", "settings", "headers without end", "an even stream", "a frame beyond the limit"],
)
def test_a_connection_that_breaks_http2_harms_no_other(
    stage: AdminStage, frames: list[bytes]
) -> None:
    with RawConnection(stage.address) as raw:
        raw.send(frames)
        assert serves(stage)


def test_a_message_that_unfolds_beyond_the_limit_is_refused(stage: AdminStage) -> None:
    bomb = bytes(16 * MAX_MESSAGE_BYTES)
    assert len(gzip.compress(bomb, compresslevel=1)) < MAX_MESSAGE_BYTES // 10
    channel: Any = stage.channel()
    submit = channel.unary_unary(SUBMIT)
    with pytest.raises(grpc.RpcError) as caught:
        submit(bomb, compression=grpc.Compression.Gzip, timeout=TIMEOUT_S)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert serves(stage)


def test_metadata_beyond_the_limit_is_refused(stage: AdminStage) -> None:
    channel: Any = stage.channel("")
    for size in (20_000, 1_000_000):
        metadata = (("authorization", f"Bearer {stage.token()}"), ("x-more", "y" * size))
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(GET_CHAIN)(b"", metadata=metadata, timeout=TIMEOUT_S)
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert serves(stage)


@pytest.mark.parametrize("deadline", ["1n", "99999999H", "0S", "soon"])
def test_a_deadline_may_be_absurd(stage: AdminStage, deadline: str) -> None:
    fields = (("authorization", f"Bearer {stage.token()}"), ("grpc-timeout", deadline))
    body = struct.pack(">BI", 0, 0)
    with RawConnection(stage.address) as raw:
        raw.send([frame(HEADERS, 4, 1, call_headers(GET_CHAIN, *fields)), frame(0, 1, 1, body)])
        assert raw.socket.recv(1_000)
    assert serves(stage)


def test_a_page_size_may_be_absurd(stage: AdminStage) -> None:
    stub: Any = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    stage.reader.answer(ListBlocks, ())
    listed = stub.ListBlocks(chain_service_pb2.ListBlocksRequest(page_size=2**32 - 1))
    assert not listed.blocks
    assert [asked.limit for asked in stage.reader.of(ListBlocks)] == [MAX_PAGE_SIZE]
