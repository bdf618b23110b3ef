import random
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from actors.chain.messages import BlockMined, BlockOutcome, BlockVerdict, MinedVerdict, TipChanged
from actors.config import MinerSettings
from actors.ledger.keys import ED25519
from actors.ledger.network import DEV, Network
from actors.ledger.types import Account, Block, BlockRef, Transaction
from actors.ledger.work import has_work
from actors.mempool.messages import Candidates, GetCandidates, PoolChanged
from actors.miner.actor import (
    MAX_THREADS,
    MAX_WAITING_GENERATES,
    REFRESH_EVERY_S,
    MinerActor,
)
from actors.miner.engine import (
    ScanEngine,
    ScanExhausted,
    ScanFound,
    ScanJob,
    ScanLost,
    ScanProgress,
)
from actors.miner.messages import (
    GenerateBlock,
    GetMiner,
    MinerChanged,
    MinerInfo,
    MinerRefusal,
    StartMining,
    StopMining,
)
from actors.miner.orders import MiningOrders
from actors.miner.scan import scan
from actors.runtime.address import Address
from actors.runtime.clock import FakeClock
from actors.runtime.events import Happened
from actors.runtime.pump import Pump
from tests.support.ledger import EASY_MAIN, key, lookup, transfer
from tests.support.probe import Probe, stage
from tests.support.sim_engine import SimEngine

EASY = replace(DEV, difficulty=1)
ALICE, BOB = key(ED25519, "alice"), key(ED25519, "bob")
MINE, THEIRS = key(ED25519, "miner").public, key(ED25519, "other").public
NOT_A_KEY = b"\x02".ljust(32, b"\0")
TIP = BlockRef(10, b"\x0a" * 32)
NEXT_TIP = BlockRef(11, b"\x0b" * 32)


class IdleEngine:
    """An engine that only notes its orders: the test says what it finds."""

    name = "idle"

    def __init__(self) -> None:
        self.orders: list[object] = []
        self.exhausted = False

    def start(self, job: ScanJob) -> None:
        if self.exhausted:
            raise OSError(24, "Too many open files")
        self.orders.append(job)

    def cancel(self) -> None:
        self.orders.append("cancel")

    def set_threads(self, threads: int) -> None:
        if threads != 1:
            self.orders.append(threads)

    def stop(self) -> None:
        self.orders.append("stop")

    def take(self) -> list[object]:
        taken = list(self.orders)
        self.orders.clear()
        return taken


class House:
    """A miner alone on the stage; the test plays chain, mempool and engine."""

    def __init__(
        self,
        *,
        network: Network = EASY,
        settings: MinerSettings | None = None,
        simulated: bool = False,
    ) -> None:
        self.clock = FakeClock()
        self.pump = Pump(3, self.clock)
        self.accounts = {ALICE.public: Account(100), BOB.public: Account(100)}
        self.network, self.engine = network, IdleEngine()
        self.orders = MiningOrders(settings or MinerSettings(coinbase=MINE))
        self.chain, self.mempool, self.events = (
            Probe(self.pump, name) for name in ("chain", "mempool", "events")
        )
        self.miner = stage(
            self.pump,
            "miner",
            lambda me: self._build(me, simulated),
        )
        self.pump.run_until_idle()

    def _build(self, me: Address[Any], simulated: bool) -> MinerActor:
        engine: ScanEngine = self.engine
        if simulated:
            engine = SimEngine(me, self.clock, random.Random(5), mean_s=10.0)
        self.actor = MinerActor(
            network=self.network,
            orders=self.orders,
            engine=engine,
            accounts=lookup(self.accounts),
            tip=lambda: TIP,
            clock=self.clock,
            me=me,
            chain=self.chain.address,
            mempool=self.mempool.address,
            events=self.events.address,
        )
        return self.actor

    def tell(self, message: object) -> None:
        self.miner.tell(message)
        self.pump.run_until_idle()

    def ask(self, question: Any) -> Any:
        return self.pump.ask(self.miner, question)

    def ask_soon(self, question: Any) -> "Future[Any]":
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
        """Answer the miner's question for candidates; the job that it gives the engine."""
        assert self.asked() == 1
        self.engine.take()
        self.tell(Candidates(1, transactions))
        (job,) = self.engine.take()
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


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def mining() -> House:
    house = House()
    assert house.ask(StartMining()) is None
    return house


