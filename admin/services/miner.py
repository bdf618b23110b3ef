"""MinerService: looks for blocks."""
# ruff: noqa: N802 - the methods' names are the contract's

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from troupe.admin.v1 import miner_service_pb2, miner_service_pb2_grpc

from actors.miner.messages import (
    AbandonGenerate,
    GenerateBlock,
    GetMiner,
    GetTemplate,
    MinerRefusal,
    StartMining,
    StopMining,
    UpdateMiner,
)
from admin import convert
from admin.asks import Asker
from admin.errors import require
from admin.house import House
from admin.verdicts import miner_refusal

MAX_GENERATED = 10_000
"""One call; a longer chain is several, each of which can be watched and ended."""
GENERATE_TIMEOUT_S = 600.0
"""For one block: a network that allows generating is easy enough for that."""


class MinerService(miner_service_pb2_grpc.MinerServiceServicer):
    """Shows and directs the miner."""

    def __init__(self, house: House, asker: Asker) -> None:
        self._house, self._asker = house, asker

    async def GetMiner(
        self, _request: miner_service_pb2.GetMinerRequest, _context: Any
    ) -> miner_service_pb2.GetMinerResponse:
        return miner_service_pb2.GetMinerResponse(miner=await self._miner())

    async def StartMining(
        self, request: miner_service_pb2.StartMiningRequest, _context: Any
    ) -> miner_service_pb2.StartMiningResponse:
        command = StartMining(_threads(request), _coinbase(request))
        refusal = await self._asker.ask(self._house.miner, command)
        if refusal is not None:
            raise miner_refusal(refusal)
        return miner_service_pb2.StartMiningResponse(miner=await self._miner())

    async def UpdateMiner(
        self, request: miner_service_pb2.UpdateMinerRequest, _context: Any
    ) -> miner_service_pb2.UpdateMinerResponse:
        command = UpdateMiner(_threads(request), _coinbase(request))
        refusal = await self._asker.ask(self._house.miner, command)
        if refusal is not None:
            raise miner_refusal(refusal)
        return miner_service_pb2.UpdateMinerResponse(miner=await self._miner())

    async def StopMining(
        self, _request: miner_service_pb2.StopMiningRequest, _context: Any
    ) -> miner_service_pb2.StopMiningResponse:
        await self._asker.ask(self._house.miner, StopMining())
        return miner_service_pb2.StopMiningResponse(miner=await self._miner())

    async def GenerateBlocks(
        self, request: miner_service_pb2.GenerateBlocksRequest, _context: Any
    ) -> AsyncIterator[miner_service_pb2.GenerateBlocksResponse]:
        require(1 <= request.count <= MAX_GENERATED, "count", f"must be 1 to {MAX_GENERATED}")
        miner, token = self._house.miner, object()
        question = GenerateBlock(_coinbase(request), token)
        try:
            for done in range(1, request.count + 1):
                made = await self._asker.ask(miner, question, timeout_s=GENERATE_TIMEOUT_S)
                if isinstance(made, MinerRefusal):
                    raise miner_refusal(made)
                yield miner_service_pb2.GenerateBlocksResponse(
                    block=convert.block_ref(made), done_count=done
                )
        finally:
            miner.tell(AbandonGenerate(token))  # a caller that left must not keep the miner at it

    async def GetBlockTemplate(
        self, request: miner_service_pb2.GetBlockTemplateRequest, _context: Any
    ) -> miner_service_pb2.GetBlockTemplateResponse:
        made = await self._asker.ask(self._house.miner, GetTemplate(_coinbase(request)))
        if isinstance(made, MinerRefusal):
            raise miner_refusal(made)
        return miner_service_pb2.GetBlockTemplateResponse(template=convert.block_template(made))

    async def _miner(self) -> miner_service_pb2.Miner:
        return convert.miner(await self._asker.ask(self._house.miner, GetMiner()))


def _threads(
    request: miner_service_pb2.StartMiningRequest | miner_service_pb2.UpdateMinerRequest,
) -> int | None:
    """How many it can run is the miner's to say."""
    return request.threads if request.HasField("threads") else None


def _coinbase(
    request: miner_service_pb2.StartMiningRequest
    | miner_service_pb2.UpdateMinerRequest
    | miner_service_pb2.GenerateBlocksRequest
    | miner_service_pb2.GetBlockTemplateRequest,
) -> bytes | None:
    """Whether it is a public key of the network is the miner's to say."""
    if not request.HasField("coinbase"):
        return None
    return convert.address_bytes("coinbase", request.coinbase)
