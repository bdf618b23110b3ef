"""MessagingService over the wire."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import messaging_service_pb2 as pb
from troupe.admin.v1 import messaging_service_pb2_grpc

from actors.messaging.messages import (
    MAX_KIND_BYTES,
    MAX_WATCHERS,
    AskPeer,
    GetMessaging,
    KindTraffic,
    MessageType,
    MessagingInfo,
    Post,
    RequestFailure,
    TracedMessage,
    Unwatch,
    Watch,
)
from actors.peers.messages import ListPeers
from actors.tcp.messages import ConnId
from admin.services.messaging import MAX_PAYLOAD_BYTES, MAX_TRACED_BYTES
from admin.tap import MAX_QUEUED
from tests.support.admin_stage import WAIT_S, AdminStage, refusal_of
from tests.support.peer_infos import peer_info

Stub = messaging_service_pb2_grpc.MessagingServiceStub
PEER = "10.0.0.1:7000"
CONN = ConnId(7000)
"""The first of its connections: what we send goes out on it."""


@pytest.fixture
def stub(stage: AdminStage) -> Stub:
    stage.peers.answer(ListPeers, (peer_info(7000), peer_info(7010)))
    stage.messaging.compute(Post, lambda post: len(post.conns))
    return stage.stub(Stub)


def sending(**fields: Any) -> pb.SendMessageRequest:
    return pb.SendMessageRequest(**{"peer_address": PEER, "kind": "my:kind", **fields})


def asking(**fields: Any) -> pb.SendRequestRequest:
    return pb.SendRequestRequest(**{"peer_address": PEER, "kind": "my:kind", **fields})


# -- GetMessaging -----------------------------------------------------------------------------------


def test_get_messaging_shows_each_kind_and_what_went_wrong(stage: AdminStage, stub: Stub) -> None:
    traffic = (KindTraffic("b", 1, 2, 3, 4), KindTraffic("a", 5, 6, 7, 8))
    stage.messaging.answer(
        GetMessaging, MessagingInfo(traffic, 100, 1, 2, 3, 4, 5, (("foo:bar", 9), ("(other)", 8)))
    )
    shown = stub.GetMessaging(pb.GetMessagingRequest()).messaging
    assert list(shown.kinds) == [
        pb.KindTraffic(
            kind="a",
            received_count=5,
            received_payload_bytes=6,
            sent_count=7,
            sent_payload_bytes=8,
        ),
        pb.KindTraffic(
            kind="b",
            received_count=1,
            received_payload_bytes=2,
            sent_count=3,
            sent_payload_bytes=4,
        ),
    ]
    assert (shown.received_count, shown.malformed_count, shown.early_dropped_count) == (100, 1, 2)
    assert (shown.late_response_count, shown.unasked_response_count) == (3, 4)
    assert shown.in_flight_count == 5
    assert [(each.kind, each.count) for each in shown.unknown_kinds] == [
        ("foo:bar", 9),
        ("(other)", 8),
    ]


# -- sending ----------------------------------------------------------------------------------------


def test_a_message_to_a_peer_goes_out_on_its_first_connection(
    stage: AdminStage, stub: Stub
) -> None:
    assert stub.SendMessage(sending(payload=b"\0\xff")).connection_id == CONN
    assert stage.messaging.of(Post) == [Post((CONN,), "my:kind", b"\0\xff")]


def test_a_message_may_name_a_connection(stage: AdminStage, stub: Stub) -> None:
    request = pb.SendMessageRequest(connection_id=3, kind="my:kind")
    assert stub.SendMessage(request).connection_id == 3
    assert stage.messaging.of(Post) == [Post((ConnId(3),), "my:kind", b"")]


def test_a_broadcast_goes_once_to_each_peer_and_says_to_how_many(
    stage: AdminStage, stub: Stub
) -> None:
    stage.messaging.compute(Post, lambda post: len(post.conns) - 1)  # one has just left
    request = pb.BroadcastMessageRequest(kind="my:kind", payload=b"pay")
    assert stub.BroadcastMessage(request).peer_count == 1
    assert stage.messaging.of(Post) == [Post((CONN, ConnId(7010)), "my:kind", b"pay")]


def test_a_broadcast_without_peers_reaches_nobody(stage: AdminStage, stub: Stub) -> None:
    stage.peers.answer(ListPeers, ())
    assert stub.BroadcastMessage(pb.BroadcastMessageRequest(kind="a")).peer_count == 0


@pytest.mark.parametrize("timeout_s", [None, 0.5, 60.0])
def test_a_request_returns_the_response(
    stage: AdminStage, stub: Stub, timeout_s: float | None
) -> None:
    stage.messaging.answer(AskPeer, b"\x01yes")
    answer = stub.SendRequest(asking(payload=b"?", timeout_s=timeout_s))
    assert (answer.connection_id, answer.payload) == (CONN, b"\x01yes")
    assert 0 <= answer.elapsed_s < WAIT_S
    assert stage.messaging.of(AskPeer) == [AskPeer(CONN, "my:kind", b"?", timeout_s or 10.0)]


# -- refusals ---------------------------------------------------------------------------------------


def _each_sending(stub: Any) -> Any:
    return (
        lambda fields: stub.SendMessage(sending(**fields)),
        lambda fields: stub.SendRequest(asking(**fields)),
        lambda fields: stub.BroadcastMessage(
            pb.BroadcastMessageRequest(**{"kind": "my:kind", **fields})
        ),
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": ""}, "kind"),
        ({"kind": "k" * (MAX_KIND_BYTES + 1)}, "kind"),
        ({"kind": "é" * (MAX_KIND_BYTES // 2) + "x"}, "kind"),
        ({"kind": "with\0zero"}, "kind"),
        ({"kind": "p2p:hello"}, "kind"),
        ({"payload": bytes(MAX_PAYLOAD_BYTES + 1)}, "payload"),
    ],
)
def test_what_must_not_be_sent_is_refused(
    stage: AdminStage, stub: Stub, fields: dict[str, Any], field: str
) -> None:
    for send in _each_sending(stub):
        seen = refusal_of(lambda send=send: send(fields))  # type: ignore[misc]
        assert (seen.code, seen.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
        assert seen.fields == (field,)
    assert not stage.messaging.told


def test_the_longest_kind_and_payload_are_sent(stage: AdminStage, stub: Stub) -> None:
    longest = sending(kind="é" * (MAX_KIND_BYTES // 2), payload=bytes(MAX_PAYLOAD_BYTES))
    stub.SendMessage(longest)
    (post,) = stage.messaging.of(Post)
    assert len(post.payload) == MAX_PAYLOAD_BYTES


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ({}, "target"),
        ({"connection_id": 0}, "connection_id"),
        ({"peer_address": ""}, "peer_address"),
        ({"peer_address": "x" * 301}, "peer_address"),
    ],
)
def test_a_message_needs_a_target(stub: Stub, target: dict[str, Any], field: str) -> None:
    message = pb.SendMessageRequest(kind="my:kind", **target)
    assert refusal_of(lambda: stub.SendMessage(message)).fields == (field,)
    request = pb.SendRequestRequest(kind="my:kind", **target)
    assert refusal_of(lambda: stub.SendRequest(request)).fields == (field,)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, 60.1, float("nan"), float("inf")])
def test_a_wait_has_its_bounds(stub: Stub, timeout_s: float) -> None:
    seen = refusal_of(lambda: stub.SendRequest(asking(timeout_s=timeout_s)))
    assert (seen.reason, seen.fields) == ("FIELD_INVALID", ("timeout_s",))


def test_a_stranger_is_no_peer(stage: AdminStage, stub: Stub) -> None:
    stranger = "10.0.0.9:7000"
    for seen in (
        refusal_of(lambda: stub.SendMessage(sending(peer_address=stranger))),
        refusal_of(lambda: stub.SendRequest(asking(peer_address=stranger))),
    ):
        assert (seen.code, seen.reason) == (grpc.StatusCode.NOT_FOUND, "PEER_NOT_FOUND")
    assert not stage.messaging.told


@pytest.mark.parametrize(
    ("target", "reason"),
    [({"connection_id": 3}, "CONNECTION_NOT_FOUND"), ({"peer_address": PEER}, "PEER_NOT_FOUND")],
)
def test_a_connection_that_is_gone_is_not_found(
    stage: AdminStage, stub: Stub, target: dict[str, Any], reason: str
) -> None:
    stage.messaging.answer(Post, 0)
    stage.messaging.answer(AskPeer, RequestFailure.NO_CONNECTION)
    message = pb.SendMessageRequest(kind="a", **target)
    request = pb.SendRequestRequest(kind="a", **target)
    for seen in (
        refusal_of(lambda: stub.SendMessage(message)),
        refusal_of(lambda: stub.SendRequest(request)),
    ):
        assert (seen.code, seen.reason) == (grpc.StatusCode.NOT_FOUND, reason)


@pytest.mark.parametrize(
    ("failure", "code", "reason"),
    [
        (RequestFailure.BUSY, grpc.StatusCode.RESOURCE_EXHAUSTED, "PEERS_BUSY"),
        (RequestFailure.NO_RESPONSE, grpc.StatusCode.DEADLINE_EXCEEDED, "PEER_NO_RESPONSE"),
    ],
)
def test_a_request_without_a_response_says_why(
    stage: AdminStage, stub: Stub, failure: RequestFailure, code: object, reason: str
) -> None:
    stage.messaging.answer(AskPeer, failure)
    seen = refusal_of(lambda: stub.SendRequest(asking()))
    assert (seen.code, seen.reason) == (code, reason)


@pytest.mark.usefixtures("stub")
def test_a_token_for_reading_sends_nothing(stage: AdminStage) -> None:
    for send in _each_sending(stage.stub(Stub, readonly=True)):
        seen = refusal_of(lambda send=send: send({}))  # type: ignore[misc]
        assert (seen.reason, seen.metadata) == (
            "PERMISSION_MISSING",
            {"permission": "messaging:write"},
        )
    assert not stage.messaging.told


# -- WatchMessages ----------------------------------------------------------------------------------


class Room:
    """The messaging double as far as it lets people watch."""

    def __init__(self, stage: AdminStage) -> None:
        self.script = stage.messaging
        self.script.answer(Watch, True)
        self.left = threading.Event()
        self.script.compute(Unwatch, lambda _message: self.left.set())

    @property
    def sink(self) -> Any:
        return self.script.of(Watch)[-1].sink


@pytest.fixture
def room(stage: AdminStage) -> Room:
    return Room(stage)


def watching(stub: Any, **fields: Any) -> Any:
    """A stream behind its first response, after which everything is shown."""
    call = stub.WatchMessages(pb.WatchMessagesRequest(**fields), timeout=60)
    assert not next(call).HasField("message")
    return call


def passed(message_id: int = 1, **changes: Any) -> TracedMessage:
    message = TracedMessage(
        1_700_000_000.5,
        True,
        CONN,
        PEER,
        MessageType.REGULAR,
        message_id,
        "gossip:chat",
        10,
        b"0123",
    )
    return message._replace(**changes)


def test_a_message_that_passes_is_shown(stub: Stub, room: Room) -> None:
    call = watching(stub, kinds=["gossip:"], peer_address=PEER, payload_limit_bytes=4)
    (watch,) = room.script.of(Watch)
    assert (watch.kinds, watch.peer, watch.payload_limit_bytes) == (("gossip:",), PEER, 4)
    room.sink.offer(passed())
    seen = next(call).message
    assert (seen.time.seconds, seen.time.nanos) == (1_700_000_000, 500_000_000)
    assert (seen.direction, seen.type) == (pb.MESSAGE_DIRECTION_SENT, pb.MESSAGE_TYPE_REGULAR)
    assert (seen.connection_id, seen.peer_address, seen.message_id) == (CONN, PEER, 1)
    assert (seen.kind, seen.payload_size_bytes, seen.payload) == ("gossip:chat", 10, b"0123")


def test_directions_and_types_are_told_apart(stub: Stub, room: Room) -> None:
    call = watching(stub)
    for message_type in MessageType:
        room.sink.offer(passed(sent=False, type=message_type))
    seen = [next(call).message for _ in MessageType]
    assert [each.type for each in seen] == [
        pb.MESSAGE_TYPE_REGULAR,
        pb.MESSAGE_TYPE_REQUEST,
        pb.MESSAGE_TYPE_RESPONSE,
    ]
    assert {each.direction for each in seen} == {pb.MESSAGE_DIRECTION_RECEIVED}


def test_a_reader_that_leaves_is_shown_no_more(stub: Stub, room: Room) -> None:
    call = watching(stub)
    sink = room.sink
    call.cancel()
    assert room.left.wait(WAIT_S)
    assert room.script.of(Unwatch) == [Unwatch(sink)]


def test_a_reader_that_falls_behind_gets_what_waited_and_is_told_what_did_not(
    stub: Stub, room: Room
) -> None:
    call = watching(stub)
    total = 10 * MAX_QUEUED
    for number in range(total):
        room.sink.offer(passed(number, payload=bytes(MAX_TRACED_BYTES)))
    received = 0

    def read() -> None:
        nonlocal received
        for response in call:
            assert response.message.message_id == received
            received += 1

    seen = refusal_of(read)
    assert (seen.code, seen.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER")
    assert received >= MAX_QUEUED
    assert seen.metadata.keys() == {"dropped"}
    assert 0 < int(seen.metadata["dropped"]) <= total - received


def test_the_stream_ends_when_the_messaging_room_goes_down(stub: Stub, room: Room) -> None:
    call = watching(stub)
    room.sink.offer(passed())
    room.sink.lost()
    assert next(call).message.message_id == 1
    seen = refusal_of(lambda: next(call))
    assert (seen.code, seen.reason) == (grpc.StatusCode.UNAVAILABLE, "ACTOR_DOWN")
    assert (seen.metadata, seen.retry_s) == ({"actor": "messaging"}, 1.0)


def test_only_so_many_readers_watch(stub: Stub, room: Room) -> None:
    room.script.answer(Watch, False)
    seen = refusal_of(lambda: stub.WatchMessages(pb.WatchMessagesRequest()))
    assert (seen.code, seen.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_STREAMS",
    )
    assert seen.metadata == {"limit": str(MAX_WATCHERS)}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kinds": [""]}, "kinds"),
        ({"kinds": ["k" * 65]}, "kinds"),
        ({"kinds": ["a"] * 33}, "kinds"),
        ({"peer_address": "x" * 301}, "peer_address"),
        ({"payload_limit_bytes": MAX_TRACED_BYTES + 1}, "payload_limit_bytes"),
    ],
)
def test_a_filter_has_its_bounds(
    stub: Stub, room: Room, fields: dict[str, Any], field: str
) -> None:
    seen = refusal_of(lambda: stub.WatchMessages(pb.WatchMessagesRequest(**fields)))
    assert (seen.reason, seen.fields) == ("FIELD_INVALID", (field,))
    assert not room.script.of(Watch)


def test_a_token_for_reading_may_watch(stage: AdminStage, room: Room) -> None:
    call = watching(stage.stub(Stub, readonly=True))
    room.sink.offer(passed())
    assert next(call).message.message_id == 1
