"""MessagingService: the messages on the connections to peers."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from troupe.admin.v1 import errors_pb2, messaging_service_pb2, messaging_service_pb2_grpc

from actors.messaging.messages import (
    MAX_KIND_BYTES,
    MAX_WATCHERS,
    AskPeer,
    GetMessaging,
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
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, field_invalid, require
from admin.house import House
from admin.services.transport import no_connection
from admin.tap import Tap

MAX_PAYLOAD_BYTES: Final = 1_048_000
"""With type, id and kind it fits into a frame of 1 MiB."""
RESERVED_KINDS: Final = frozenset({"p2p:hello"})
"""The node's own business: what a second hello says, the other side may believe."""
DEFAULT_TIMEOUT_S: Final = 10.0
"""WIRE: messages, the time that a response has."""
MAX_TIMEOUT_S: Final = 60.0
"""A place of the 64 must not be taken for long by a peer that never answers."""
OVERTIME_S: Final = 5.0
"""The messaging room knows within half a second that a response is overdue; a busy one takes longer."""
MAX_FILTER_KINDS: Final = 32
"""Each is compared with every message."""
MAX_TRACED_BYTES: Final = 4_096
"""Of a payload: a thousand of them may wait for a reader."""
MAX_PEER_ADDRESS_CHARS: Final = 300
"""A DNS name is at most 253 characters long."""

TYPES = {
    MessageType.REGULAR: messaging_service_pb2.MESSAGE_TYPE_REGULAR,
    MessageType.REQUEST: messaging_service_pb2.MESSAGE_TYPE_REQUEST,
    MessageType.RESPONSE: messaging_service_pb2.MESSAGE_TYPE_RESPONSE,
}

_Sending = (
    messaging_service_pb2.SendMessageRequest
    | messaging_service_pb2.SendRequestRequest
    | messaging_service_pb2.BroadcastMessageRequest
)
_Targeted = messaging_service_pb2.SendMessageRequest | messaging_service_pb2.SendRequestRequest


