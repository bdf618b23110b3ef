"""DiagnosticsService: the node's log and its metrics."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from troupe.admin.v1 import diagnostics_service_pb2, diagnostics_service_pb2_grpc, errors_pb2

from actors.chain.messages import GetChain
from actors.mempool.messages import GetPool
from actors.miner.messages import GetMiner
from actors.peers.messages import GetSlots, ListPeers
from actors.runtime.supervisor import ListActors
from actors.tcp.messages import GetTransport
from admin import logs, metrics
from admin.asks import Asker
from admin.counts import CallCounts
from admin.errors import Refusal, require
from admin.house import House
from admin.paging import page_of

_RECORD_LEVELS = frozenset(diagnostics_service_pb2.LogLevel.values()) - {
    diagnostics_service_pb2.LOG_LEVEL_INHERITED
}
_LOGGER_LEVELS = frozenset(diagnostics_service_pb2.LogLevel.values()) - {
    diagnostics_service_pb2.LOG_LEVEL_UNSPECIFIED
}


class DiagnosticsService(diagnostics_service_pb2_grpc.DiagnosticsServiceServicer):
    """Needs no actor: what does not answer is left out of the metrics."""

    def __init__(self, house: House, asker: Asker, counts: CallCounts, hub: logs.LogHub) -> None:
        self._house, self._asker, self._counts, self._hub = house, asker, counts, hub

    async def ListLoggers(
        self, request: diagnostics_service_pb2.ListLoggersRequest, _context: Any
    ) -> diagnostics_service_pb2.ListLoggersResponse:
        page = page_of(request, "ListLoggers")
        after = "" if page.cursor is None else page.cursor.decode()
        names = [name for name in logs.logger_names() if name > after]
        shown = names[: page.size]
        return diagnostics_service_pb2.ListLoggersResponse(
            loggers=map(logs.describe, shown),
            next_page_token=page.token(shown[-1].encode()) if len(names) > page.size else "",
        )

    async def UpdateLogger(
        self, request: diagnostics_service_pb2.UpdateLoggerRequest, _context: Any
    ) -> diagnostics_service_pb2.UpdateLoggerResponse:
        require(request.level in _LOGGER_LEVELS, "level", "must be a level for a logger")
        _check_logger(request.name)
        logs.set_level(request.name, request.level)
        return diagnostics_service_pb2.UpdateLoggerResponse(logger=logs.describe(request.name))

    async def WatchLogs(
        self, request: diagnostics_service_pb2.WatchLogsRequest, _context: Any
    ) -> AsyncIterator[diagnostics_service_pb2.WatchLogsResponse]:
        require(request.level in _RECORD_LEVELS, "level", "must be a level that records have")
        if request.logger:
            _check_logger(request.logger)
        reader, recent = self._hub.open(request.level, request.logger, request.recent_count)
        try:
            for record in recent:
                yield diagnostics_service_pb2.WatchLogsResponse(record=record)
            started = diagnostics_service_pb2.WatchLogsStarted()
            yield diagnostics_service_pb2.WatchLogsResponse(started=started)
            async for record in reader.tap:
                yield diagnostics_service_pb2.WatchLogsResponse(record=record)
        finally:
            self._hub.close(reader)

    async def GetMetrics(
        self, _request: diagnostics_service_pb2.GetMetricsRequest, _context: Any
    ) -> diagnostics_service_pb2.GetMetricsResponse:
        house = self._house
        answers = await self._asker.ask_each(
            (
                (house.supervisor, ListActors()),
                (house.tcp, GetTransport()),
                (house.peers, ListPeers()),
                (house.peers, GetSlots()),
                (house.mempool, GetPool()),
                (house.chain, GetChain()),
                (house.miner, GetMiner()),
            )
        )
        known = [None if isinstance(answer, Refusal) else answer for answer in answers]
        observed = metrics.Observed(house.version, house.network.name, self._counts, *known)
        return diagnostics_service_pb2.GetMetricsResponse(text=metrics.exposition(observed))


def _check_logger(name: str) -> None:
    if name not in logs.logger_names():
        message = f"the node has no logger {name!r}"
        raise Refusal(errors_pb2.ERROR_REASON_LOGGER_NOT_FOUND, message)
