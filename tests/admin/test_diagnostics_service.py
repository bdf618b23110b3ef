"""DiagnosticsService over the wire, and channelz beside it: loggers, the log as it is made, metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from troupe.admin.v1 import (
    diagnostics_service_pb2,
    diagnostics_service_pb2_grpc,
    peer_service_pb2,
    peer_service_pb2_grpc,
)

from actors.config import TcpSettings
from actors.peers.messages import ListPeers
from actors.runtime.supervisor import ListActors
from actors.tcp.messages import GetTransport, TransportInfo
from admin.permissions import CHANNELZ
from admin.places import MAX_TOKEN_STREAMS
from tests.support.admin_stage import WAIT_S, AdminStage, refusal_of, refused, staged

SCENE = logging.getLogger("actors.a_stage.sync")
TOP = "actors.a_stage"
ERROR = diagnostics_service_pb2.LOG_LEVEL_ERROR
DEBUG = diagnostics_service_pb2.LOG_LEVEL_DEBUG
INHERITED = diagnostics_service_pb2.LOG_LEVEL_INHERITED
QUIET = TransportInfo(TcpSettings(), (), 0, True, 0, 0, 0, 0, (), 0, 0, 0, 0, 0)


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    yield
    for name in (SCENE.name, TOP):
        logging.getLogger(name).setLevel(logging.NOTSET)


def diagnostics(stage: AdminStage, *, readonly: bool = False) -> Any:
    return stage.stub(diagnostics_service_pb2_grpc.DiagnosticsServiceStub, readonly=readonly)


def update(stage: AdminStage, name: str, level: int) -> Any:
    request = diagnostics_service_pb2.UpdateLoggerRequest(name=name, level=level)  # type: ignore[arg-type]
    return diagnostics(stage).UpdateLogger(request).logger


def watch(stage: AdminStage, **fields: Any) -> Any:
    request = diagnostics_service_pb2.WatchLogsRequest(**fields)
    return diagnostics(stage).WatchLogs(request, timeout=60)


def metric(stage: AdminStage, name: str, **labels: str) -> float | None:
    answer = diagnostics(stage).GetMetrics(diagnostics_service_pb2.GetMetricsRequest())
    families: Any = text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
    for family in families:
        for sample in family.samples:
            if (sample.name, sample.labels) == (name, labels):
                return float(sample.value)
    return None


# -- loggers --------------------------------------------------------------------------------------


def test_the_loggers_are_listed_by_name_page_by_page(stage: AdminStage) -> None:
    names: list[str] = []
    request = diagnostics_service_pb2.ListLoggersRequest(page_size=3)
    while True:
        page = diagnostics(stage).ListLoggers(request)
        assert len(page.loggers) <= 3
        names += [logger.name for logger in page.loggers]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert names == sorted(names)
    assert {"actors", "admin", TOP, SCENE.name} <= set(names)
    assert len(names) == len(set(names))


def test_a_page_token_of_another_listing_is_refused(stage: AdminStage) -> None:
    request = diagnostics_service_pb2.ListLoggersRequest(page_token="AAAA")
    seen = refusal_of(lambda: diagnostics(stage).ListLoggers(request))
    assert (seen.code, seen.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


def test_a_level_changes_what_is_logged_at_once(stage: AdminStage) -> None:
    logger = update(stage, TOP, DEBUG)
    assert (logger.name, logger.level, logger.effective_level) == (TOP, DEBUG, DEBUG)
    assert SCENE.isEnabledFor(logging.DEBUG)
    assert update(stage, TOP, ERROR).effective_level == ERROR
    assert not SCENE.isEnabledFor(logging.WARNING)
    assert update(stage, TOP, INHERITED).level == INHERITED


def test_a_logger_that_is_none_of_the_nodes_is_not_found(stage: AdminStage) -> None:
    logging.getLogger("grpc.of_a_library")
    for name in ("", "actors.nothing", "grpc.of_a_library"):
        seen = refusal_of(lambda name=name: update(stage, name, DEBUG))  # type: ignore[misc]
        assert (seen.code, seen.reason) == (grpc.StatusCode.NOT_FOUND, "LOGGER_NOT_FOUND")
    seen = refusal_of(lambda: watch(stage, logger="actors.nothing"))
    assert seen.reason == "LOGGER_NOT_FOUND"


@pytest.mark.parametrize("level", [0, 99])
def test_a_level_that_is_none_is_refused(stage: AdminStage, level: int) -> None:
    assert refusal_of(lambda: update(stage, TOP, level)).fields == ("level",)


def test_the_readonly_token_may_look_and_not_set_a_level(stage: AdminStage) -> None:
    stub = diagnostics(stage, readonly=True)
    assert stub.ListLoggers(diagnostics_service_pb2.ListLoggersRequest()).loggers
    request = diagnostics_service_pb2.UpdateLoggerRequest(name=TOP, level=DEBUG)
    seen = refusal_of(lambda: stub.UpdateLogger(request))
    assert (seen.code, seen.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
    assert seen.metadata == {"permission": "diagnostics:write"}


# -- the log --------------------------------------------------------------------------------------


def test_a_stream_begins_with_the_newest_records_and_goes_on(stage: AdminStage) -> None:
    update(stage, TOP, DEBUG)
    for number in range(4):
        SCENE.debug("old %d", number)
    stream = watch(stage, recent_count=2, logger=TOP)
    assert [next(stream).record.message for _ in range(2)] == ["old 2", "old 3"]
    assert next(stream).HasField("started")
    SCENE.error("new")
    record = next(stream).record
    assert (record.message, record.logger, record.level) == ("new", SCENE.name, ERROR)


def test_a_stream_shows_only_the_levels_and_loggers_asked_for(stage: AdminStage) -> None:
    stream = watch(stage, level=ERROR, logger=TOP)
    assert next(stream).HasField("started")
    SCENE.warning("below")
    logging.getLogger("admin.a_stage").error("elsewhere")
    SCENE.error("wanted")
    assert next(stream).record.message == "wanted"


@pytest.mark.parametrize("level", [INHERITED, 99])
def test_a_stream_of_a_level_that_no_record_has_is_refused(stage: AdminStage, level: int) -> None:
    assert refusal_of(lambda: watch(stage, level=level)).fields == ("level",)


def test_a_reader_that_stops_reading_ends_with_slow_consumer(stage: AdminStage) -> None:
    slow, brisk = watch(stage), watch(stage)
    assert next(slow).HasField("started")
    assert next(brisk).HasField("started")
    text, total = "x" * 4_000, 3_000
    for number in range(total):
        SCENE.error("%d %s", number, text)
        assert next(brisk).record.message.startswith(f"{number} ")
    received: list[str] = []
    with pytest.raises(grpc.RpcError) as caught:
        received.extend(response.record.message for response in slow)
    seen = refused(caught.value)
    assert (seen.code, seen.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER")
    assert int(seen.metadata["dropped"]) == total - len(received)
    assert [int(message.split()[0]) for message in received] == list(range(len(received)))


def test_there_are_only_so_many_streams(stage: AdminStage) -> None:
    streams = [watch(stage) for _ in range(MAX_TOKEN_STREAMS)]
    for stream in streams:
        assert next(stream).HasField("started")
    seen = refusal_of(lambda: watch(stage))
    assert (seen.code, seen.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")


def test_a_stream_ends_when_the_node_stops(stage: AdminStage) -> None:
    stream = watch(stage)
    assert next(stream).HasField("started")
    stage.server.stop(WAIT_S)
    with pytest.raises(grpc.RpcError) as caught:
        list(stream)
    assert refused(caught.value).reason == "STOPPING"


def test_no_token_is_ever_in_the_log(stage: AdminStage) -> None:
    stub = diagnostics_service_pb2_grpc.DiagnosticsServiceStub(stage.channel("a-wrong-token"))
    refusal_of(lambda: stub.GetMetrics(diagnostics_service_pb2.GetMetricsRequest()))
    stage.peers.answers.pop(ListPeers, None)  # a question without an answer fells the room
    peers = stage.stub(peer_service_pb2_grpc.PeerServiceStub)
    refusal_of(lambda: peers.ListPeers(peer_service_pb2.ListPeersRequest()))
    stage.house.supervisor.ask(ListActors(), timeout_s=WAIT_S)  # by now it has said so in the log
    seen = []
    for response in watch(stage, recent_count=1_000):
        if response.HasField("started"):
            break
        seen.append(f"{response.record.message} {response.record.exception}")
    text = "\n".join(seen)
    assert "peers fell" in text
    assert "a-wrong-token" not in text
    assert stage.token() not in text


# -- metrics --------------------------------------------------------------------------------------


def test_the_metrics_tell_of_every_room(stage: AdminStage) -> None:
    stage.tcp.answer(GetTransport, QUIET)
    assert metric(stage, "troupe_actor_running", actor="chain") == 1
    assert metric(stage, "troupe_tcp_dialing") == 0
    assert metric(stage, "troupe_peers", direction="inbound") == 0
    assert metric(stage, "troupe_mempool_transactions", state="pending") == 3
    assert metric(stage, "troupe_chain_height") == 0
    assert metric(stage, "troupe_miner_hashes_per_second") == 1_500.5


def test_calls_are_counted_by_method_and_code(stage: AdminStage) -> None:
    stage.tcp.answer(GetTransport, QUIET)
    method = "/troupe.admin.v1.DiagnosticsService/UpdateLogger"
    update(stage, TOP, DEBUG)
    update(stage, TOP, INHERITED)
    refusal_of(lambda: update(stage, "actors.nothing", DEBUG))
    request = diagnostics_service_pb2.UpdateLoggerRequest(name=TOP, level=DEBUG)
    refusal_of(lambda: diagnostics(stage, readonly=True).UpdateLogger(request))
    for code, count in (("OK", 2), ("NOT_FOUND", 1), ("PERMISSION_DENIED", 1)):
        assert metric(stage, "troupe_admin_calls_total", method=method, code=code) == count


def test_a_method_that_is_not_served_is_not_counted(stage: AdminStage) -> None:
    stage.tcp.answer(GetTransport, QUIET)
    channel: Any = stage.channel()
    with pytest.raises(grpc.RpcError):
        channel.unary_unary("/troupe.admin.v1.Nothing/AtAll")(b"", timeout=10)
    answer = diagnostics(stage).GetMetrics(diagnostics_service_pb2.GetMetricsRequest())
    assert "AtAll" not in answer.text


def test_open_streams_are_counted_while_they_are_open(stage: AdminStage) -> None:
    stage.tcp.answer(GetTransport, QUIET)
    method = "/troupe.admin.v1.DiagnosticsService/WatchLogs"
    streams = [watch(stage) for _ in range(3)]
    for stream in streams:
        next(stream)
    assert metric(stage, "troupe_admin_open_streams", method=method) == 3
    for stream in streams:
        stream.cancel()
    while metric(stage, "troupe_admin_open_streams", method=method):
        pass
    calls = metric(stage, "troupe_admin_calls_total", method=method, code="CANCELLED")
    assert calls == 3


def test_the_metrics_of_a_room_that_fell_are_left_out(stage: AdminStage) -> None:
    def fail(_message: Any) -> Any:
        raise RuntimeError

    stage.tcp.compute(GetTransport, fail)
    assert metric(stage, "troupe_tcp_dialing") is None
    assert metric(stage, "troupe_chain_height") == 0


# -- channelz -------------------------------------------------------------------------------------


def test_channelz_is_not_served_unless_asked_for(stage: AdminStage) -> None:
    stub: Any = stage.stub(channelz_pb2_grpc.ChannelzStub)
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetServers(channelz_pb2.GetServersRequest())
    call: Any = caught.value
    assert call.code() is grpc.StatusCode.UNIMPLEMENTED


def test_channelz_shows_the_server_to_who_has_a_token(tmp_path: Path) -> None:
    with staged(tmp_path, channelz=True) as stage:
        stub: Any = stage.stub(channelz_pb2_grpc.ChannelzStub, readonly=True)
        servers = stub.GetServers(channelz_pb2.GetServersRequest()).server
        assert any(server.data.calls_started for server in servers)
        bare: Any = stage.channel("")
        for method in CHANNELZ:
            seen = refusal_of(lambda method=method: bare.unary_unary(method)(b""))  # type: ignore[misc]
            assert seen.reason == "TOKEN_MISSING"
