"""The connections and messages of two real nodes, seen and directed from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import messaging_service_pb2 as messages
from troupe.admin.v1 import transport_service_pb2 as transport
from troupe.admin.v1.messaging_service_pb2_grpc import MessagingServiceStub
from troupe.admin.v1.transport_service_pb2_grpc import TransportServiceStub

from tests.support.admin_stage import refused
from tests.support.process import NodeProcess, easy_network_file


def test_messages_between_two_nodes_are_sent_answered_counted_and_traced(tmp_path: Path) -> None:
    network_file = str(easy_network_file(tmp_path))
    with (
        NodeProcess(tmp_path / "a", "--network-file", network_file) as a,
        NodeProcess(tmp_path / "b", "--network-file", network_file) as b,
    ):
        messaging: Any = MessagingServiceStub(a.channel)
        sockets: Any = TransportServiceStub(a.channel)
        trace = messaging.WatchMessages(
            messages.WatchMessagesRequest(kinds=["p2p:hello", "my:"], payload_limit_bytes=4),
            metadata=a.credentials,
            timeout=60,
        )
        assert not next(trace).HasField("message")
        a.connect(b)

        peer = b.listen_address
        target: dict[str, Any] = {"peer_address": peer}
        asked = messages.SendRequestRequest(kind="p2p:get_peers", **target)
        answer = a.call(messaging.SendRequest, asked)
        assert answer.payload == b""  # nobody is told of itself, and there is nobody else
        sent = messages.SendMessageRequest(kind="my:kind", payload=b"hello", **target)
        assert a.call(messaging.SendMessage, sent).connection_id == answer.connection_id
        spread = messages.BroadcastMessageRequest(kind="my:other")
        assert a.call(messaging.BroadcastMessage, spread).peer_count == 1
        unheard = messages.SendRequestRequest(kind="my:question", timeout_s=0.5, **target)
        with pytest.raises(grpc.RpcError) as caught:
            a.call(messaging.SendRequest, unheard)
        assert refused(caught.value).reason == "PEER_NO_RESPONSE"

        seen = [next(trace).message for _ in range(4)]
        assert [each.kind for each in seen] == ["p2p:hello", "my:kind", "my:other", "my:question"]
        assert {each.direction for each in seen} == {messages.MESSAGE_DIRECTION_SENT}
        assert (seen[1].peer_address, seen[1].payload, seen[1].payload_size_bytes) == (
            peer,
            b"hell",
            5,
        )

        theirs: Any = MessagingServiceStub(b.channel)
        b.await_that(lambda: "my:question" in _unknown(b, theirs))  # which comes last
        assert _unknown(b, theirs) == {"my:kind": 1, "my:other": 1, "my:question": 1}

        listed = a.call(sockets.ListConnections, transport.ListConnectionsRequest()).connections
        (connection,) = [each for each in listed if each.id == answer.connection_id]
        assert (connection.peer_address, connection.initiated) == (peer, True)
        assert connection.state == transport.CONNECTION_STATE_ESTABLISHED
        closing = transport.CloseConnectionRequest(connection_id=connection.id)
        a.call(sockets.CloseConnection, closing)
        a.await_that(lambda: _ended(a, sockets, transport.END_REASON_LOCAL) >= 1)


def _unknown(node: NodeProcess, stub: Any) -> dict[str, int]:
    """How often kinds came that it does not know."""
    counted = node.call(stub.GetMessaging, messages.GetMessagingRequest()).messaging
    return {each.kind: each.count for each in counted.unknown_kinds}


def _ended(node: NodeProcess, stub: Any, reason: int) -> int:
    shown = node.call(stub.GetTransport, transport.GetTransportRequest()).transport
    return sum(each.count for each in shown.end_counts if each.reason == reason)