# -- start and stop ---------------------------------------------------------------------------------


def test_a_miner_is_idle_until_it_is_told_to_mine(house: House) -> None:
    house.tell(TipChanged(NEXT_TIP))
    house.tell(PoolChanged(1))
    assert (house.asked(), house.engine.take()) == (0, [])
    assert house.info == MinerInfo(False, 1, MINE, 0.0, 0, 0, 0, None, "idle")


def test_mining_scans_a_block_on_the_tip_with_the_mempools_candidates(mining: House) -> None:
    (question,) = mining.mempool.messages
    assert question == GetCandidates(EASY.max_transactions_per_block, mining.miner)
    tx = transfer(ALICE, BOB.public, 0, 5)
    template = mining.offer(tx).template
    text = template.prefix + b"0" + template.suffix
    assert text == b"11:0:%b:%b:%b" % (TIP.hash.hex().encode(), MINE.hex().encode(), tx.raw)
    assert template.difficulty == EASY.difficulty
    assert (mining.info.mining, mining.info.template_height) == (True, 11)
    assert mining.told_events() == [MinerChanged(mining=True)]


def test_a_candidate_that_is_not_valid_on_the_tip_is_left_out(mining: House) -> None:
    template = mining.offer(transfer(ALICE, BOB.public, 3, 5)).template
    assert template.suffix.endswith(MINE.hex().encode())


def test_a_node_configured_to_mine_does_so_from_the_start() -> None:
    house = House(settings=MinerSettings(mine=True, threads=2, coinbase=MINE))
    assert house.asked() == 1
    house.tell(Candidates(1, ()))
    threads, job = house.engine.take()
    assert threads == 2
    assert isinstance(job, ScanJob)


def test_a_node_configured_to_mine_for_nobody_stays_idle() -> None:
    house = House(settings=MinerSettings(mine=True))
    assert (house.asked(), house.info.mining) == (0, False)


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (StartMining(threads=0), MinerRefusal.BAD_THREADS),
        (StartMining(threads=MAX_THREADS + 1), MinerRefusal.BAD_THREADS),
        (StartMining(coinbase=b""), MinerRefusal.NO_COINBASE),
        (StartMining(coinbase=NOT_A_KEY), MinerRefusal.BAD_COINBASE),
        (GenerateBlock(coinbase=b""), MinerRefusal.NO_COINBASE),
        (GenerateBlock(coinbase=NOT_A_KEY), MinerRefusal.BAD_COINBASE),
    ],
)
def test_a_command_that_cannot_be_followed_is_refused(
    house: House, command: object, refusal: MinerRefusal
) -> None:
    assert house.ask(command) is refusal
    assert (house.info.mining, house.asked()) == (False, 0)


def test_mining_without_any_coinbase_is_refused() -> None:
    house = House(settings=MinerSettings())
    assert house.ask(StartMining()) is MinerRefusal.NO_COINBASE
    assert house.ask(StartMining(coinbase=MINE)) is None


def test_an_engine_that_the_system_refuses_ends_mining_and_the_miner_lives(house: House) -> None:
    house.engine.exhausted = True
    waiting = house.ask_soon(GenerateBlock())
    assert house.ask(StartMining(threads=200)) is None
    house.tell(Candidates(1, ()))
    assert house.info.mining is False
    assert house.orders.settings.mine is False
    assert waiting.result(0) is MinerRefusal.STOPPED
    house.engine.exhausted = False
    assert house.ask(StartMining(threads=1)) is None
    house.tell(Candidates(1, ()))
    assert isinstance(house.engine.take()[-1], ScanJob)


def test_what_it_was_told_last_outlives_the_miner(house: House) -> None:
    assert house.ask(StartMining(threads=3, coinbase=THEIRS)) is None
    assert house.orders.settings == MinerSettings(mine=True, threads=3, coinbase=THEIRS)
    house.ask(StopMining())
    assert house.orders.settings == MinerSettings(mine=False, threads=3, coinbase=THEIRS)


