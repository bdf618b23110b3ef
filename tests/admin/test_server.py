"""The admin server's life: bind, files, health, stop."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from troupe.admin.v1 import (
    chain_service_pb2,
    chain_service_pb2_grpc,
    miner_service_pb2,
    miner_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
)

from actors.chain.messages import GetChain, ListTips
from actors.gossip.messages import GetGossip
from actors.miner.messages import GenerateBlock
from actors.runtime.supervisor import MAX_RESTARTS
from admin.auth import ADMIN_TOKEN_FILE
from admin.bind import AdminBindError
from admin.errors import RETRY_S, Refusal
from admin.health import MAX_NAME_CHARS
from admin.permissions import PERMISSIONS
from admin.server import ADDRESS_FILE, AdminServer
from tests.support.admin_stage import DEFER, WAIT_S, AdminStage, refusal_of, refused, staged

FOR_LONG_S = 1e6
health: Any = health_pb2
health_grpc: Any = health_pb2_grpc
SERVING = health.HealthCheckResponse.SERVING
NOT_SERVING = health.HealthCheckResponse.NOT_SERVING
SERVICES = (
    *("Node", "Auth", "Actor", "Transport", "Messaging", "Peer", "Gossip", "Search", "Chain"),
    *("Mempool", "Miner", "Wallet", "Event", "Diagnostics"),
)


def admin_threads() -> list[str]:
    """Ours, and gRPC's poller, which ends when the last server is collected."""
    gc.collect()
    threads = [thread for thread in threading.enumerate() if "poll" in thread.name]
    for thread in threads:
        thread.join(WAIT_S)
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name == "troupe-admin" or thread in threads
    ]


def health_stub(stage: AdminStage) -> Any:
    return health_grpc.HealthStub(stage.channel(""))


def test_the_next_call_is_not_awaited_by_a_task_for_every_method(stage: AdminStage) -> None:
    health_stub(stage).Check(health.HealthCheckRequest())

    async def count() -> int:
        return len(asyncio.all_tasks())

    loop = stage.server._loop
    assert loop is not None
    assert asyncio.run_coroutine_threadsafe(count(), loop).result(WAIT_S) < len(PERMISSIONS) / 2


def test_another_interface_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    house = AdminStage(tmp_path).house
    with pytest.raises(AdminBindError, match="loopback interface only"):
        AdminServer(house, listen="0.0.0.0:0")
    assert not list(tmp_path.iterdir())


def test_a_second_server_on_the_port_fails_with_a_clear_sentence(
    stage: AdminStage, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = AdminStage(tmp_path / "other", listen=stage.address)
    with pytest.raises(AdminBindError, match=f"{stage.address} is in use"):
        other.server.start()
    other.server.stop()
    other.clock.stop()
    assert not (tmp_path / "other" / ADDRESS_FILE).exists()


def test_the_address_is_in_the_data_directory_while_it_serves(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        assert (tmp_path / ADDRESS_FILE).read_text() == stage.address + "\n"
        assert stage.address.startswith("127.0.0.1:")
    assert not (tmp_path / ADDRESS_FILE).exists()
    assert (tmp_path / ADMIN_TOKEN_FILE).exists()


def test_a_stopped_server_leaves_no_thread_and_the_port_free(tmp_path: Path) -> None:
    with staged(tmp_path) as stage:
        address = stage.address
    assert not admin_threads()
    with staged(tmp_path, listen=address) as stage:
        assert stage.address == address
        stage.server.stop()
        stage.server.stop()


def test_two_servers_live_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with staged(tmp_path / "a") as one, staged(tmp_path / "b") as two:
        for stage in (one, two):
            stub = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
            assert stub.GetChain(chain_service_pb2.GetChainRequest()).chain.supply == 50_000
        refusal = refusal_of(
            lambda: chain_service_pb2_grpc.ChainServiceStub(two.channel(one.token())).GetChain(
                chain_service_pb2.GetChainRequest()
            )
        )
        assert refusal.reason == "TOKEN_INVALID"


def test_health_needs_no_token_and_names_every_service(stage: AdminStage) -> None:
    stub = health_stub(stage)
    names = ["", *(f"troupe.admin.v1.{service}Service" for service in SERVICES)]
    for name in names:
        assert stub.Check(health.HealthCheckRequest(service=name)).status == SERVING
    if hasattr(stub, "List"):  # not in every supported grpcio-health-checking
        assert sorted(stub.List(health.HealthListRequest()).statuses) == sorted(names)


def test_health_does_not_know_a_service_that_is_not_served(stage: AdminStage) -> None:
    refusal = refusal_of(lambda: health_stub(stage).Check(health.HealthCheckRequest(service="x")))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "SERVICE_NOT_FOUND")


def test_an_unknown_service_is_watched_unless_its_name_is_a_burden(stage: AdminStage) -> None:
    unknown = health.HealthCheckResponse.SERVICE_UNKNOWN
    longest = health.HealthCheckRequest(service="x" * MAX_NAME_CHARS)
    watch = health_stub(stage).Watch(longest, timeout=WAIT_S)
    assert next(watch).status == unknown
    longer = health.HealthCheckRequest(service="x" * (MAX_NAME_CHARS + 1))
    refusal = refusal_of(lambda: health_stub(stage).Watch(longer, timeout=WAIT_S))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "SERVICE_NOT_FOUND")
    watch.cancel()


