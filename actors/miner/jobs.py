"""What the engine works on, and whose nonces still count."""

from __future__ import annotations

from actors.ledger.types import Block
from actors.miner.engine import ScanEngine, ScanJob
from actors.miner.orders import MiningOrders
from actors.miner.template import template_of

MAX_LIVE_JOBS = 2
"""The running one, and its predecessor: a nonce found just before a refresh is still good."""


class Jobs:
    """The jobs of one incarnation, numbered on from those of the incarnation before.

    Attributes:
        scanned: The block that the engine works on.
    """

    def __init__(self, engine: ScanEngine, orders: MiningOrders) -> None:
        self._engine, self._orders = engine, orders
        self._live: dict[int, Block] = {}  # newest last
        self.scanned: Block | None = None

    def begin(self, block: Block, difficulty: int, first_nonce: int) -> None:
        """Scan for this block from now on.

        Raises:
            OSError: There are no more processes or files for the engine.
        """
        self.scanned = block
        self._orders.last_job_id += 1
        job_id = self._orders.last_job_id
        self._live[job_id] = block
        if len(self._live) > MAX_LIVE_JOBS:
            del self._live[next(iter(self._live))]
        self._engine.start(ScanJob(job_id, template_of(block, difficulty), first_nonce))

    def abandon(self) -> None:
        """Scan for nothing; what was found before may still come."""
        if self.scanned is not None:
            self.scanned = None
            self._engine.cancel()

    def drop(self) -> None:
        """Scan for nothing, and let no nonce count."""
        self.abandon()
        self._live.clear()

    def draft(self, job_id: int) -> Block | None:
        """The block that a nonce is for, if it still counts."""
        return self._live.get(job_id)

    def forget(self, job_id: int) -> None:
        """Its nonces count no more."""
        del self._live[job_id]

    def forget_other_payees(self, payee: bytes) -> None:
        """Let only nonces count for blocks that pay this one."""
        self._live = {n: block for n, block in self._live.items() if block.coinbase == payee}
