"""EventService over the wire: order, filters, resuming, slow readers, and the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc

from actors.ledger.keys import ED25519
from actors.mempool.messages import TransactionAdded
from actors.miner.messages import MinerChanged
from actors.runtime.events import KEPT_EVENTS, GetPosition
from admin.places import MAX_TOKEN_STREAMS
from tests.support.admin_stage import EPOCH, WAIT_S, AdminStage, refusal_of, refused
from tests.support.ledger import key, transfer

Request = event_service_pb2.WatchEventsRequest
STARTED, STOPPED = MinerChanged(mining=True), MinerChanged(mining=False)
BULKY = transfer(key(ED25519, "payer"), bytes(2_000), 0, 25)
"""A transaction of some 12 KB on this surface: hex and raw."""
MINING_STARTED = event_pb2.EVENT_TYPE_MINING_STARTED


class Reader:
    """A client's stream, from behind its first message on."""

    def __init__(self, stage: AdminStage, request: Request | None = None) -> None:
        stub: Any = stage.stub(event_service_pb2_grpc.EventServiceStub)
        self.call = stub.WatchEvents(request or Request(), timeout=60)
        self.started: event_pb2.Event = next(self.call).event
        assert self.started.type == event_pb2.EVENT_TYPE_WATCH_STARTED

    def take(self, count: int) -> list[event_pb2.Event]:
        return [next(self.call).event for _ in range(count)]

    def rest(self) -> Iterator[event_pb2.Event]:
        for response in self.call:
            yield response.event


def resume(sequence: int, epoch: str = EPOCH, types: tuple[Any, ...] = ()) -> Request:
    after = event_pb2.EventPosition(epoch=epoch, sequence=sequence)
    return Request(resume_after=after, types=types)


def recorded(stage: AdminStage, *bodies: object) -> None:
    """Let events happen, and wait until they are numbered."""
    stage.happen(*bodies)
    stage.house.events.ask(GetPosition(), timeout_s=WAIT_S)


def test_a_stream_shows_what_happens_from_its_start_on_in_order(stage: AdminStage) -> None:
    recorded(stage, STARTED)
    reader = Reader(stage)
    assert (reader.started.sequence, reader.started.epoch) == (1, EPOCH)
    stage.happen(STOPPED, STARTED)
    events = reader.take(2)
    assert [event.sequence for event in events] == [2, 3]
    assert [event.WhichOneof("body") for event in events] == ["mining_stopped", "mining_started"]


def test_a_filter_leaves_gaps_and_no_renumbering(stage: AdminStage) -> None:
    reader = Reader(stage, Request(types=[MINING_STARTED]))
    stage.happen(STOPPED, STARTED, STOPPED, STARTED)
    assert [event.sequence for event in reader.take(2)] == [2, 4]


def test_a_resumed_stream_loses_and_repeats_nothing(stage: AdminStage) -> None:
    recorded(stage, *[STARTED, STOPPED] * 50)
    reader = Reader(stage, resume(40))
    stage.happen(*[STARTED, STOPPED] * 50)
    assert reader.started.sequence == 40
    assert [event.sequence for event in reader.take(160)] == list(range(41, 201))


def test_a_resumed_stream_filters_what_was_kept(stage: AdminStage) -> None:
    recorded(stage, STOPPED, STARTED, STOPPED)
    reader = Reader(stage, resume(0, types=(MINING_STARTED,)))
    stage.happen(STARTED)
    assert [event.sequence for event in reader.take(2)] == [2, 4]


def test_an_empty_epoch_means_this_run(stage: AdminStage) -> None:
    recorded(stage, STARTED)
    assert Reader(stage, resume(0, epoch="")).take(1)[0].epoch == EPOCH


@pytest.mark.parametrize(
    ("sequence", "epoch"), [(0, EPOCH), (KEPT_EVENTS + 9, EPOCH), (5_000, "x")]
)
def test_a_position_that_is_not_kept_is_out_of_range(
    stage: AdminStage, sequence: int, epoch: str
) -> None:
    recorded(stage, *[STARTED] * (KEPT_EVENTS + 2))
    stub = stage.stub(event_service_pb2_grpc.EventServiceStub)
    seen = refusal_of(lambda: stub.WatchEvents(resume(sequence, epoch)))
    assert (seen.code, seen.reason) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")
    assert seen.metadata == {"oldest": "3", "newest": str(KEPT_EVENTS + 2), "epoch": EPOCH}


