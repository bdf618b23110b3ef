"""NodeService: the node at a glance, and its end."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from typing import Any

from troupe.admin.v1 import node_service_pb2, node_service_pb2_grpc

from actors.chain.messages import ChainInfo, GetChain, SyncState
from actors.mempool.messages import GetPool, PoolInfo
from actors.miner.messages import GetMiner, MinerInfo
from actors.peers.messages import ListPeers
from actors.runtime.supervisor import GetDegraded
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal
from admin.house import House
from admin.sharing import Shared

NAME = "troupe"


class NodeService(node_service_pb2_grpc.NodeServiceServicer):
    """Asks every room at once; what a room does not answer is left out, and said."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker
        self._stopping = False
        self._seen = Shared(self._look)
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
        node.uptime_s = self._house.clock.now_s() - self._house.started_s
        for answer in answers:
            if isinstance(answer, Refusal):
                node.state_reasons.append(answer.message)
        degraded, chain, peers, pool, miner = answers
        if not isinstance(degraded, Refusal):
            node.state_reasons.extend(degraded)
        if isinstance(chain, ChainInfo):
            node.tip.number, node.tip.hash = chain.tip.number, chain.tip.hash.hex()
            node.best_known_height = chain.best_known_height
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
            node.state_reasons.append("the node was told to stop")
        elif node.state_reasons:
            node.state = node_service_pb2.NODE_STATE_DEGRADED
        elif syncing:
            node.state = node_service_pb2.NODE_STATE_SYNCING
            node.state_reasons.append(
                f"at block {node.tip.number} of {node.best_known_height} of the best chain known"
            )
        else:
            node.state = node_service_pb2.NODE_STATE_READY

    def _constant_facts(self) -> node_service_pb2.Node:
        house = self._house
        uptime_s = house.clock.now_s() - house.started_s
        return node_service_pb2.Node(
            name=NAME,
            version=house.version,
            network=convert.network(house.network),
            genesis_hash=house.network.genesis.hash.hex(),
            start_time=convert.timestamp(house.clock.wall_s() - uptime_s),
            listen_address=house.listen_address,
            advertise_address=house.advertise_address,
        )
