"""One import of blocks: what is uploaded, given to the chain actor one batch at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from troupe.admin.v1 import chain_service_pb2 as pb
from troupe.admin.v1 import errors_pb2

from actors.chain.archive import Chunk, chunks
from actors.chain.messages import BlockOutcome, BlockVerdict, ImportRun
from actors.ledger.network import Network
from actors.ledger.violation import Rule
from actors.runtime.address import Address
from admin import convert
from admin.asks import Asker
from admin.errors import Refusal
from admin.verdicts import unstored

BATCH_S = 600.0
"""A batch that makes another branch the longest has all of that executed."""


class BlockImport:
    """Takes the messages of one upload, and counts what becomes of the blocks.

    Attributes:
        imported: Blocks that were stored.
        known: Blocks that had been stored before.
        rejected: The block that ended it; None: all were taken.
        total: Blocks that there will be, as the header says; 0 before it is read.
    """

    def __init__(self, network: Network, chain: Address[Any], asker: Asker) -> None:
        self._network, self._chain, self._asker = network, chain, asker
        self._next = self._left = 0
        self.imported = self.known = self.total = 0
        self.rejected: pb.RejectedBlock | None = None

    async def run(self, requests: AsyncIterator[pb.ImportBlocksRequest]) -> None:
        """Take all, or up to the first block that the chain does not.

        Raises:
            Refusal: EXPORT_MALFORMED, WRONG_NETWORK, or what becomes of a question to the chain actor.
        """
        first = await anext(requests, None)
        self._require(first is not None and first.HasField("header"), "there is no header in front")
        assert first is not None
        self._begin(first.header)
        async for request in requests:
            raws = request.chunk.raw_blocks
            self._require(len(raws) > 0, "what follows the header must be chunks with blocks")
            self._left -= len(raws)
            self._require(self._left >= 0, "there are more blocks than the header says")
            for chunk in chunks(raws):  # between two of them the chain actor sees to other messages
                await self._take(chunk)
                if self.rejected is not None:
                    return
        self._require(self._left == 0, "there are fewer blocks than the header says")

    def _begin(self, header: pb.ExportHeader) -> None:
        network, ours = self._network, self._network.genesis.hash.hex()
        if header.network != convert.network(network) or header.genesis_hash != ours:
            message = (
                f"the blocks are of network {header.network.name!r} with genesis"
                f" {header.genesis_hash[:64]!r}; this node's is {network.name!r} with {ours!r}"
            )
            if header.genesis_hash == ours:
                message = f"the blocks are of a network of other rules than {network.name!r} here"
            reason = errors_pb2.ERROR_REASON_WRONG_NETWORK
            raise Refusal(reason, message, network=network.name, genesis_hash=ours)
        self._next = header.first_number
        self._left = header.last.number - header.first_number + 1
        self._require(self._left >= 0, "the header's last block is below its first")
        self.total = self._left

    async def _take(self, chunk: Chunk) -> None:
        for verdict in await self._asker.ask(self._chain, ImportRun(chunk), timeout_s=BATCH_S):
            match verdict.outcome:
                case BlockOutcome.KNOWN:
                    self.known += 1
                case BlockOutcome.CONNECTED | BlockOutcome.SIDE_BRANCH:
                    self.imported += 1
                case BlockOutcome.UNSTORED:
                    raise unstored()
                case _:
                    self.rejected = _rejected(self._next, verdict)
                    return
            self._next += 1

    def _require(self, holds: bool, message: str) -> None:
        if not holds:
            reason = errors_pb2.ERROR_REASON_EXPORT_MALFORMED
            received = str(self.imported + self.known)
            raise Refusal(reason, message, field="part", received_count=received)


def _rejected(number: int, verdict: BlockVerdict) -> pb.RejectedBlock:
    rule, detail = Rule.PARENT.value, "its parent is not stored"
    if verdict.violation is not None:
        rule, detail = verdict.violation.rule.value, verdict.violation.detail
    block_hash = "" if verdict.hash is None else verdict.hash.hex()
    return pb.RejectedBlock(number=number, hash=block_hash, rule=rule, detail=detail)
