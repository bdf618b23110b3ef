"""ActorService: the actors that the node is made of."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from typing import Any

from troupe.admin.v1 import actor_service_pb2, actor_service_pb2_grpc, errors_pb2

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

    async def _reports(self) -> tuple[ActorReport, ...]:
        return await self._asker.ask(self._supervisor, ListActors())


def _not_found(name: str) -> Refusal:
    return Refusal(errors_pb2.ERROR_REASON_ACTOR_NOT_FOUND, f"there is no actor {name!r}")
