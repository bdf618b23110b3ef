"""The miner actor on the pump; the test plays chain, mempool and engine."""

from __future__ import annotations

import random
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Self

from actors.chain.messages import BlockMined, BlockOutcome, BlockVerdict, MinedVerdict, TipChanged
from actors.config import MinerSettings
from actors.ledger.keys import ED25519
from actors.ledger.network import DEV, Network
from actors.ledger.types import Account, Block, BlockRef, Transaction
from actors.mempool.messages import Candidates, GetCandidates
from actors.miner.actor import MinerActor
from actors.miner.engine import ScanEngine, ScanFound, ScanJob
from actors.miner.messages import GetMiner, MinerInfo, StartMining
from actors.miner.orders import MiningOrders
from actors.miner.scan import scan
from actors.runtime.address import Address
from actors.runtime.clock import FakeClock
from actors.runtime.events import Happened
from actors.runtime.pump import Pump
from actors.simulation.engine import SimEngine
from tests.support.ledger import key, lookup
from tests.support.probe import Probe, stage

EASY = replace(DEV, difficulty=1)
ALICE, BOB = key(ED25519, "alice"), key(ED25519, "bob")
MINE, THEIRS = key(ED25519, "miner").public, key(ED25519, "other").public
TIP = BlockRef(10, b"\x0a" * 32)
NEXT_TIP = BlockRef(11, b"\x0b" * 32)


class IdleEngine:
    """An engine that only notes its orders: the test says what it finds."""

    name = "idle"
    native = True
    note = "for a test"

    def __init__(self) -> None:
        self.orders: list[object] = []
        self.exhausted = False
        self.threads = 1

    def start(self, job: ScanJob) -> None:
        if self.exhausted:
            raise OSError(24, "Too many open files")
        self.orders.append(job)

    def cancel(self) -> None:
        self.orders.append("cancel")

    def set_threads(self, threads: int) -> None:
        if self.exhausted:
            raise OSError(11, "Resource temporarily unavailable")
        if threads != self.threads:
            self.threads = threads
            self.orders.append(threads)

    def stop(self) -> None:
        self.orders.append("stop")

    def take(self) -> list[object]:
        taken = list(self.orders)
        self.orders.clear()
        return taken


class MinerStage:
    """A miner alone on the stage; the test plays chain, mempool and engine."""

    def __init__(
        self,
        *,
        network: Network = EASY,
        settings: MinerSettings | None = None,
        orders: MiningOrders | None = None,
        simulated: bool = False,
    ) -> None:
        self.clock = FakeClock()
        self.pump = Pump(3, self.clock)
        self.accounts = {ALICE.public: Account(100), BOB.public: Account(100)}
        self.later_accounts: dict[bytes, Account] = {}
        """As of blocks behind TIP, where they are others."""
        self.network, self.engine = network, IdleEngine()
        self.orders = orders or MiningOrders(settings or MinerSettings(coinbase=MINE))
        self.chain, self.mempool, self.events = (
            Probe(self.pump, name) for name in ("chain", "mempool", "events")
        )
        self.miner = stage(
            self.pump,
            "miner",
            lambda me: self._build(me, simulated),
        )
        self.pump.run_until_idle()

    @classmethod
    def mining(cls) -> Self:
        """A miner that was told to mine."""
        house = cls()
        assert house.ask(StartMining()) is None
        return house

    def _build(self, me: Address[Any], simulated: bool) -> MinerActor:
        engine: ScanEngine = self.engine
        if simulated:
            engine = SimEngine(me, self.clock, random.Random(5), mean_s=10.0)
        self.actor = MinerActor(
            network=self.network,
            orders=self.orders,
            engine=engine,
            accounts_at=self._account_at,
            tip=lambda: TIP,
            clock=self.clock,
            me=me,
            chain=self.chain.address,
            mempool=self.mempool.address,
            events=self.events.address,
        )
        return self.actor

    def _account_at(self, address: bytes, height: int) -> Account:
        later = self.later_accounts.get(address) if height > TIP.number else None
        return later or lookup(self.accounts)(address)

    def tell(self, message: object) -> None:
        self.miner.tell(message)
        self.pump.run_until_idle()

    def ask(self, question: Any) -> Any:
        return self.pump.ask(self.miner, question)

    def ask_soon(self, question: Any) -> Future[Any]:
        future = self.miner.ask_soon(question)
        self.pump.run_until_idle()
        return future

    @property
    def info(self) -> MinerInfo:
        info = self.ask(GetMiner())
        assert isinstance(info, MinerInfo)
        return info

    def asked(self) -> int:
        """How often the mempool was asked since the last time."""
        return len([each for each in self.mempool.take() if isinstance(each, GetCandidates)])

    def offer(self, *transactions: Transaction) -> ScanJob:
        """Answer the miner's question for candidates; the job that the engine then has."""
        assert self.asked() == 1
        self.tell(Candidates(1, transactions))
        job = self.engine.take()[-1]
        assert isinstance(job, ScanJob)
        return job

    def solve(self, job: ScanJob, hashes: int = 7) -> None:
        nonce, _ = scan(job.template, 0, 10_000, lambda: False)
        assert nonce is not None
        self.tell(ScanFound(job.job_id, nonce, hashes))

    def handed_in(self) -> Block:
        (mined,) = self.chain.take()
        assert isinstance(mined, BlockMined)
        assert mined.reply_to is self.miner
        return mined.block

    def judge(self, block: Block, outcome: BlockOutcome) -> None:
        """The chain's answer, behind the news of the tip if there is any."""
        if outcome is BlockOutcome.CONNECTED:
            self.tell(TipChanged(block.ref, (block,)))
        self.tell(MinedVerdict(BlockVerdict(outcome, block.hash)))

    def told_events(self) -> list[object]:
        return [each.body for each in self.events.take() if isinstance(each, Happened)]
