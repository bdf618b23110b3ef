"""ActorService over the wire: what the actors do, one by name, and an operator's restart."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import (
    actor_service_pb2,
    actor_service_pb2_grpc,
    event_pb2,
    event_service_pb2,
    event_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
    peer_service_pb2,
    peer_service_pb2_grpc,
)

from actors.peers.messages import ListPeers
from actors.runtime.supervisor import MAX_RESTARTS, RestartActor
from tests.support.admin_stage import (
    EPOCH,
    ROOMS,
    WAIT_S,
    AdminStage,
    hurried,
    refusal_of,
    refusal_once_begun,
    refused,
)

FOR_LONG_S = 1e6
RUNNING = actor_service_pb2.ACTOR_STATE_RUNNING
LIST_PEERS = peer_service_pb2.ListPeersRequest()


def actors(stage: AdminStage) -> Any:
    return stage.stub(actor_service_pb2_grpc.ActorServiceStub)


def get(stage: AdminStage, name: str) -> actor_service_pb2.Actor:
    answer = actors(stage).GetActor(actor_service_pb2.GetActorRequest(name=name))
    assert isinstance(answer, actor_service_pb2.GetActorResponse)
    return answer.actor


def restart(stage: AdminStage, name: str) -> Any:
    return actors(stage).RestartActor(actor_service_pb2.RestartActorRequest(name=name)).actors


def fail(_message: Any) -> Any:
    text = "disk full: \udcff"  # a byte of a path that is no text
    raise OSError(text)


def node_state(stage: AdminStage) -> int:
    stub = stage.stub(node_service_pb2_grpc.NodeServiceStub)
    return stub.GetNode(node_service_pb2.GetNodeRequest()).node.state


def dawdling(stage: AdminStage) -> tuple[threading.Event, threading.Event]:
    """Have the peers actor dawdle over its list: an event that tells it began, one to release it."""
    begun, release = threading.Event(), threading.Event()

    def dawdle(_message: Any) -> Any:
        begun.set()
        release.wait(WAIT_S)
        return ()

    stage.peers.compute(ListPeers, dawdle)
    return begun, release


def test_an_actor_is_shown_by_its_name(stage: AdminStage) -> None:
    actor = get(stage, "chain")
    assert (actor.name, actor.state) == ("chain", RUNNING)
    assert list(actor.restart_group) == ["chain"]
    assert actor.handled_count >= 1
    assert 0 < actor.handling_p50_s <= actor.handling_p99_s


def test_the_supervisor_is_shown_among_the_actors(stage: AdminStage) -> None:
    listed = actors(stage).ListActors(actor_service_pb2.ListActorsRequest()).actors
    assert [actor.name for actor in listed] == [*ROOMS, "events", "supervisor"]
    supervisor = get(stage, "supervisor")
    assert supervisor.state == RUNNING
    assert list(supervisor.restart_group) == []


def test_what_waits_in_a_mailbox_is_shown_with_its_age(stage: AdminStage) -> None:
    begun, release = dawdling(stage)
    stub = stage.stub(peer_service_pb2_grpc.PeerServiceStub)
    calls = [stub.ListPeers.future(LIST_PEERS) for _ in range(3)]
    assert begun.wait(WAIT_S)
    seen = get(stage, "peers")
    while seen.mailbox_depth < 2:  # the other two are on their way
        seen = get(stage, "peers")
    assert seen.mailbox_depth == 2
    assert seen.mailbox_age_s > 0
    release.set()
    for call in calls:
        call.result()
    assert get(stage, "peers").mailbox_depth == 0


@pytest.mark.parametrize("name", ["", "nobody", "Chain"])
def test_a_name_that_no_actor_has_is_not_found(stage: AdminStage, name: str) -> None:
    for call in (get, restart):
        seen = refusal_of(lambda call=call: call(stage, name))  # type: ignore[misc]
        assert (seen.code, seen.reason) == (grpc.StatusCode.NOT_FOUND, "ACTOR_NOT_FOUND")


def test_a_restarted_actor_is_counted_apart_and_the_node_stays_ready(stage: AdminStage) -> None:
    for _ in range(2 * MAX_RESTARTS):
        (actor,) = restart(stage, "gossip")
        assert (actor.name, actor.state) == ("gossip", RUNNING)
    actor = get(stage, "gossip")
    assert (actor.restart_count, actor.requested_restart_count) == (0, 2 * MAX_RESTARTS)
    assert actor.failed_count == 0
    assert node_state(stage) == node_service_pb2.NODE_STATE_READY


def test_nothing_restarts_the_supervisor(stage: AdminStage) -> None:
    seen = refusal_of(lambda: restart(stage, "supervisor"))
    assert (seen.code, seen.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "ACTOR_NOT_RESTARTABLE",
    )


def test_the_readonly_token_may_look_and_not_restart(stage: AdminStage) -> None:
    stub = stage.stub(actor_service_pb2_grpc.ActorServiceStub, readonly=True)
    assert stub.GetActor(actor_service_pb2.GetActorRequest(name="chain")).actor.name == "chain"
    request = actor_service_pb2.RestartActorRequest(name="chain")
    seen = refusal_of(lambda: stub.RestartActor(request))
    assert (seen.code, seen.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
    assert seen.metadata == {"permission": "actor:write"}
    assert get(stage, "chain").requested_restart_count == 0


def test_an_actor_that_used_up_its_restarts_is_down_until_it_is_restarted(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.runtime.supervisor.RETRY_S", FOR_LONG_S)
    stage.peers.compute(ListPeers, fail)
    stub = stage.stub(peer_service_pb2_grpc.PeerServiceStub)
    for _ in range(MAX_RESTARTS + 1):
        refusal_of(lambda: stub.ListPeers(LIST_PEERS))
    with hurried(ListPeers):
        seen = refusal_of(lambda: stub.ListPeers(LIST_PEERS))
        assert (seen.code, seen.reason) == (grpc.StatusCode.UNAVAILABLE, "ACTOR_DOWN")
        assert (seen.retry_s, seen.metadata) == (1.0, {"actor": "peers"})
        assert node_state(stage) == node_service_pb2.NODE_STATE_DEGRADED
    down = get(stage, "peers")
    assert down.state == actor_service_pb2.ACTOR_STATE_RESTARTING
    assert r"disk full: \udcff" in down.last_error
    stage.peers.answer(ListPeers, ())  # the cause is repaired
    (actor,) = restart(stage, "peers")
    assert actor.state == RUNNING
    assert list(stub.ListPeers(LIST_PEERS).peers) == []
    assert node_state(stage) == node_service_pb2.NODE_STATE_READY


def test_a_restart_that_an_actor_does_not_come_to_is_done_later(stage: AdminStage) -> None:
    begun, release = dawdling(stage)
    stub = stage.stub(peer_service_pb2_grpc.PeerServiceStub)
    held: Any = stub.ListPeers.future(LIST_PEERS)
    assert begun.wait(WAIT_S)
    with hurried(RestartActor):
        seen = refusal_once_begun(lambda: restart(stage, "peers"))
    assert (seen.code, seen.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "ACTOR_TIMEOUT")
    assert seen.metadata == {"actor": "supervisor"}
    stage.peers.answer(ListPeers, ())
    release.set()
    assert list(held.result(WAIT_S).peers) == []
    while get(stage, "peers").requested_restart_count == 0:
        pass
    assert list(stub.ListPeers(LIST_PEERS).peers) == []


def test_restarting_the_events_actor_ends_streams_and_begins_a_new_epoch(stage: AdminStage) -> None:
    stub: Any = stage.stub(event_service_pb2_grpc.EventServiceStub)
    stream = stub.WatchEvents(event_service_pb2.WatchEventsRequest(), timeout=60)
    assert next(stream).event.type == event_pb2.EVENT_TYPE_WATCH_STARTED
    restart(stage, "events")
    with pytest.raises(grpc.RpcError) as caught:
        list(stream)
    assert refused(caught.value).reason == "ACTOR_DOWN"
    anew = stub.WatchEvents(event_service_pb2.WatchEventsRequest(), timeout=60)
    assert next(anew).event.epoch != EPOCH
