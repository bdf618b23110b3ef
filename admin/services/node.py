"""NodeService: the node at a glance, its settings, and its end."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from troupe.admin.v1 import node_service_pb2, node_service_pb2_grpc

from actors.chain.messages import ChainInfo, GetChain, SyncState
from actors.mempool.messages import GetPool, PoolInfo
from actors.miner.messages import GetMiner, MinerInfo
from actors.peers.messages import ListPeers
from actors.runtime.supervisor import GetDegraded
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal, require, stopping
from admin.house import House
from admin.paging import page_of
from admin.services.settings import SettingsKeeper, setting_message
from admin.sharing import Changes, Shared

NAME = "troupe"
STOPPING_REASON = "the node was told to stop"
FRESH_S = 0.02
"""A look asks five actors, which costs as much as serving several calls. What a client
has changed, or learnt by another method or an event, he sees at once all the same (``guard``).
"""
DEFAULT_INTERVAL_MS = 1_000
MIN_INTERVAL_MS, MAX_INTERVAL_MS = 100, 60_000
"""A look asks five actors: ten a second a watcher, shared among watchers, cost them nothing."""


class NodeService(node_service_pb2_grpc.NodeServiceServicer):
    """Asks every room at once; what a room does not answer is left out, and said."""

    def __init__(
        self,
        house: House,
        asker: Asker,
        stop_asked: asyncio.Event,
        changes: Changes,
        *,
        fresh_s: float = FRESH_S,
    ) -> None:
        """Args:
        stop_asked: Set once the server is to stop: the watchers are told, and end.
        changes: Tells when a look is out of date before its time.
        fresh_s: How long a look may serve.
        """
        self._house, self._asker, self._stop_asked = house, asker, stop_asked
        self._stopping = False
        self._settings = SettingsKeeper(house, asker)
        self._seen = Shared(self._look, fresh_s=fresh_s)
        changes.listen(self._seen.forget)
        self._facts = self._constant_facts()
        self._questions = (
            (house.supervisor, GetDegraded()),
            (house.chain, GetChain()),
            (house.peers, ListPeers()),
            (house.mempool, GetPool()),
            (house.miner, GetMiner()),
        )

    async def GetNode(
        self, _request: node_service_pb2.GetNodeRequest, _context: Any
    ) -> node_service_pb2.GetNodeResponse:
        return await self._seen.get()

    async def _look(self) -> node_service_pb2.GetNodeResponse:
        answers = await self._asker.ask_each(self._questions)
        response = node_service_pb2.GetNodeResponse(node=self._facts)
        node = response.node
        node.uptime_s = self._uptime_s()
        for answer in answers:
            if isinstance(answer, Refusal):
                node.state_reasons.append(answer.message)
        degraded, chain, peers, pool, miner = answers
        if not isinstance(degraded, Refusal):
            node.state_reasons.extend(map(convert.legible, degraded))
        if isinstance(chain, ChainInfo):
            node.tip.number, node.tip.hash = chain.tip.number, chain.tip.hash.hex()
            node.best_known_height = chain.best_known_height
            if (progress := convert.sync_progress(chain.progress)) is not None:
                node.sync_progress.CopyFrom(progress)
        if not isinstance(peers, Refusal):
            node.peer_count = len(peers)
        if isinstance(pool, PoolInfo):
            node.mempool_pending_count, node.mempool_queued_count = pool.pending, pool.queued
        if isinstance(miner, MinerInfo):
            node.mining, node.hashes_per_s = miner.mining, miner.hash_rate
            node.miner_engine, node.miner_engine_note = miner.engine, miner.engine_note
        self._set_state(
            node, syncing=isinstance(chain, ChainInfo) and chain.sync is not SyncState.IDLE
        )
        return response

    async def WatchNode(
        self, request: node_service_pb2.WatchNodeRequest, _context: Any
    ) -> AsyncIterator[node_service_pb2.WatchNodeResponse]:
        interval_ms = request.interval_ms or DEFAULT_INTERVAL_MS
        fits = MIN_INTERVAL_MS <= interval_ms <= MAX_INTERVAL_MS
        require(fits, "interval_ms", f"must be {MIN_INTERVAL_MS} to {MAX_INTERVAL_MS}, or 0")
        shown = None
        while not self._stop_asked.is_set():
            node = (await self._seen.get()).node
            timeless = _without_time(node)
            if timeless != shown:
                shown = timeless
                yield node_service_pb2.WatchNodeResponse(node=node)
            await self._pause(interval_ms / 1000)
        last = shown or self._constant_facts()
        last.uptime_s, last.state = self._uptime_s(), node_service_pb2.NODE_STATE_STOPPING
        last.state_reasons[:] = (STOPPING_REASON,)
        yield node_service_pb2.WatchNodeResponse(node=last)
        raise stopping()

    async def ListSettings(
        self, request: node_service_pb2.ListSettingsRequest, _context: Any
    ) -> node_service_pb2.ListSettingsResponse:
        page = page_of(request, "ListSettings")
        after = "" if page.cursor is None else page.cursor.decode()
        listed = [each for each in await self._settings.all() if each.name > after]
        shown = listed[: page.size]
        return node_service_pb2.ListSettingsResponse(
            settings=map(setting_message, shown),
            next_page_token=page.token(shown[-1].name.encode()) if len(listed) > page.size else "",
        )

    async def UpdateSetting(
        self, request: node_service_pb2.UpdateSettingRequest, _context: Any
    ) -> node_service_pb2.UpdateSettingResponse:
        changed = await self._settings.change(request.name, request.value, persist=request.persist)
        return node_service_pb2.UpdateSettingResponse(setting=setting_message(changed))

    async def ShutdownNode(
        self, _request: node_service_pb2.ShutdownNodeRequest, _context: Any
    ) -> node_service_pb2.ShutdownNodeResponse:
        self._stopping = True
        self._house.shutdown()
        return node_service_pb2.ShutdownNodeResponse()

    def _set_state(self, node: node_service_pb2.Node, *, syncing: bool) -> None:
        """The worst that is true; ``node`` holds the reasons for DEGRADED already."""
        if self._stopping:
            node.state = node_service_pb2.NODE_STATE_STOPPING
            node.state_reasons.append(STOPPING_REASON)
        elif node.state_reasons:
            node.state = node_service_pb2.NODE_STATE_DEGRADED
        elif syncing:
            node.state = node_service_pb2.NODE_STATE_SYNCING
            node.state_reasons.append(
                f"at block {node.tip.number} of {node.best_known_height} of the best chain known"
            )
        else:
            node.state = node_service_pb2.NODE_STATE_READY

    def _uptime_s(self) -> float:
        return self._house.clock.now_s() - self._house.started_s

    async def _pause(self, seconds: float) -> None:
        """Until the time is over, or the server is to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop_asked.wait()

    def _constant_facts(self) -> node_service_pb2.Node:
        house = self._house
        return node_service_pb2.Node(
            name=NAME,
            version=house.version,
            network=convert.network(house.network),
            genesis_hash=house.network.genesis.hash.hex(),
            start_time=convert.timestamp(house.clock.wall_s() - self._uptime_s()),
            listen_address=house.listen_address,
            advertise_address=house.advertise_address,
        )


def _without_time(node: node_service_pb2.Node) -> node_service_pb2.Node:
    """A copy of the node but for its age."""
    copy = node_service_pb2.Node()
    copy.CopyFrom(node)
    copy.ClearField("uptime_s")
    return copy
