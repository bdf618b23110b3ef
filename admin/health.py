"""``grpc.health.v1``: the node is live while the server is; a service is ready when its actors run.

Written here, and not taken from grpcio-health-checking, because its Watch never ends by itself, which
would hold up every stop for the whole grace.
"""
# ruff: noqa: N802 - the methods' names are the protocol's

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

from grpc_health.v1 import health_pb2, health_pb2_grpc
from troupe.admin.v1 import errors_pb2

from actors.runtime.address import Address
from actors.runtime.supervisor import ActorReport, ActorState, ListActors, SupervisorInput
from admin.asks import Asker
from admin.errors import Refusal, stopping

REFRESH_S = 0.5
"""How old an answer may be: an orchestrator probes every few seconds, an actor restarts in less."""
MAX_NAME_CHARS = 256
"""Of what is watched: gRPC holds the request of a stream for as long as it lasts, and anybody may open one."""
LIVE: Final = ""
"""The name that stands for the server as a whole."""

_pb2: Any = health_pb2
SERVING: Final[int] = _pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final[int] = _pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN: Final[int] = _pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Knows, at most half a second late, which services can be served. Only on the event loop."""

    def __init__(
        self,
        asker: Asker,
        supervisor: Address[SupervisorInput],
        needs: Mapping[str, Sequence[str]],
        on_reports: Callable[[Mapping[str, ActorReport]], None],
    ) -> None:
        """Args:
        needs: A service's full name to the names of the actors that it stands on.
        on_reports: Told the actors by name at each refresh.
        """
        self._asker, self._supervisor, self._on_reports = asker, supervisor, on_reports
        self._needs = needs
        self._statuses = dict.fromkeys((LIVE, *needs), NOT_SERVING)
        self._changed = asyncio.Condition()
        self._stopping = False

    async def run(self) -> None:
        """Keep up to date until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            await self.refresh()

    async def refresh(self) -> None:
        """Look at the actors now."""
        try:
            listed = await self._asker.ask(self._supervisor, ListActors())
        except Refusal:
            reports: dict[str, ActorReport] = {}
        else:
            reports = {report.name: report for report in listed}
            self._on_reports(reports)
        if not self._stopping:
            await self._set(
                {LIVE: SERVING} | {name: self._judge(name, reports) for name in self._needs}
            )

    async def stop(self) -> None:
        """Nothing is served from now on; the watchers are told so, and end."""
        self._stopping = True
        await self._set(dict.fromkeys(self._statuses, NOT_SERVING))

    async def Check(self, request: Any, _context: Any) -> Any:
        status = self._statuses.get(request.service)
        if status is None:
            raise _not_found(request.service)
        return _pb2.HealthCheckResponse(status=status)

    async def List(self, _request: Any, _context: Any) -> Any:
        statuses = {
            name: _pb2.HealthCheckResponse(status=status) for name, status in self._statuses.items()
        }
        return _pb2.HealthListResponse(statuses=statuses)

    async def Watch(self, request: Any, _context: Any) -> AsyncIterator[Any]:
        """The status now and at each change; ends with the node."""
        if len(request.service) > MAX_NAME_CHARS:
            raise _not_found(request.service)
        while True:
            status = self._status(request.service)
            yield _pb2.HealthCheckResponse(status=status)
            if self._stopping:
                raise stopping()
            await self._change_from(request.service, status)

    async def _change_from(self, service: str, status: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._stopping or self._status(service) != status)

    def _status(self, service: str) -> int:
        return self._statuses.get(service, UNKNOWN)

    def _judge(self, service: str, reports: Mapping[str, ActorReport]) -> int:
        running = {name for name, each in reports.items() if each.state is ActorState.RUNNING}
        if reports:
            running.add(self._supervisor.name)
        return SERVING if running.issuperset(self._needs[service]) else NOT_SERVING

    async def _set(self, statuses: Mapping[str, int]) -> None:
        async with self._changed:
            self._statuses.update(statuses)
            self._changed.notify_all()


def _not_found(service: str) -> Refusal:
    message = f"there is no service {service!r} here"
    return Refusal(errors_pb2.ERROR_REASON_SERVICE_NOT_FOUND, message)