def test_another_coinbase_replaces_the_job(mining: House) -> None:
    mining.offer()
    assert mining.ask(StartMining(coinbase=THEIRS)) is None
    assert THEIRS.hex().encode() in mining.offer().template.suffix
    assert mining.told_events() == [MinerChanged(mining=True)]


def test_another_number_of_threads_starts_the_scan_again(mining: House) -> None:
    first = mining.offer()
    mining.ask(StartMining(threads=3))
    assert mining.engine.take() == ["cancel"]
    mining.tell(Candidates(1, ()))
    threads, job = mining.engine.take()
    assert threads == mining.info.threads == 3
    assert isinstance(job, ScanJob)
    assert job.template == first.template


def test_a_stop_cancels_at_once_and_forgets_what_comes_late(mining: House) -> None:
    job = mining.offer()
    mining.ask(StopMining())
    assert mining.engine.take() == ["cancel"]
    mining.solve(job)
    mining.tell(Candidates(1, ()))
    assert (mining.chain.take(), mining.engine.take()) == ([], [])
    assert (mining.info.mining, mining.info.hash_rate) == (False, 0.0)
    assert mining.told_events() == [MinerChanged(mining=True), MinerChanged(mining=False)]
    mining.ask(StopMining())
    assert mining.told_events() == []


def test_the_engine_ends_with_the_actor_in_order_or_not(mining: House) -> None:
    mining.offer()
    mining.actor.on_crash()
    assert mining.engine.take() == ["stop"]
    mining.actor.halt()
    mining.pump.run_until_idle()
    assert mining.engine.take() == ["stop"]


# -- templates --------------------------------------------------------------------------------------


def test_a_new_tip_abandons_the_scan_at_once(mining: House) -> None:
    mining.offer()
    mining.tell(TipChanged(NEXT_TIP))
    assert mining.engine.take() == ["cancel"]
    assert mining.offer().template.prefix == b"12:"


def test_the_same_tip_again_changes_nothing(mining: House) -> None:
    mining.offer()
    mining.tell(TipChanged(TIP))
    assert (mining.asked(), mining.engine.take()) == (0, [])


def test_a_changed_pool_refreshes_the_template_at_most_every_second(mining: House) -> None:
    mining.offer()
    for _ in range(3):
        mining.tell(PoolChanged(2))
    assert mining.asked() == 0
    mining.pump.run_for(REFRESH_EVERY_S)
    mining.offer(transfer(ALICE, BOB.public, 0, 1))
    mining.pump.run_for(2 * REFRESH_EVERY_S)
    assert mining.asked() == 0
    mining.tell(PoolChanged(3))
    assert mining.asked() == 1


def test_candidates_that_give_the_same_block_throw_no_work_away(mining: House) -> None:
    mining.offer()
    mining.tell(Candidates(2, ()))
    mining.tell(Candidates(3, (transfer(ALICE, BOB.public, 5, 1),)))
    assert mining.engine.take() == []


def test_a_nonce_found_just_before_a_refresh_still_counts(mining: House) -> None:
    former = mining.offer()
    mining.pump.run_for(REFRESH_EVERY_S)
    mining.tell(PoolChanged(2))
    mining.offer(transfer(ALICE, BOB.public, 0, 1))
    mining.solve(former)
    assert mining.handed_in().transactions == ()


def test_a_job_older_than_the_last_two_is_forgotten(mining: House) -> None:
    former = mining.offer()
    for nonce in range(2):
        mining.tell(
            Candidates(2, tuple(transfer(ALICE, BOB.public, n, 1) for n in range(nonce + 1)))
        )
    mining.solve(former)
    assert mining.chain.take() == []


# -- results ----------------------------------------------------------------------------------------


def test_a_found_block_goes_to_the_chain_and_the_next_job_waits_for_its_verdict(
    mining: House,
) -> None:
    mining.solve(mining.offer())
    assert mining.engine.take() == ["cancel"]
    block = mining.handed_in()
    assert (block.number, block.parent_hash) == (11, TIP.hash)
    assert has_work(block.hash, EASY.difficulty)
    mining.tell(PoolChanged(2))
    mining.tell(TipChanged(block.ref, (block,)))
    assert mining.asked() == 0
    mining.tell(MinedVerdict(BlockVerdict(BlockOutcome.CONNECTED, block.hash)))
    assert mining.offer().template.prefix == b"12:"
    assert (mining.info.blocks_found, mining.info.blocks_stale) == (1, 0)


