"""GossipService over the wire."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from troupe.admin.v1 import gossip_service_pb2 as pb
from troupe.admin.v1 import gossip_service_pb2_grpc

from actors.gossip.messages import (
    MAX_LISTENERS,
    GetGossip,
    GossipInfo,
    Heard,
    KindInfo,
    Listen,
    Published,
    PublishGossip,
    PublishRefusal,
    Unlisten,
)
from actors.peers.messages import PeerId
from admin.services.gossip import MAX_WAITING_BYTES
from tests.support.admin_stage import WAIT_S, AdminStage, refusal_of, refused

Stub = gossip_service_pb2_grpc.GossipServiceStub
BOB = PeerId("10.0.0.1:7000")
ID = bytes(range(16))


@pytest.fixture(autouse=True)
def _script(stage: AdminStage) -> None:
    stage.gossip.answer(Listen, True)
    stage.gossip.answer(Unlisten, None)
    stage.gossip.answer(PublishGossip, Published(ID, 3))


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    return stage.stub(Stub)


def heard(payload: bytes, kind: str = "chat", peer: PeerId | None = BOB) -> Heard:
    return Heard(ID, kind, payload, peer, 1_700_000_000.5)


class Reader:
    """A client's stream, from behind its first response on."""

    def __init__(self, stage: AdminStage, *kinds: str) -> None:
        stub: Any = stage.stub(Stub)
        self.call = stub.Subscribe(pb.SubscribeRequest(kinds=kinds), timeout=60)
        assert next(self.call).WhichOneof("body") == "started"
        self.sink = stage.gossip.of(Listen)[-1].sink

    def take(self, count: int) -> list[pb.GossipMessage]:
        return [next(self.call).message for _ in range(count)]


def test_get_gossip_shows_what_is_remembered_and_what_became_of_each_kind(
    stage: AdminStage, stub: Stub
) -> None:
    kinds = (
        KindInfo("chat", False, 4096, 2, 9, 1, 3, 5, 7),
        KindInfo("", False, 0, 0, 4, 0, 4, 0, 0),
    )
    stage.gossip.answer(GetGossip, GossipInfo(10, 11, 65_536, 300.0, 12, 32_768, 2, kinds))
    shown = stub.GetGossip(pb.GetGossipRequest()).gossip
    assert (shown.seen_id_count, shown.seen_content_count, shown.max_seen_count) == (10, 11, 65_536)
    assert (shown.seen_lifetime_s, shown.awaiting_count, shown.max_awaiting_count) == (
        300.0,
        12,
        32_768,
    )
    assert shown.subscriber_count == 2
    assert list(shown.kinds) == [
        pb.GossipKind(
            kind="chat",
            max_payload_bytes=4096,
            subscriber_count=2,
            received_count=9,
            duplicate_count=1,
            dropped_count=3,
            relayed_count=5,
            published_count=7,
        ),
        pb.GossipKind(received_count=4, dropped_count=4),
    ]


# -- publishing -----------------------------------------------------------------------------------


def test_publish_returns_the_id_and_how_many_peers_it_went_to(
    stage: AdminStage, stub: Stub
) -> None:
    sent = stub.Publish(pb.PublishRequest(kind="chat", payload=b"ada\0hello"))
    assert (sent.message_id, sent.peer_count) == (ID.hex(), 3)
    assert stage.gossip.of(PublishGossip) == [PublishGossip("chat", b"ada\0hello")]