class MessagingService(messaging_service_pb2_grpc.MessagingServiceServicer):
    """Shows what passes, and sends what it is told."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker

    async def GetMessaging(
        self, _request: messaging_service_pb2.GetMessagingRequest, _context: Any
    ) -> messaging_service_pb2.GetMessagingResponse:
        info = await self._asker.ask(self._house.messaging, GetMessaging())
        return messaging_service_pb2.GetMessagingResponse(messaging=_messaging(info))

    async def SendMessage(
        self, request: messaging_service_pb2.SendMessageRequest, _context: Any
    ) -> messaging_service_pb2.SendMessageResponse:
        _check_message(request)
        conn = await self._target(request)
        posted = await self._asker.ask(
            self._house.messaging, Post((conn,), request.kind, request.payload)
        )
        if not posted:
            raise _gone(request, conn)
        return messaging_service_pb2.SendMessageResponse(connection_id=conn)

    async def SendRequest(
        self, request: messaging_service_pb2.SendRequestRequest, _context: Any
    ) -> messaging_service_pb2.SendRequestResponse:
        _check_message(request)
        timeout_s = request.timeout_s if request.HasField("timeout_s") else DEFAULT_TIMEOUT_S
        in_range = 0 < timeout_s <= MAX_TIMEOUT_S
        require(in_range, "timeout_s", f"must be more than 0 and at most {MAX_TIMEOUT_S:g}")
        conn = await self._target(request)
        begun_s = self._house.clock.now_s()
        answer = await self._asker.ask(
            self._house.messaging,
            AskPeer(conn, request.kind, request.payload, timeout_s),
            timeout_s=timeout_s + OVERTIME_S,
        )
        if isinstance(answer, RequestFailure):
            raise _failed(request, conn, answer, timeout_s)
        return messaging_service_pb2.SendRequestResponse(
            connection_id=conn, payload=answer, elapsed_s=self._house.clock.now_s() - begun_s
        )

    async def BroadcastMessage(
        self, request: messaging_service_pb2.BroadcastMessageRequest, _context: Any
    ) -> messaging_service_pb2.BroadcastMessageResponse:
        _check_message(request)
        peers = await self._asker.ask(self._house.peers, ListPeers())
        outbound = tuple(peer.conns[0] for peer in peers)
        posted = await self._asker.ask(
            self._house.messaging, Post(outbound, request.kind, request.payload)
        )
        return messaging_service_pb2.BroadcastMessageResponse(peer_count=posted)

    async def WatchMessages(
        self, request: messaging_service_pb2.WatchMessagesRequest, _context: Any
    ) -> AsyncIterator[messaging_service_pb2.WatchMessagesResponse]:
        _check_filter(request)
        messaging = self._house.messaging
        tap = Tap[TracedMessage](messaging.name)
        watch = Watch(tap, tuple(request.kinds), request.peer_address, request.payload_limit_bytes)
        try:
            if not await self._asker.ask(messaging, watch):
                reason = errors_pb2.ERROR_REASON_TOO_MANY_STREAMS
                message = f"{MAX_WATCHERS} readers watch the messages, and that is the limit"
                raise Refusal(reason, message, limit=str(MAX_WATCHERS))
            yield messaging_service_pb2.WatchMessagesResponse()
            async for seen in tap:
                yield messaging_service_pb2.WatchMessagesResponse(message=_traced(seen))
        finally:
            messaging.tell(Unwatch(tap))

    async def _target(self, request: _Targeted) -> ConnId:
        """The connection that a message is for; whether it is open, the messaging room knows."""
        match request.WhichOneof("target"):
            case "connection_id":
                require(request.connection_id > 0, "connection_id", "must be at least 1")
                return ConnId(request.connection_id)
            case "peer_address":
                _check_peer(request.peer_address)
                peers = await self._asker.ask(self._house.peers, ListPeers())
                conns = next((p.conns for p in peers if p.peer == request.peer_address), None)
                if conns is None:
                    raise _no_peer(request.peer_address)
                return conns[0]
            case _:
                raise field_invalid(
                    field="target", message="must be a peer_address or a connection_id"
                )


def _check_message(request: _Sending) -> None:
    kind = request.kind
    well_formed = 0 < len(kind.encode()) <= MAX_KIND_BYTES and "\0" not in kind
    require(well_formed, "kind", f"must be 1 to {MAX_KIND_BYTES} bytes without a zero byte")
    require(kind not in RESERVED_KINDS, "kind", f"must not be {kind}: the node says it itself")
    fits = len(request.payload) <= MAX_PAYLOAD_BYTES
    require(fits, "payload", f"must be at most {MAX_PAYLOAD_BYTES} bytes")


def _check_filter(request: messaging_service_pb2.WatchMessagesRequest) -> None:
    kinds = request.kinds
    few = len(kinds) <= MAX_FILTER_KINDS and all(
        0 < len(kind.encode()) <= MAX_KIND_BYTES for kind in kinds
    )
    most = f"must be at most {MAX_FILTER_KINDS} kinds of 1 to {MAX_KIND_BYTES} bytes"
    require(few, "kinds", most)
    if request.peer_address:
        _check_peer(request.peer_address)
    fits = request.payload_limit_bytes <= MAX_TRACED_BYTES
    require(fits, "payload_limit_bytes", f"must be at most {MAX_TRACED_BYTES}")


def _check_peer(text: str) -> None:
    fits = 0 < len(text) <= MAX_PEER_ADDRESS_CHARS
    require(
        fits, "peer_address", f"must be host:port of at most {MAX_PEER_ADDRESS_CHARS} characters"
    )


def _no_peer(address: str) -> Refusal:
    return Refusal(errors_pb2.ERROR_REASON_PEER_NOT_FOUND, f"{address} is no peer of this node")


def _gone(request: _Targeted, conn: ConnId) -> Refusal:
    """The connection is not, or not any more; said of what the caller named."""
    if request.HasField("peer_address"):
        return _no_peer(request.peer_address)
    return no_connection(conn)


def _failed(
    request: messaging_service_pb2.SendRequestRequest,
    conn: ConnId,
    failure: RequestFailure,
    timeout_s: float,
) -> Refusal:
    match failure:
        case RequestFailure.NO_CONNECTION:
            return _gone(request, conn)
        case RequestFailure.BUSY:
            message = "too many requests are in flight: nothing was sent"
            return Refusal(errors_pb2.ERROR_REASON_PEERS_BUSY, message)
        case RequestFailure.NO_RESPONSE:
            message = (
                f"no response to {request.kind} within {timeout_s:g} s, or the connection was lost"
            )
            return Refusal(errors_pb2.ERROR_REASON_PEER_NO_RESPONSE, message)


def _messaging(info: MessagingInfo) -> messaging_service_pb2.Messaging:
    return messaging_service_pb2.Messaging(
        kinds=[
            messaging_service_pb2.KindTraffic(
                kind=each.kind,
                received_count=each.received,
                received_payload_bytes=each.received_bytes,
                sent_count=each.sent,
                sent_payload_bytes=each.sent_bytes,
            )
            for each in sorted(info.kinds, key=lambda each: each.kind)
        ],
        received_count=info.received,
        malformed_count=info.malformed,
        early_dropped_count=info.dropped_at_gate,
        in_flight_count=info.requests_in_flight,
        late_response_count=info.late_responses,
        unasked_response_count=info.unasked_responses,
        unknown_kinds=[
            messaging_service_pb2.UnknownKind(kind=kind, count=count)
            for kind, count in info.unknown_kinds
        ],
    )


def _traced(seen: TracedMessage) -> messaging_service_pb2.TracedMessage:
    sent = messaging_service_pb2.MESSAGE_DIRECTION_SENT
    return messaging_service_pb2.TracedMessage(
        time=convert.timestamp(seen.at_s),
        direction=sent if seen.sent else messaging_service_pb2.MESSAGE_DIRECTION_RECEIVED,
        connection_id=seen.conn,
        peer_address=seen.peer,
        type=TYPES[seen.type],
        kind=seen.kind,
        message_id=seen.message_id,
        payload_size_bytes=seen.size_bytes,
        payload=seen.payload,
    )