def test_a_found_block_that_lost_the_race_is_stale(mining: House) -> None:
    mining.solve(mining.offer())
    mining.judge(mining.handed_in(), BlockOutcome.SIDE_BRANCH)
    assert (mining.info.blocks_found, mining.info.blocks_stale) == (0, 1)
    assert mining.asked() == 1


def test_an_invalid_block_of_ours_slows_us_down(mining: House) -> None:
    mining.solve(mining.offer())
    mining.judge(mining.handed_in(), BlockOutcome.INVALID)
    assert mining.asked() == 0
    mining.pump.run_for(REFRESH_EVERY_S)
    assert mining.asked() == 1


def test_a_nonce_for_a_former_tip_counts_as_stale(mining: House) -> None:
    job = mining.offer()
    mining.tell(TipChanged(NEXT_TIP))
    mining.solve(job)
    mining.solve(job)
    assert mining.chain.take() == []
    assert mining.info.blocks_stale == 1


def test_a_second_nonce_for_the_same_block_is_nothing(mining: House) -> None:
    job = mining.offer()
    mining.solve(job)
    block = mining.handed_in()
    mining.solve(job)
    mining.judge(block, BlockOutcome.CONNECTED)
    mining.solve(job)
    assert mining.chain.take() == []
    assert (mining.info.blocks_found, mining.info.blocks_stale) == (1, 0)


def test_a_verdict_on_somebody_elses_block_is_nothing(mining: House) -> None:
    mining.solve(mining.offer())
    mining.tell(MinedVerdict(BlockVerdict(BlockOutcome.CONNECTED, bytes(32))))
    mining.tell(MinedVerdict(BlockVerdict(BlockOutcome.INVALID, None)))
    assert (mining.info.blocks_found, mining.info.blocks_stale) == (0, 0)


def test_a_nonce_that_solves_nothing_is_not_believed_and_the_engine_starts_again(
    mining: House,
) -> None:
    job = mining.offer()
    nonce = next(n for n in range(100) if scan(job.template, n, 1, lambda: False)[0] is None)
    mining.tell(ScanFound(job.job_id, nonce, 1))
    assert (mining.chain.take(), mining.engine.take()) == ([], ["stop"])
    mining.pump.run_for(REFRESH_EVERY_S)
    assert mining.offer().template == job.template


def test_a_lost_engine_starts_again_after_a_pause(mining: House) -> None:
    job = mining.offer()
    mining.tell(ScanLost())
    mining.tell(ScanLost())
    assert set(mining.engine.take()) == {"stop"}
    assert mining.asked() == 0
    mining.pump.run_for(REFRESH_EVERY_S)
    assert mining.offer().template == job.template


def test_an_exhausted_template_waits_for_another_one(mining: House) -> None:
    job = mining.offer()
    mining.tell(ScanExhausted(job.job_id))
    mining.tell(Candidates(1, ()))
    assert mining.engine.take() == []
    mining.tell(PoolChanged(2))
    mining.pump.run_for(REFRESH_EVERY_S)
    assert mining.offer(transfer(ALICE, BOB.public, 0, 1)).template != job.template


def test_the_hash_rate_is_made_of_real_counts(mining: House) -> None:
    job = mining.offer()
    for _ in range(10):
        mining.pump.run_for(1.0)
        mining.tell(ScanProgress(job.job_id, 500))
    mining.solve(job, hashes=1_000)
    assert mining.info.hashes == 6_000
    assert mining.info.hash_rate == pytest.approx(600)


# -- blocks on demand ---------------------------------------------------------------------------------


def test_a_generated_block_is_answered_when_it_is_on_the_chain(house: House) -> None:
    answer = house.ask_soon(GenerateBlock(THEIRS))
    house.solve(house.offer())
    block = house.handed_in()
    assert block.coinbase == THEIRS
    assert not answer.done()
    house.judge(block, BlockOutcome.CONNECTED)
    assert answer.result(0) == block.ref
    assert (house.asked(), house.info.mining, house.info.template_height) == (0, False, None)


