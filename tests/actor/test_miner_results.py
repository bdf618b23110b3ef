"""The miner actor alone: what becomes of what the engine finds, and of blocks on demand."""

from __future__ import annotations

import pytest

from actors.chain.messages import BlockOutcome, BlockVerdict, MinedVerdict, TipChanged
from actors.ledger.work import has_work
from actors.mempool.messages import Candidates, PoolChanged
from actors.miner.actor import REFRESH_EVERY_S
from actors.miner.engine import ScanExhausted, ScanFound, ScanLost, ScanProgress
from actors.miner.messages import (
    AbandonGenerate,
    GenerateBlock,
    MinerRefusal,
    StartMining,
    StopMining,
)
from actors.miner.scan import scan
from actors.miner.waiting import MAX_WAITING_GENERATES
from tests.support.ledger import EASY_MAIN, transfer
from tests.support.miner_stage import ALICE, BOB, EASY, MINE, NEXT_TIP, THEIRS, TIP, MinerStage


@pytest.fixture
def house() -> MinerStage:
    return MinerStage()


@pytest.fixture
def mining() -> MinerStage:
    return MinerStage.mining()


# -- results ----------------------------------------------------------------------------------------


def test_a_found_block_goes_to_the_chain_and_the_next_job_waits_for_its_verdict(
    mining: MinerStage,
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


def test_a_found_block_that_lost_the_race_is_stale(mining: MinerStage) -> None:
    mining.solve(mining.offer())
    mining.judge(mining.handed_in(), BlockOutcome.SIDE_BRANCH)
    assert (mining.info.blocks_found, mining.info.blocks_stale) == (0, 1)
    assert mining.asked() == 1


def test_an_invalid_block_of_ours_slows_us_down(mining: MinerStage) -> None:
    mining.solve(mining.offer())
    mining.judge(mining.handed_in(), BlockOutcome.INVALID)
    assert mining.asked() == 0
    mining.pump.run_for(REFRESH_EVERY_S)
    assert mining.asked() == 1


def test_a_nonce_for_a_former_tip_counts_as_stale(mining: MinerStage) -> None:
    job = mining.offer()
    mining.tell(TipChanged(NEXT_TIP))
    mining.solve(job)
    mining.solve(job)
    assert mining.chain.take() == []
    assert mining.info.blocks_stale == 1


def test_a_second_nonce_for_the_same_block_is_nothing(mining: MinerStage) -> None:
    job = mining.offer()
    mining.solve(job)
    block = mining.handed_in()
    mining.solve(job)
    mining.judge(block, BlockOutcome.CONNECTED)
    mining.solve(job)
    assert mining.chain.take() == []
    assert (mining.info.blocks_found, mining.info.blocks_stale) == (1, 0)


def test_a_verdict_on_somebody_elses_block_is_nothing(mining: MinerStage) -> None:
    mining.solve(mining.offer())
    mining.tell(MinedVerdict(BlockVerdict(BlockOutcome.CONNECTED, bytes(32))))
    mining.tell(MinedVerdict(BlockVerdict(BlockOutcome.INVALID, None)))
    assert (mining.info.blocks_found, mining.info.blocks_stale) == (0, 0)


def test_a_nonce_that_solves_nothing_is_not_believed_and_the_engine_starts_again(
    mining: MinerStage,
) -> None:
    job = mining.offer()
    nonce = next(n for n in range(100) if scan(job.template, n, 1, lambda: False)[0] is None)
    mining.tell(ScanFound(job.job_id, nonce, 1))
    assert (mining.chain.take(), mining.engine.take()) == ([], ["stop"])
    mining.pump.run_for(REFRESH_EVERY_S)
    assert mining.offer().template == job.template


def test_a_lost_engine_starts_again_after_a_pause(mining: MinerStage) -> None:
    job = mining.offer()
    mining.tell(ScanLost(job.job_id))
    mining.tell(ScanLost(job.job_id))
    assert set(mining.engine.take()) == {"stop"}
    assert mining.asked() == 0
    mining.pump.run_for(REFRESH_EVERY_S)
    assert mining.offer().template == job.template


def test_a_loss_before_the_present_job_is_healed_and_stops_nothing(mining: MinerStage) -> None:
    former = mining.offer()
    mining.tell(TipChanged(NEXT_TIP))
    mining.engine.take()
    mining.tell(ScanLost(former.job_id))
    assert mining.engine.take() == []
    assert mining.info.template_height == 12


def test_what_the_engine_told_a_former_incarnation_is_nothing_to_the_next(
    mining: MinerStage,
) -> None:
    former = mining.offer()
    heir = MinerStage(orders=mining.orders)
    job = heir.offer()
    assert job.job_id != former.job_id
    heir.solve(former)
    heir.tell(ScanLost(former.job_id))
    assert (heir.chain.take(), heir.engine.take()) == ([], [])


def test_an_exhausted_template_waits_for_another_one(mining: MinerStage) -> None:
    job = mining.offer()
    mining.tell(ScanExhausted(job.job_id))
    mining.tell(Candidates(1, ()))
    assert mining.engine.take() == []
    mining.tell(PoolChanged(2))
    mining.pump.run_for(REFRESH_EVERY_S)
    assert mining.offer(transfer(ALICE, BOB.public, 0, 1)).template != job.template


def test_the_hash_rate_is_made_of_real_counts(mining: MinerStage) -> None:
    job = mining.offer()
    for _ in range(10):
        mining.pump.run_for(1.0)
        mining.tell(ScanProgress(job.job_id, 500))
    mining.solve(job, hashes=1_000)
    assert mining.info.hashes == 6_000
    assert mining.info.hash_rate == pytest.approx(600)


# -- blocks on demand ---------------------------------------------------------------------------------


def test_a_generated_block_is_answered_when_it_is_on_the_chain(house: MinerStage) -> None:
    answer = house.ask_soon(GenerateBlock(THEIRS))
    house.solve(house.offer())
    block = house.handed_in()
    assert block.coinbase == THEIRS
    assert not answer.done()
    house.judge(block, BlockOutcome.CONNECTED)
    assert answer.result(0) == block.ref
    assert (house.asked(), house.info.mining, house.info.template_height) == (0, False, None)


def test_several_are_generated_one_after_the_other(house: MinerStage) -> None:
    answers = [house.ask_soon(GenerateBlock()) for _ in range(3)]
    heights = []
    for answer in answers:
        house.solve(house.offer())
        house.judge(house.handed_in(), BlockOutcome.CONNECTED)
        heights.append(answer.result(0).number)
    assert heights == [11, 12, 13]


def test_so_many_may_wait_and_no_more(house: MinerStage) -> None:
    for _ in range(MAX_WAITING_GENERATES):
        house.ask_soon(GenerateBlock())
    assert house.ask(GenerateBlock()) is MinerRefusal.BUSY
    assert house.asked() == 1


def test_a_network_that_does_not_allow_it_generates_nothing() -> None:
    house = MinerStage(network=EASY_MAIN)
    assert house.ask(GenerateBlock()) is MinerRefusal.GENERATE_NOT_ALLOWED


def test_a_generated_block_that_breaks_a_rule_is_rejected(house: MinerStage) -> None:
    answer = house.ask_soon(GenerateBlock())
    house.solve(house.offer())
    house.judge(house.handed_in(), BlockOutcome.INVALID)
    assert answer.result(0) is MinerRefusal.BLOCK_REJECTED


def test_whoever_waits_for_a_block_that_lost_the_race_gets_the_next_one(house: MinerStage) -> None:
    answer = house.ask_soon(GenerateBlock())
    house.solve(house.offer())
    late = house.handed_in()
    house.tell(TipChanged(NEXT_TIP))
    house.judge(late, BlockOutcome.SIDE_BRANCH)
    assert not answer.done()
    house.solve(house.offer())
    block = house.handed_in()
    house.judge(block, BlockOutcome.CONNECTED)
    assert block.parent_hash == NEXT_TIP.hash
    assert answer.result(0) == block.ref
    assert (house.info.blocks_found, house.info.blocks_stale) == (1, 1)


def test_a_new_tip_only_moves_the_block_to_be_generated(house: MinerStage) -> None:
    answer = house.ask_soon(GenerateBlock())
    house.offer()
    house.tell(TipChanged(NEXT_TIP))
    house.solve(house.offer())
    house.judge(house.handed_in(), BlockOutcome.CONNECTED)
    assert answer.result(0).number == 12


def test_a_generated_block_waits_for_what_is_pooled_when_the_tip_moves(house: MinerStage) -> None:
    payment = transfer(ALICE, BOB.public, 0, 5)
    answer = house.ask_soon(GenerateBlock())
    assert house.asked() == 1
    house.tell(TipChanged(NEXT_TIP))
    assert house.engine.take() == []
    house.solve(house.offer(payment))
    block = house.handed_in()
    assert block.transactions == (payment,)
    house.judge(block, BlockOutcome.CONNECTED)
    assert answer.result(0).number == 12


def test_a_generate_goes_before_mining_which_then_goes_on(mining: MinerStage) -> None:
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


def test_stop_answers_those_who_wait_but_not_the_one_that_is_being_judged(
    house: MinerStage,
) -> None:
    first, second = (house.ask_soon(GenerateBlock()) for _ in range(2))
    house.solve(house.offer())
    house.ask(StopMining())
    assert (first.done(), second.result(0)) == (False, MinerRefusal.STOPPED)
    block = house.handed_in()
    house.judge(block, BlockOutcome.CONNECTED)
    assert first.result(0) == block.ref


@pytest.mark.parametrize("ending", ["stop", "crash"])
def test_the_end_of_the_actor_answers_everybody(house: MinerStage, ending: str) -> None:
    answers = [house.ask_soon(GenerateBlock()) for _ in range(2)]
    house.solve(house.offer())
    if ending == "stop":
        house.actor.halt()
        house.pump.run_until_idle()
    else:
        house.actor.on_crash()
    assert [answer.result(0) for answer in answers] == [MinerRefusal.STOPPED] * 2


# -- with the simulated engine -------------------------------------------------------------------------


def test_the_simulated_engine_finds_blocks_in_simulated_time() -> None:
    house = MinerStage(simulated=True)
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


def test_a_block_that_nobody_waits_for_any_more_is_not_mined(house: MinerStage) -> None:
    gone = [house.ask_soon(GenerateBlock(token="gone")) for _ in range(2)]
    stays = house.ask_soon(GenerateBlock(THEIRS, token="stays"))
    first = house.offer()
    house.tell(AbandonGenerate("gone"))
    assert [answer.result(0) for answer in gone] == [MinerRefusal.STOPPED] * 2
    job = house.offer()
    assert job.job_id > first.job_id
    house.solve(first)
    assert house.chain.messages == []
    house.solve(job)
    house.judge(house.handed_in(), BlockOutcome.CONNECTED)
    assert not isinstance(stays.result(0), MinerRefusal)
    assert house.asked() == 0


def test_abandoning_what_is_done_or_unknown_changes_nothing(mining: MinerStage) -> None:
    mining.offer()
    mining.engine.take()
    mining.tell(AbandonGenerate("nobody"))
    assert (mining.engine.take(), mining.asked()) == ([], 0)