@pytest.mark.parametrize("type_", [0, 999])
def test_an_unknown_type_is_refused(stage: AdminStage, type_: Any) -> None:
    stub = stage.stub(event_service_pb2_grpc.EventServiceStub)
    assert refusal_of(lambda: stub.WatchEvents(Request(types=[type_]))).fields == ("types",)


def test_a_reader_that_falls_behind_is_told_where_to_resume(stage: AdminStage) -> None:
    slow, brisk = Reader(stage), Reader(stage)
    total = 3_000
    bulky = TransactionAdded(BULKY, pending=True)
    for _ in range(total // 500):
        stage.happen(*[bulky] * 500)
        brisk.take(500)
    received: list[int] = []
    with pytest.raises(grpc.RpcError) as caught:
        received.extend(event.sequence for event in slow.rest())
    seen = refused(caught.value)
    assert (seen.code, seen.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER")
    assert received == list(range(1, len(received) + 1))
    assert len(received) < total
    assert seen.metadata == {"sequence": str(received[-1]), "epoch": EPOCH}
    again = Reader(stage, resume(received[-1]))
    assert [event.sequence for event in again.take(total - len(received))] == list(
        range(received[-1] + 1, total + 1)
    )


def test_many_readers_each_receive_every_event(stage: AdminStage) -> None:
    readers = [Reader(stage) for _ in range(20)]
    stage.happen(*[STARTED, STOPPED] * 250)
    for reader in readers:
        assert [event.sequence for event in reader.take(500)] == list(range(1, 501))


def test_there_are_only_so_many_streams_and_an_ended_one_makes_room(stage: AdminStage) -> None:
    readers = [Reader(stage) for _ in range(MAX_TOKEN_STREAMS)]
    stub: Any = stage.stub(event_service_pb2_grpc.EventServiceStub)
    seen = refusal_of(lambda: stub.WatchEvents(Request()))
    assert (seen.code, seen.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_STREAMS",
    )
    assert seen.metadata == {"limit": str(MAX_TOKEN_STREAMS)}
    readers[0].call.cancel()
    deadline_s = stage.clock.now_s() + WAIT_S
    while stage.clock.now_s() < deadline_s:
        call = stub.WatchEvents(Request(), timeout=WAIT_S)
        try:
            next(call)
        except grpc.RpcError:
            continue
        break
    else:
        pytest.fail("the place of an ended stream stayed taken")


def test_every_stream_ends_with_a_final_event_when_the_node_stops(
    stage: AdminStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.server.FINAL_EVENT_S", WAIT_S)
    readers = [Reader(stage), Reader(stage, Request(types=[MINING_STARTED]))]
    stopping = threading.Thread(target=stage.server.stop, args=(WAIT_S,))
    stopping.start()
    for reader in readers:
        seen: list[int] = []
        with pytest.raises(grpc.RpcError) as caught:
            seen.extend(event.type for event in reader.rest())
        assert seen == [event_pb2.EVENT_TYPE_NODE_STOPPING]
        assert refused(caught.value).reason == "STOPPING"
    stopping.join(WAIT_S)
    assert not stopping.is_alive()


def test_streams_end_when_the_events_actor_falls_and_can_begin_anew(stage: AdminStage) -> None:
    reader = Reader(stage)
    poisoned: Any = "not an input of the events actor"
    stage.house.events.tell(poisoned)
    with pytest.raises(grpc.RpcError) as caught:
        list(reader.rest())
    assert refused(caught.value).reason == "ACTOR_DOWN"
    anew = Reader(stage)
    assert anew.started.epoch != EPOCH
    stage.happen(STARTED)
    assert anew.take(1)[0].sequence == 1


# -- ListEvents -----------------------------------------------------------------------------------


def list_events(stage: AdminStage, **fields: Any) -> event_service_pb2.ListEventsResponse:
    stub: Any = stage.stub(event_service_pb2_grpc.EventServiceStub)
    answer = stub.ListEvents(event_service_pb2.ListEventsRequest(**fields))
    assert isinstance(answer, event_service_pb2.ListEventsResponse)
    return answer


def all_events(stage: AdminStage, **fields: Any) -> tuple[list[int], event_pb2.EventPosition]:
    """The numbers over all pages, and the position of the last."""
    numbers: list[int] = []
    token = ""
    while True:
        page = list_events(stage, page_token=token, **fields)
        numbers += [event.sequence for event in page.events]
        token = page.next_page_token
        if not token:
            return numbers, page.position


def test_the_kept_events_are_listed_page_by_page_oldest_first(stage: AdminStage) -> None:
    recorded(stage, *[STARTED, STOPPED] * 10)
    first = list_events(stage, page_size=3)
    assert [event.sequence for event in first.events] == [1, 2, 3]
    assert (first.position.epoch, first.position.sequence) == (EPOCH, 3)
    numbers, position = all_events(stage, page_size=3)
    assert numbers == list(range(1, 21))
    assert (position.epoch, position.sequence) == (EPOCH, 20)


def test_a_listing_of_a_node_to_which_nothing_happened_is_empty(stage: AdminStage) -> None:
    answer = list_events(stage)
    assert (list(answer.events), answer.next_page_token) == ([], "")
    assert (answer.position.epoch, answer.position.sequence) == (EPOCH, 0)


def test_a_listing_shows_only_the_types_asked_for_and_its_position_counts_all(
    stage: AdminStage,
) -> None:
    recorded(stage, *[STOPPED] * 1_500, STARTED, STOPPED, STARTED, STOPPED)
    numbers, position = all_events(stage, types=[MINING_STARTED], page_size=1)
    assert numbers == [1_501, 1_503]
    assert position.sequence == 1_504


def test_a_listing_begins_after_the_position_asked_for(stage: AdminStage) -> None:
    recorded(stage, *[STARTED] * 5)
    after = event_pb2.EventPosition(sequence=3)
    assert all_events(stage, after=after)[0] == [4, 5]


def test_a_stream_from_the_position_of_a_listing_misses_and_repeats_nothing(
    stage: AdminStage,
) -> None:
    recorded(stage, *[STARTED] * 5)
    position = all_events(stage)[1]
    recorded(stage, STOPPED)
    reader = Reader(stage, Request(resume_after=position))
    assert [event.sequence for event in reader.take(1)] == [6]


def test_a_page_of_large_events_ends_early(stage: AdminStage) -> None:
    recorded(stage, *[TransactionAdded(BULKY, pending=True)] * 200)
    page = list_events(stage, page_size=1_000)
    assert 0 < len(page.events) < 200
    assert page.ByteSize() < 2 * 1024 * 1024
    assert all_events(stage, page_size=1_000)[0] == list(range(1, 201))


@pytest.mark.parametrize(("sequence", "epoch"), [(0, EPOCH), (KEPT_EVENTS + 9, ""), (5_000, "x")])
def test_a_listing_from_a_position_that_is_not_kept_is_out_of_range(
    stage: AdminStage, sequence: int, epoch: str
) -> None:
    recorded(stage, *[STARTED] * (KEPT_EVENTS + 2))
    after = event_pb2.EventPosition(epoch=epoch, sequence=sequence)
    seen = refusal_of(lambda: list_events(stage, after=after))
    assert (seen.code, seen.reason) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")
    assert seen.metadata == {"oldest": "3", "newest": str(KEPT_EVENTS + 2), "epoch": EPOCH}


def test_a_page_whose_events_were_forgotten_meanwhile_is_out_of_range(stage: AdminStage) -> None:
    recorded(stage, STARTED, STOPPED)
    token = list_events(stage, page_size=1).next_page_token
    recorded(stage, *[STARTED] * KEPT_EVENTS)
    seen = refusal_of(lambda: list_events(stage, page_size=1, page_token=token))
    assert seen.reason == "CURSOR_EXPIRED"


def test_a_page_token_is_for_the_same_filters_only(stage: AdminStage) -> None:
    recorded(stage, STARTED, STOPPED)
    token = list_events(stage, page_size=1).next_page_token
    seen = refusal_of(lambda: list_events(stage, page_token=token, types=[MINING_STARTED]))
    assert (seen.code, seen.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


def test_a_listing_of_an_unknown_type_is_refused(stage: AdminStage) -> None:
    assert refusal_of(lambda: list_events(stage, types=[999])).fields == ("types",)
