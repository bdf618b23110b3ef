"""GossipService: what nodes tell all their peers."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from troupe.admin.v1 import errors_pb2, gossip_service_pb2, gossip_service_pb2_grpc

from actors.gossip.messages import (
    MAX_LISTENERS,
    GetGossip,
    GossipInfo,
    Heard,
    KindInfo,
    Listen,
    PublishGossip,
    PublishRefusal,
    Unlisten,
)
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, field_invalid, require
from admin.house import House
from admin.retries import Retries
from admin.tap import Tap

Published = gossip_service_pb2.PublishResponse

MAX_WAITING_BYTES = 4 * 1024 * 1024
"""Of payloads that wait for one reader: four of the largest, or a thousand queries."""
MAX_KINDS = 64
"""More than the field has."""
_KIND = re.compile(r"[!-~]{1,57}")
"""WIRE: a kind is at most 64 bytes long, "gossip:" included."""
_PUBLISHERS = {
    "bc:new_tx": "submit transactions with MempoolService.SubmitTransaction",
    "bc:new_block": "submit blocks with ChainService.SubmitBlock",
    "search": "search with SearchService.Search",
}


class Reader:
    """A tap whose waiting payloads are bounded in bytes, too: a sink for the gossip actor."""

    def __init__(self, tap: Tap[Heard]) -> None:
        self._tap = tap
        self._offered_bytes = self._taken_bytes = 0  # each written on one thread alone

    def offer(self, item: Heard) -> None:
        waiting_bytes = self._offered_bytes - self._taken_bytes
        if waiting_bytes + len(item.payload) > MAX_WAITING_BYTES:
            message = f"more than {MAX_WAITING_BYTES} bytes wait for the reader: begin anew"
            reason = errors_pb2.ERROR_REASON_SLOW_CONSUMER
            self._tap.end(Refusal(reason, message, dropped="1"))
        self._offered_bytes += len(item.payload)
        self._tap.offer(item)

    def lost(self) -> None:
        self._tap.lost()

    def taken(self, item: Heard) -> None:
        """An item is on its way to the reader. On the event loop."""
        self._taken_bytes += len(item.payload)


class GossipService(gossip_service_pb2_grpc.GossipServiceServicer):
    """Shows gossip, and takes part in it."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker
        self._retries: Retries[Published] = Retries()
        self._retrying = asyncio.Lock()

    async def GetGossip(
        self, _request: gossip_service_pb2.GetGossipRequest, _context: Any
    ) -> gossip_service_pb2.GetGossipResponse:
        info = await self._asker.ask(self._house.gossip, GetGossip())
        return gossip_service_pb2.GetGossipResponse(gossip=_gossip(info))

    async def Publish(
        self, request: gossip_service_pb2.PublishRequest, _context: Any
    ) -> gossip_service_pb2.PublishResponse:
        _check_kind("kind", request.kind)
        if not request.request_id:
            return await self._publish(request)
        async with self._retrying:  # a retry waits for the call that it repeats
            earlier = self._retries.recall(request.request_id, request)
            if earlier is not None:
                return earlier
            response = await self._publish(request)
            self._retries.remember(request.request_id, request, response)
            return response

    async def Subscribe(
        self, request: gossip_service_pb2.SubscribeRequest, _context: Any
    ) -> AsyncIterator[gossip_service_pb2.SubscribeResponse]:
        require(len(request.kinds) <= MAX_KINDS, "kinds", f"must be at most {MAX_KINDS}")
        for kind in request.kinds:
            _check_kind("kinds", kind)
        gossip = self._house.gossip
        tap = Tap[Heard](gossip.name)
        reader = Reader(tap)
        try:
            if not await self._asker.ask(gossip, Listen(reader, frozenset(request.kinds))):
                message, limit = "too many outsiders listen to gossip", str(MAX_LISTENERS)
                raise Refusal(errors_pb2.ERROR_REASON_TOO_MANY_STREAMS, message, limit=limit)
            started = gossip_service_pb2.SubscribeStarted()
            yield gossip_service_pb2.SubscribeResponse(started=started)
            async for heard in tap:
                reader.taken(heard)
                yield gossip_service_pb2.SubscribeResponse(message=_message(heard))
        finally:
            gossip.tell(Unlisten(reader))

    async def _publish(self, request: gossip_service_pb2.PublishRequest) -> Published:
        outcome = await self._asker.ask(
            self._house.gossip, PublishGossip(request.kind, request.payload)
        )
        if isinstance(outcome, PublishRefusal):
            raise _refusal(outcome, request.kind)
        return Published(message_id=outcome.message_id.hex(), peer_count=outcome.peers)


def _check_kind(field: str, kind: str) -> None:
    fits = _KIND.fullmatch(kind) is not None
    require(fits, field, "must be 1 to 57 visible ASCII characters")


def _refusal(refusal: PublishRefusal, kind: str) -> Refusal:
    match refusal:
        case PublishRefusal.HANDLED:
            instead = _PUBLISHERS.get(kind) or _PUBLISHERS.get(kind.partition(":")[0])
            message = "must be one that no room of this node handles"
            return field_invalid("kind", f"{message}: {instead}" if instead else message)
        case PublishRefusal.TOO_LONG:
            return field_invalid("payload", "is longer than one of this kind may be")
        case PublishRefusal.MALFORMED:
            return field_invalid("payload", f"is none of {kind}: a name, a zero byte and a text")


def _gossip(info: GossipInfo) -> gossip_service_pb2.Gossip:
    return gossip_service_pb2.Gossip(
        seen_id_count=info.seen_ids,
        seen_content_count=info.seen_contents,
        max_seen_count=info.max_seen,
        seen_lifetime_s=info.seen_lifetime_s,
        awaiting_count=info.awaiting_verdict,
        max_awaiting_count=info.max_awaiting_verdict,
        subscriber_count=info.listeners,
        kinds=list(map(_kind, info.kinds)),
    )


def _kind(info: KindInfo) -> gossip_service_pb2.GossipKind:
    return gossip_service_pb2.GossipKind(
        kind=info.kind,
        handled=info.is_handled,
        max_payload_bytes=info.limit_bytes,
        subscriber_count=info.subscribers,
        received_count=info.received,
        duplicate_count=info.duplicates,
        dropped_count=info.dropped,
        relayed_count=info.relayed,
        published_count=info.published,
    )


def _message(heard: Heard) -> gossip_service_pb2.GossipMessage:
    return gossip_service_pb2.GossipMessage(
        message_id=heard.message_id.hex(),
        kind=heard.kind,
        payload=heard.payload,
        peer=heard.peer or "",
        receive_time=convert.timestamp(heard.at_s),
    )
