"""A reader of events that stalls, beside others that do not: over real connections, whose windows fill up."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from troupe.admin.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc

from actors.ledger.keys import ED25519
from actors.mempool.messages import TransactionAdded
from actors.miner.messages import MinerChanged
from actors.runtime.events import KEPT_EVENTS, GetPosition
from admin.streams import MAX_QUEUED
from tests.support.admin_stage import EPOCH, WAIT_S, AdminStage, Refused, refusal_of, refused
from tests.support.ledger import key, transfer

BULKY = TransactionAdded(transfer(key(ED25519, "payer"), bytes(2_000), 0, 25), pending=True)
"""Some 12 KB on this surface: six of them fill the window of a stream that is not read."""
SLIM = MinerChanged(mining=True)
PORTION = 300
"""Events that happen between two looks of the brisk readers, who must not fall behind themselves."""
TOTAL = MAX_QUEUED + 2 * PORTION
OWN_CONNECTION = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.http2.bdp_probe", 0),  # its windows do not grow: what it does not read waits in the node
)


class Reader:
    """A client's stream, from behind its first message on."""

    def __init__(self, stage: AdminStage, channel: grpc.Channel, after: int | None = None) -> None:
        stub: Any = event_service_pb2_grpc.EventServiceStub(channel)
        request = event_service_pb2.WatchEventsRequest()
        if after is not None:
            request.resume_after.MergeFrom(event_pb2.EventPosition(epoch=EPOCH, sequence=after))
        credentials = (("authorization", f"Bearer {stage.token()}"),)
        self.call = stub.WatchEvents(request, metadata=credentials, timeout=60)
        assert next(self.call).event.type == event_pb2.EVENT_TYPE_WATCH_STARTED

    def take(self, count: int) -> list[int]:
        return [next(self.call).event.sequence for _ in range(count)]

    def rest(self) -> tuple[list[int], Refused]:
        """The numbers that it still gets, and what it is ended with."""
        numbers: list[int] = []
        with pytest.raises(grpc.RpcError) as caught:
            numbers.extend(response.event.sequence for response in self.call)
        return numbers, refused(caught.value)


def happen_before(stage: AdminStage, readers: list[Reader], body: object) -> None:
    """``TOTAL`` events, each of which these readers must receive at once."""
    for begin in range(0, TOTAL, PORTION):
        portion = min(PORTION, TOTAL - begin)
        stage.happen(*[body] * portion)
        for reader in readers:
            assert reader.take(portion) == list(range(begin + 1, begin + portion + 1))


@pytest.mark.parametrize("shared", [True, False], ids=["one connection", "its own connection"])
def test_a_stalled_reader_keeps_nothing_from_the_others_and_can_resume_where_it_was_cut_off(
    stage: AdminStage, shared: bool
) -> None:
    with (
        grpc.insecure_channel(stage.address, options=OWN_CONNECTION) as own,
        grpc.insecure_channel(stage.address, options=OWN_CONNECTION) as others,
    ):
        stalled = Reader(stage, others if shared else own)
        happen_before(stage, [Reader(stage, others) for _ in range(5)], BULKY)
        received, ending = stalled.rest()
        assert ending.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert ending.reason == "SLOW_CONSUMER"
        assert ending.metadata == {"sequence": str(len(received)), "epoch": EPOCH}
        assert received == list(range(1, len(received) + 1))
        missed = TOTAL - len(received)
        assert missed > MAX_QUEUED
        again = Reader(stage, own, after=len(received))
        stage.happen(SLIM)
        assert again.take(missed + 1) == list(range(len(received) + 1, TOTAL + 2))


def test_a_reader_that_stalled_for_longer_than_events_are_kept_cannot_resume(
    stage: AdminStage,
) -> None:
    with grpc.insecure_channel(stage.address, options=OWN_CONNECTION) as own:
        stalled = Reader(stage, own)
        happen_before(stage, [], BULKY)
        stage.happen(*[SLIM] * KEPT_EVENTS)
        newest = stage.house.events.ask(GetPosition(), timeout_s=WAIT_S)[1]
        received, ending = stalled.rest()
        assert ending.reason == "SLOW_CONSUMER"
        assert ending.metadata["sequence"] == str(len(received))
        seen = refusal_of(lambda: Reader(stage, own, after=len(received)))
        assert (seen.code, seen.reason) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")
        oldest = newest - KEPT_EVENTS + 1
        assert seen.metadata == {"oldest": str(oldest), "newest": str(newest), "epoch": EPOCH}
        kept = Reader(stage, own, after=oldest - 1)
        assert kept.take(KEPT_EVENTS) == list(range(oldest, newest + 1))
