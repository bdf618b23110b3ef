"""EventService: events, as they happen."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from troupe.admin.v1 import errors_pb2, event_pb2, event_service_pb2, event_service_pb2_grpc

from actors.runtime.events import Event, Expired, Follow, GetPosition
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, require
from admin.events import convert_event, watch_started
from admin.house import House
from admin.streams import EventHub


class EventService(event_service_pb2_grpc.EventServiceServicer):
    """Joins the events that are kept to those that come."""

    def __init__(self, house: House, asker: Asker, hub: EventHub) -> None:
        self._house, self._asker, self._hub = house, asker, hub

    async def WatchEvents(
        self, request: event_service_pb2.WatchEventsRequest, _context: Any
    ) -> AsyncIterator[event_service_pb2.WatchEventsResponse]:
        _check_types(request)
        position = await self._begin(request)
        stream = self._hub.open(request.types, position)  # before it follows: between is no gap
        try:
            kept = await self._follow(position)
            yield _response(watch_started(position, self._house.clock.wall_s()))
            for past in kept:
                event = convert_event(past)
                if event is not None and stream.wants(event):
                    yield _response(event)
                    stream.sent(event)
            while True:
                event = await stream.next()
                yield _response(event)
                stream.sent(event)
        finally:
            self._hub.close(stream)

    async def _begin(
        self, request: event_service_pb2.WatchEventsRequest
    ) -> event_pb2.EventPosition:
        """The position that the stream starts behind; its epoch is never empty."""
        epoch, newest = await self._asker.ask(self._house.events, GetPosition())
        if not request.HasField("resume_after"):
            return convert.position(epoch, newest)
        after = request.resume_after
        return convert.position(after.epoch or epoch, after.sequence)

    async def _follow(self, position: event_pb2.EventPosition) -> tuple[Event, ...]:
        """What is kept after the position; later events go to the hub, which follows under one token."""
        answer = await self._asker.ask(
            self._house.events,
            Follow(self._hub, self._hub.receive, position.sequence, position.epoch),
        )
        if isinstance(answer, Expired):
            raise Refusal(
                errors_pb2.ERROR_REASON_CURSOR_EXPIRED,
                "the events after that position are not kept: take a new snapshot and watch on",
                oldest=str(answer.oldest),
                newest=str(answer.newest),
                epoch=answer.epoch,
            )
        if answer is None:
            message = "too many outsiders follow the node's events"
            raise Refusal(errors_pb2.ERROR_REASON_TOO_MANY_STREAMS, message, limit="0")
        return answer


def _check_types(request: event_service_pb2.WatchEventsRequest) -> None:
    known = set(event_pb2.EventType.values()) - {event_pb2.EVENT_TYPE_UNSPECIFIED}
    all_known = known.issuperset(request.types)
    require(all_known, "types", "must be event types of this version of the API")


def _response(event: event_pb2.Event) -> event_service_pb2.WatchEventsResponse:
    return event_service_pb2.WatchEventsResponse(event=event)
