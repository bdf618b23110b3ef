"""ActorService: the actors that the node is made of."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from typing import Any

from troupe.admin.v1 import actor_service_pb2, actor_service_pb2_grpc

from actors.runtime.supervisor import ListActors
from admin import convert
from admin.asks import Asker
from admin.house import House
from admin.paging import page_of


class ActorService(actor_service_pb2_grpc.ActorServiceServicer):
    """Shows what the supervisor reports."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker

    async def ListActors(
        self, request: actor_service_pb2.ListActorsRequest, _context: Any
    ) -> actor_service_pb2.ListActorsResponse:
        page = page_of(request, "ListActors")
        reports = await self._asker.ask(self._house.supervisor, ListActors())
        begin = 0 if page.cursor is None else int.from_bytes(page.cursor)  # members never change
        end = begin + page.size
        return actor_service_pb2.ListActorsResponse(
            actors=[convert.actor(report) for report in reports[begin:end]],
            next_page_token=page.token(end.to_bytes(4)) if end < len(reports) else "",
        )