@pytest.mark.parametrize(
    ("refusal", "kind", "said"),
    [
        (PublishRefusal.HANDLED, "bc:new_tx", ("kind", "SubmitTransaction")),
        (PublishRefusal.HANDLED, "bc:new_block", ("kind", "SubmitBlock")),
        (PublishRefusal.HANDLED, "search:block", ("kind", "SearchService.Search")),
        (PublishRefusal.HANDLED, "other", ("kind", "no room of this node")),
        (PublishRefusal.TOO_LONG, "chat", ("payload", "longer")),
        (PublishRefusal.MALFORMED, "chat", ("payload", "a name, a zero byte")),
    ],
)
def test_what_is_not_published_says_why(
    stage: AdminStage, stub: Stub, refusal: PublishRefusal, kind: str, said: tuple[str, str]
) -> None:
    field, word = said
    stage.gossip.answer(PublishGossip, refusal)
    seen = refusal_of(lambda: stub.Publish(pb.PublishRequest(kind=kind, payload=b"x")))
    assert (seen.code, seen.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert seen.fields == (field,)
    assert word in seen.message


@pytest.mark.parametrize("kind", ["", "x" * 58, "two words", "ka\u00f1a", "a\0b"])
def test_what_can_be_no_kind_is_not_asked_for(stage: AdminStage, stub: Stub, kind: str) -> None:
    assert refusal_of(lambda: stub.Publish(pb.PublishRequest(kind=kind))).fields == ("kind",)
    assert refusal_of(lambda: stub.Subscribe(pb.SubscribeRequest(kinds=[kind]))).fields == (
        "kinds",
    )
    assert not stage.gossip.told


def test_a_retry_with_a_request_id_publishes_once(stage: AdminStage, stub: Stub) -> None:
    request = pb.PublishRequest(kind="chat", payload=b"ada\0hi", request_id="one")
    assert stub.Publish(request) == stub.Publish(request)
    assert len(stage.gossip.of(PublishGossip)) == 1
    request.payload = b"ada\0ho"
    assert refusal_of(lambda: stub.Publish(request)).reason == "REQUEST_ID_REUSED"


def test_a_read_only_token_may_listen_and_not_publish(stage: AdminStage) -> None:
    readonly = stage.stub(Stub, readonly=True)
    seen = refusal_of(lambda: readonly.Publish(pb.PublishRequest(kind="chat", payload=b"a\0b")))
    assert (seen.code, seen.metadata) == (
        grpc.StatusCode.PERMISSION_DENIED,
        {"permission": "gossip:write"},
    )
    stream: Any = readonly.Subscribe(pb.SubscribeRequest(), timeout=60)
    assert next(stream).HasField("started")
    stream.cancel()


# -- subscribing ----------------------------------------------------------------------------------


def test_a_subscriber_gets_each_message_as_it_comes(stage: AdminStage) -> None:
    reader = Reader(stage, "chat", "search")
    assert stage.gossip.of(Listen)[0].kinds == {"chat", "search"}
    reader.sink.offer(heard(b"ada\0hello"))
    reader.sink.offer(heard(b"\xff", "search:x", peer=None))
    first, second = reader.take(2)
    assert (first.message_id, first.kind, first.payload) == (ID.hex(), "chat", b"ada\0hello")
    assert (first.peer, first.receive_time.ToMilliseconds()) == (BOB, 1_700_000_000_500)
    assert (second.kind, second.payload, second.peer) == ("search:x", b"\xff", "")


def test_a_stream_without_kinds_listens_to_all(stage: AdminStage) -> None:
    Reader(stage)
    assert stage.gossip.of(Listen)[0].kinds == frozenset()


def test_a_stream_that_ends_is_listened_to_no_more(stage: AdminStage) -> None:
    reader, other = Reader(stage, "chat"), Reader(stage, "chat")
    reader.call.cancel()
    other.sink.offer(heard(b"a\0b"))
    other.take(1)
    deadline_s = stage.clock.now_s() + WAIT_S
    while not stage.gossip.of(Unlisten):
        assert stage.clock.now_s() < deadline_s
    assert [told.sink for told in stage.gossip.of(Unlisten)] == [reader.sink]


def test_too_many_listeners_are_refused(stage: AdminStage, stub: Stub) -> None:
    stage.gossip.answer(Listen, False)
    seen = refusal_of(lambda: stub.Subscribe(pb.SubscribeRequest()))
    assert (seen.code, seen.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
    assert seen.metadata == {"limit": str(MAX_LISTENERS)}


def test_a_subscriber_names_so_many_kinds_at_most(stub: Stub) -> None:
    kinds = [f"kind-{number}" for number in range(65)]
    assert refusal_of(lambda: stub.Subscribe(pb.SubscribeRequest(kinds=kinds))).fields == ("kinds",)


@pytest.mark.parametrize("size_bytes", [10, 4_096, MAX_WAITING_BYTES // 3])
def test_a_reader_that_stands_still_loses_its_stream_and_no_other_does(
    stage: AdminStage, size_bytes: int
) -> None:
    slow, brisk = Reader(stage), Reader(stage)
    message = heard(bytes(size_bytes))
    for _ in range(200_000_000 // size_bytes if size_bytes > 10 else 100_000):
        slow.sink.offer(message)
    brisk.sink.offer(message)
    assert len(brisk.take(1)) == 1
    got: list[Any] = []
    with pytest.raises(grpc.RpcError) as caught:
        got.extend(slow.call)
    seen = refused(caught.value)
    assert (seen.code, seen.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER")
    assert int(seen.metadata["dropped"]) >= 1
    assert got


def test_streams_end_when_the_gossip_actor_goes_down(stage: AdminStage) -> None:
    reader = Reader(stage)
    reader.sink.offer(heard(b"a\0b"))
    reader.sink.lost()
    assert len(reader.take(1)) == 1
    with pytest.raises(grpc.RpcError) as caught:
        next(reader.call)
    assert refused(caught.value).metadata == {"actor": "gossip"}