@pytest.mark.parametrize(("room", "question"), [("chain", GetChain()), ("reader", ListTips(1))])
def test_a_service_of_whose_actors_one_stays_down_is_not_ready(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch, room: str, question: Any
) -> None:
    def fall(_message: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr("actors.runtime.supervisor.RETRY_S", FOR_LONG_S)
    request = health.HealthCheckRequest(service="troupe.admin.v1.ChainService")
    watch = health_stub(stage).Watch(request, timeout=WAIT_S)
    assert next(watch).status == SERVING
    stage.rooms[room].compute(type(question), fall)
    for _ in range(MAX_RESTARTS + 1):
        getattr(stage.house, room).tell(question)
    assert next(watch).status == NOT_SERVING
    peers = health.HealthCheckRequest(service="troupe.admin.v1.PeerService")
    assert health_stub(stage).Check(peers).status == SERVING


def test_what_health_told_is_not_unknown_to_get_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(_message: Any) -> Any:
        raise RuntimeError

    # Down at once, and for as long as it is looked at.
    monkeypatch.setattr("actors.runtime.member.MAX_RESTARTS", 0)
    monkeypatch.setattr("actors.runtime.supervisor.RETRY_S", FOR_LONG_S)
    with staged(tmp_path, fresh_s=3_600.0) as stage:
        request = health.HealthCheckRequest(service="troupe.admin.v1.GossipService")
        watch = health_stub(stage).Watch(request, timeout=WAIT_S)
        assert next(watch).status == SERVING
        stub = stage.stub(node_service_pb2_grpc.NodeServiceStub)
        node = stub.GetNode(node_service_pb2.GetNodeRequest()).node
        assert node.state == node_service_pb2.NODE_STATE_READY
        stage.gossip.compute(GetGossip, fall)
        stage.house.gossip.tell(GetGossip())
        assert next(watch).status == NOT_SERVING
        node = stub.GetNode(node_service_pb2.GetNodeRequest()).node
        assert node.state == node_service_pb2.NODE_STATE_DEGRADED


def test_a_stop_is_seen_by_health_and_ends_what_runs_within_the_grace(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.server.FINAL_EVENT_S", WAIT_S)
    watch = health_stub(stage).Watch(health.HealthCheckRequest(), timeout=WAIT_S)
    assert next(watch).status == SERVING
    stage.miner.compute(GenerateBlock, lambda _asked: DEFER)
    stub: Any = stage.stub(miner_service_pb2_grpc.MinerServiceStub)
    run = stub.GenerateBlocks(miner_service_pb2.GenerateBlocksRequest(count=1), timeout=WAIT_S)
    stage.miner.deferred.get(timeout=WAIT_S)
    stopping = threading.Thread(target=stage.server.stop, args=(60.0,))
    stopping.start()
    assert next(watch).status == NOT_SERVING
    for call in (watch, run):
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        refusal = refused(caught.value)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")
    stopping.join(WAIT_S)
    assert not stopping.is_alive()


def test_a_stop_refuses_the_call_that_waits_for_an_actor(tmp_path: Path) -> None:
    with staged(tmp_path, ask_timeout_s=60.0) as stage:
        stage.chain.compute(GetChain, lambda _asked: DEFER)
        stub: Any = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
        call = stub.GetChain.future(chain_service_pb2.GetChainRequest())
        stage.chain.deferred.get(timeout=WAIT_S)
        stopping = threading.Thread(target=stage.server.stop, args=(60.0,))
        stopping.start()
        refusal = refused(call.exception(timeout=WAIT_S))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")
        assert refusal.retry_s == RETRY_S
        stopping.join(WAIT_S)
        assert not stopping.is_alive()


def test_a_call_whose_status_is_sent_may_end_before_the_server_does(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """gRPC has stopped when each status is sent, and prints a traceback of a call that is broken off behind that."""
    sent: list[Any] = []
    abort = Refusal.abort

    async def slowly(refusal: Refusal, context: Any) -> None:
        try:
            await abort(refusal, context)
        finally:
            for _ in range(1_000):  # turns of the loop, in which gRPC's end is heard of
                await asyncio.sleep(0)
            sent.append(refusal)

    monkeypatch.setattr(Refusal, "abort", slowly)
    monkeypatch.setattr("admin.server.LAST_TASKS_S", WAIT_S)
    with staged(tmp_path, ask_timeout_s=60.0) as stage:
        stage.chain.compute(GetChain, lambda _asked: DEFER)
        stub: Any = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
        call = stub.GetChain.future(chain_service_pb2.GetChainRequest())
        stage.chain.deferred.get(timeout=WAIT_S)
        stage.server.stop(60.0)
        assert refused(call.exception(timeout=WAIT_S)).reason == "STOPPING"
    assert len(sent) == 1
    assert "Traceback" not in capfd.readouterr().err


def test_a_server_that_cannot_write_its_address_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with staged(tmp_path / "a") as before:
        address = before.address
    (tmp_path / "b" / ADDRESS_FILE).mkdir(parents=True)
    failing = AdminStage(tmp_path / "b", listen=address)
    with pytest.raises(OSError, match=ADDRESS_FILE):
        failing.start()
    with staged(tmp_path / "a", listen=address) as after:
        assert after.address == address
    failing.stop()
