"""NodeService and ActorService over the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from troupe.admin.v1 import (
    actor_service_pb2,
    actor_service_pb2_grpc,
    chain_service_pb2,
    chain_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
)

from actors.chain.messages import GetChain, SyncProgress, SyncState
from actors.ledger.types import BlockRef
from actors.peers.messages import ListPeers
from tests.support.admin_stage import ROOMS, WAIT_S, AdminStage, chain_info, refusal_of

GET = node_service_pb2.GetNodeRequest()
LIST = actor_service_pb2.ListActorsRequest


def node(stage: AdminStage) -> node_service_pb2.Node:
    return stage.stub(node_service_pb2_grpc.NodeServiceStub).GetNode(GET).node


def fail(_message: Any) -> Any:
    text = "a secret of the room"
    raise RuntimeError(text)


def test_get_node_shows_every_room_at_a_glance(stage: AdminStage) -> None:
    stage.chain.answer(GetChain, chain_info(BlockRef(7, b"\xab" * 32)))
    seen = node(stage)
    assert (seen.name, seen.version, seen.state) == (
        "troupe",
        "0.0.0",
        node_service_pb2.NODE_STATE_READY,
    )
    assert (seen.tip.number, seen.tip.hash) == (7, "ab" * 32)
    assert (seen.network.name, seen.network.block_reward) == ("main", 10_000)
    assert seen.genesis_hash == stage.network.genesis.hash.hex()
    assert (seen.peer_count, seen.mempool_pending_count, seen.mempool_queued_count) == (0, 3, 2)
    assert (seen.mining, seen.hashes_per_s) == (False, 1_500.5)
    assert (seen.listen_address, seen.advertise_address) == (
        "127.0.0.1:7001",
        "node.example:7001",
    )
    assert seen.uptime_s > 0
    assert not seen.state_reasons


def test_get_node_says_how_far_it_has_synced(stage: AdminStage) -> None:
    info = chain_info(BlockRef(7, b"\xab" * 32), SyncState.DOWNLOADING, best=90)
    stage.chain.answer(GetChain, info)
    seen = node(stage)
    assert seen.state == node_service_pb2.NODE_STATE_SYNCING
    assert "7 of 90" in seen.state_reasons[0]


@pytest.mark.parametrize("left_s", [38.0, None])
def test_a_sync_is_shown_with_its_rate_and_the_time_left(
    stage: AdminStage, left_s: float | None
) -> None:
    progress = SyncProgress(done=12, total=90, blocks_per_s=2.5, left_s=left_s)
    info = replace(chain_info(stage.tip, SyncState.DOWNLOADING, best=90), progress=progress)
    stage.chain.answer(GetChain, info)
    chains = stage.stub(chain_service_pb2_grpc.ChainServiceStub)
    expected = chain_service_pb2.JobProgress(
        unit=chain_service_pb2.PROGRESS_UNIT_BLOCKS,
        done_count=12,
        total_count=90,
        per_s=2.5,
        remaining_s=left_s,
    )
    assert node(stage).sync_progress == expected
    request = chain_service_pb2.GetChainRequest()
    assert chains.GetChain(request).chain.sync_progress == expected
    stage.chain.answer(GetChain, chain_info(stage.tip))
    assert not node(stage).HasField("sync_progress")
    assert not chains.GetChain(request).chain.HasField("sync_progress")


def test_get_node_answers_without_a_room_that_fell_and_says_so(stage: AdminStage) -> None:
    stage.peers.compute(ListPeers, fail)
    seen = node(stage)
    assert seen.state == node_service_pb2.NODE_STATE_DEGRADED
    assert any("peers" in reason for reason in seen.state_reasons)
    assert not seen.HasField("peer_count")
    assert seen.HasField("tip")


def test_shutdown_begins_to_stop_the_node(stage: AdminStage) -> None:
    stub = stage.stub(node_service_pb2_grpc.NodeServiceStub)
    stub.ShutdownNode(node_service_pb2.ShutdownNodeRequest())
    assert stage.shutdown_asked.wait(WAIT_S)
    assert stub.GetNode(GET).node.state == node_service_pb2.NODE_STATE_STOPPING


def test_list_actors_shows_each_with_its_work(stage: AdminStage) -> None:
    stub = stage.stub(actor_service_pb2_grpc.ActorServiceStub)
    actors = stub.ListActors(LIST()).actors
    assert [actor.name for actor in actors] == [*ROOMS, "events", "supervisor"]
    assert {actor.state for actor in actors} == {actor_service_pb2.ACTOR_STATE_RUNNING}
    assert all(actor.handled_count >= 1 for actor in actors)


def test_list_actors_shows_how_one_failed(stage: AdminStage) -> None:
    stage.peers.compute(ListPeers, fail)
    node(stage)
    stub = stage.stub(actor_service_pb2_grpc.ActorServiceStub)
    actors = {actor.name: actor for actor in stub.ListActors(LIST()).actors}
    fallen = actors["peers"]
    assert "RuntimeError in ListPeers" in fallen.last_error
    assert fallen.failed_count == 1


def test_list_actors_goes_on_page_by_page(stage: AdminStage) -> None:
    stub = stage.stub(actor_service_pb2_grpc.ActorServiceStub)
    names: list[str] = []
    request = LIST(page_size=2)
    while True:
        page = stub.ListActors(request)
        names += [actor.name for actor in page.actors]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert names == [*ROOMS, "events", "supervisor"]


@pytest.mark.parametrize("token", ["x", "AAAA", "ä"])
def test_list_actors_refuses_a_token_that_it_did_not_give(stage: AdminStage, token: str) -> None:
    stub = stage.stub(actor_service_pb2_grpc.ActorServiceStub)
    assert (
        refusal_of(lambda: stub.ListActors(LIST(page_token=token))).reason == "PAGE_TOKEN_INVALID"
    )
