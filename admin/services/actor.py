"""ActorService: the actors that the node is made of."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from typing import Any

from troupe.admin.v1 import actor_service_pb2, actor_service_pb2_grpc, errors_pb2

from actors.runtime.quarantine import ClearQuarantine, GetQuarantined, ListQuarantine
from actors.runtime.supervisor import ActorReport, ListActors, RestartActor
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal
from admin.house import House
from admin.paging import page_of


class ActorService(actor_service_pb2_grpc.ActorServiceServicer):
    """Shows what the supervisor reports, and has it restart one."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._supervisor, self._asker = house.supervisor, asker

    async def ListActors(
        self, request: actor_service_pb2.ListActorsRequest, _context: Any
    ) -> actor_service_pb2.ListActorsResponse:
        page = page_of(request, "ListActors")
        reports = await self._reports()
        begin = 0 if page.cursor is None else int.from_bytes(page.cursor)  # members never change
        end = begin + page.size
        return actor_service_pb2.ListActorsResponse(
            actors=[convert.actor(report) for report in reports[begin:end]],
            next_page_token=page.token(end.to_bytes(4)) if end < len(reports) else "",
        )

    async def GetActor(
        self, request: actor_service_pb2.GetActorRequest, _context: Any
    ) -> actor_service_pb2.GetActorResponse:
        for report in await self._reports():
            if report.name == request.name:
                return actor_service_pb2.GetActorResponse(actor=convert.actor(report))
        raise _not_found(request.name)

    async def RestartActor(
        self, request: actor_service_pb2.RestartActorRequest, _context: Any
    ) -> actor_service_pb2.RestartActorResponse:
        if request.name == self._supervisor.name:
            reason = errors_pb2.ERROR_REASON_ACTOR_NOT_RESTARTABLE
            raise Refusal(reason, "nothing restarts the supervisor")
        reports = await self._asker.ask(self._supervisor, RestartActor(request.name))
        if reports is None:
            raise _not_found(request.name)
        return actor_service_pb2.RestartActorResponse(actors=map(convert.actor, reports))

    async def ListExhibits(
        self, request: actor_service_pb2.ListExhibitsRequest, _context: Any
    ) -> actor_service_pb2.ListExhibitsResponse:
        page = page_of(request, "ListExhibits")
        after = 0 if page.cursor is None else int.from_bytes(page.cursor)
        kept = await self._asker.ask(self._supervisor, ListQuarantine())
        left = [each for each in kept if each.id > after]
        shown = left[: page.size]
        token = page.token(shown[-1].id.to_bytes(8)) if len(left) > len(shown) else ""
        return actor_service_pb2.ListExhibitsResponse(
            exhibits=[convert.exhibit(each, with_frames=False) for each in shown],
            next_page_token=token,
        )

    async def GetExhibit(
        self, request: actor_service_pb2.GetExhibitRequest, _context: Any
    ) -> actor_service_pb2.GetExhibitResponse:
        found = await self._asker.ask(self._supervisor, GetQuarantined(request.id))
        if found is None:
            raise _no_exhibit(request.id)
        return actor_service_pb2.GetExhibitResponse(
            exhibit=convert.exhibit(found, with_frames=True)
        )

    async def DeleteExhibits(
        self, request: actor_service_pb2.DeleteExhibitsRequest, _context: Any
    ) -> actor_service_pb2.DeleteExhibitsResponse:
        deleted = await self._asker.ask(self._supervisor, ClearQuarantine(request.id or None))
        if request.id and not deleted:
            raise _no_exhibit(request.id)
        return actor_service_pb2.DeleteExhibitsResponse(deleted_count=deleted)

    async def _reports(self) -> tuple[ActorReport, ...]:
        return await self._asker.ask(self._supervisor, ListActors())


def _no_exhibit(number: int) -> Refusal:
    message = f"the quarantine holds no exhibit {number}"
    return Refusal(errors_pb2.ERROR_REASON_EXHIBIT_NOT_FOUND, message)


def _not_found(name: str) -> Refusal:
    return Refusal(errors_pb2.ERROR_REASON_ACTOR_NOT_FOUND, f"there is no actor {name!r}")