def test_several_are_generated_one_after_the_other(house: House) -> None:
    answers = [house.ask_soon(GenerateBlock()) for _ in range(3)]
    heights = []
    for answer in answers:
        house.solve(house.offer())
        house.judge(house.handed_in(), BlockOutcome.CONNECTED)
        heights.append(answer.result(0).number)
    assert heights == [11, 12, 13]


def test_so_many_may_wait_and_no_more(house: House) -> None:
    for _ in range(MAX_WAITING_GENERATES):
        house.ask_soon(GenerateBlock())
    assert house.ask(GenerateBlock()) is MinerRefusal.BUSY
    assert house.asked() == 1


def test_a_network_that_does_not_allow_it_generates_nothing() -> None:
    house = House(network=EASY_MAIN)
    assert house.ask(GenerateBlock()) is MinerRefusal.GENERATE_NOT_ALLOWED


def test_a_generated_block_that_lost_the_race_is_rejected(house: House) -> None:
    answer = house.ask_soon(GenerateBlock())
    house.solve(house.offer())
    house.judge(house.handed_in(), BlockOutcome.SIDE_BRANCH)
    assert answer.result(0) is MinerRefusal.BLOCK_REJECTED


def test_a_new_tip_only_moves_the_block_to_be_generated(house: House) -> None:
    answer = house.ask_soon(GenerateBlock())
    house.offer()
    house.tell(TipChanged(NEXT_TIP))
    house.solve(house.offer())
    house.judge(house.handed_in(), BlockOutcome.CONNECTED)
    assert answer.result(0).number == 12


def test_a_generate_goes_before_mining_which_then_goes_on(mining: House) -> None:
    mined = mining.offer()
    answer = mining.ask_soon(GenerateBlock(THEIRS))
    generated = mining.offer()
    assert THEIRS.hex().encode() in generated.template.suffix
    mining.solve(mined)
    mining.judge(mining.handed_in(), BlockOutcome.CONNECTED)
    assert not answer.done(), "that block pays another coinbase"
    mining.solve(mining.offer())
    mining.judge(mining.handed_in(), BlockOutcome.CONNECTED)
    assert answer.result(0).number == 12
    assert MINE.hex().encode() in mining.offer().template.suffix


def test_stop_answers_those_who_wait_but_not_the_one_that_is_being_judged(house: House) -> None:
    first, second = (house.ask_soon(GenerateBlock()) for _ in range(2))
    house.solve(house.offer())
    house.ask(StopMining())
    assert (first.done(), second.result(0)) == (False, MinerRefusal.STOPPED)
    block = house.handed_in()
    house.judge(block, BlockOutcome.CONNECTED)
    assert first.result(0) == block.ref


@pytest.mark.parametrize("ending", ["stop", "crash"])
def test_the_end_of_the_actor_answers_everybody(house: House, ending: str) -> None:
    answers = [house.ask_soon(GenerateBlock()) for _ in range(2)]
    house.solve(house.offer())
    if ending == "stop":
        house.actor.halt()
        house.pump.run_until_idle()
    else:
        house.actor.on_crash()
    assert [answer.result(0) for answer in answers] == [MinerRefusal.STOPPED] * 2


def test_timers_end_with_the_actor(mining: House) -> None:
    mining.offer()
    mining.tell(PoolChanged(2))
    mining.actor.halt()
    mining.pump.run_until_idle()
    assert mining.clock.next_due_s() is None


# -- with the simulated engine -------------------------------------------------------------------------


def test_the_simulated_engine_finds_blocks_in_simulated_time() -> None:
    house = House(simulated=True)
    house.ask(StartMining(threads=2))
    for height in range(11, 14):
        house.tell(Candidates(1, ()))
        began_s = house.clock.now_s()
        house.pump.run_for(200.0)
        assert house.clock.now_s() == began_s + 200.0
        block = house.handed_in()
        assert block.number == height
        house.judge(block, BlockOutcome.CONNECTED)
    assert house.info.blocks_found == 3
    house.tell(Candidates(1, ()))
    house.ask(StopMining())
    assert house.clock.next_due_s() is None
