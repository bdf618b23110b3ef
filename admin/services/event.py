"""EventService: events, as they happen, and as they are kept."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any, NoReturn

from troupe.admin.v1 import errors_pb2, event_pb2, event_service_pb2, event_service_pb2_grpc

from actors.runtime.events import Event, Expired, Follow, GetPosition, ListKept
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, require
from admin.events import convert_event, event_type, notice_of, watch_started
from admin.house import House
from admin.paging import Page, page_of
from admin.streams import EventHub

LOOKED_AT = 1_000
"""Kept events asked for at a time: a filter that few pass must not hold the loop."""
MAX_PAGE_BYTES = 1024 * 1024
"""A page ends once it is larger. One event, of a move of a thousand blocks, adds half as much at most: a
client's usual 4 MiB are never reached."""
_SEQUENCE_BYTES = 8


class EventService(event_service_pb2_grpc.EventServiceServicer):
    """Joins the events that are kept to those that come."""

    def __init__(self, house: House, asker: Asker, hub: EventHub) -> None:
        self._house, self._asker, self._hub = house, asker, hub

    async def WatchEvents(
        self, request: event_service_pb2.WatchEventsRequest, _context: Any
    ) -> AsyncIterator[Any]:  # responses, but for the first serialized already: see Notice
        _check_types(request.types)
        position = await self._begin(request)
        stream = self._hub.open(request.types, position)  # before it follows: between is no gap
        try:
            kept = await self._follow(position)
            started = watch_started(position, self._house.clock.wall_s())
            yield event_service_pb2.WatchEventsResponse(event=started)
            for past in kept:
                notice = notice_of(past)
                if notice is not None and stream.wants(notice):
                    yield notice.response
                    stream.sent(notice)
            while True:
                notice = await stream.next()
                yield notice.response
                stream.sent(notice)
        finally:
            self._hub.close(stream)

    async def ListEvents(
        self, request: event_service_pb2.ListEventsRequest, _context: Any
    ) -> event_service_pb2.ListEventsResponse:
        _check_types(request.types)
        after = request.after if request.HasField("after") else None
        types = sorted(set(request.types))
        filters = (None, None) if after is None else (after.epoch, after.sequence)
        page = page_of(request, "ListEvents", types, *filters)
        return await self._page(page, frozenset(types), _from(page, after))

    async def _page(
        self, page: Page, types: Collection[int], begin: tuple[str | None, int | None]
    ) -> event_service_pb2.ListEventsResponse:
        """The events from a position on, until the page or the log is full."""
        response = event_service_pb2.ListEventsResponse()
        (epoch, after), size_bytes = begin, 0
        while True:
            kept = await self._asker.ask(self._house.events, ListKept(LOOKED_AT, after, epoch))
            if isinstance(kept, Expired):
                _refuse_expired(kept)
            epoch = kept.epoch
            for past in kept.events:
                if len(response.events) >= page.size or size_bytes > MAX_PAGE_BYTES:
                    assert after is not None
                    response.next_page_token = page.token(_cursor(after, epoch))
                    break
                event = convert_event(past) if _wanted(past, types) else None
                if event is not None:
                    response.events.append(event)
                    size_bytes += event.ByteSize()
                after = past.sequence
            at_end = after is None or after >= kept.newest
            if response.next_page_token or at_end:
                response.position.CopyFrom(convert.position(epoch, after or kept.newest))
                return response

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
            _refuse_expired(answer)
        if answer is None:
            message = "too many outsiders follow the node's events"
            raise Refusal(errors_pb2.ERROR_REASON_TOO_MANY_STREAMS, message, limit="0")
        return answer


def _check_types(types: Collection[int]) -> None:
    known = set(event_pb2.EventType.values()) - {event_pb2.EVENT_TYPE_UNSPECIFIED}
    require(known.issuperset(types), "types", "must be event types of this version of the API")


def _wanted(event: Event, types: Collection[int]) -> bool:
    return not types or event_type(event) in types


def _from(page: Page, after: event_pb2.EventPosition | None) -> tuple[str | None, int | None]:
    """The epoch and the number that a page begins behind; None: whichever is there, the oldest."""
    if page.cursor is not None:
        sequence, epoch = page.cursor[:_SEQUENCE_BYTES], page.cursor[_SEQUENCE_BYTES:]
        return epoch.decode("ascii"), int.from_bytes(sequence)
    return (None, None) if after is None else (after.epoch or None, after.sequence)


def _cursor(after: int, epoch: str) -> bytes:
    return after.to_bytes(_SEQUENCE_BYTES) + epoch.encode("ascii")


def _refuse_expired(expired: Expired) -> NoReturn:
    raise Refusal(
        errors_pb2.ERROR_REASON_CURSOR_EXPIRED,
        "the events after that position are not kept: take a new snapshot and watch on",
        oldest=str(expired.oldest),
        newest=str(expired.newest),
        epoch=expired.epoch,
    )
