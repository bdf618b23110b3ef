"""The miner actor alone: the commands that it follows or refuses, the templates that it scans."""

from __future__ import annotations

import pytest

from actors.chain.messages import TipChanged
from actors.config import MAX_THREADS, MinerSettings
from actors.ledger.types import Account
from actors.mempool.messages import Candidates, GetCandidates, PoolChanged
from actors.miner.actor import REFRESH_EVERY_S
from actors.miner.engine import ScanJob, ScanProgress
from actors.miner.messages import (
    GenerateBlock,
    MinerChanged,
    MinerInfo,
    MinerRefusal,
    StartMining,
    StopMining,
    UpdateMiner,
)
from tests.support.ledger import transfer
from tests.support.miner_stage import ALICE, BOB, EASY, MINE, NEXT_TIP, THEIRS, TIP, MinerStage

NOT_A_KEY = b"\x02".ljust(32, b"\0")


@pytest.fixture
def house() -> MinerStage:
    return MinerStage()


@pytest.fixture
def mining() -> MinerStage:
    return MinerStage.mining()


# -- start and stop ---------------------------------------------------------------------------------


def test_a_miner_is_idle_until_it_is_told_to_mine(house: MinerStage) -> None:
    house.tell(TipChanged(NEXT_TIP))
    house.tell(PoolChanged(1))
    assert (house.asked(), house.engine.take()) == (0, [])
    assert house.info == MinerInfo(False, 1, MINE, 0.0, 0, 0, 0, None, "idle", True, "for a test")


def test_mining_scans_a_block_on_the_tip_with_the_mempools_candidates(mining: MinerStage) -> None:
    (question,) = mining.mempool.messages
    assert question == GetCandidates(EASY.max_transactions_per_block, mining.miner)
    tx = transfer(ALICE, BOB.public, 0, 5)
    template = mining.offer(tx).template
    text = template.prefix + b"0" + template.suffix
    assert text == b"11:0:%b:%b:%b" % (TIP.hash.hex().encode(), MINE.hex().encode(), tx.raw)
    assert template.difficulty == EASY.difficulty
    assert (mining.info.mining, mining.info.template_height) == (True, 11)
    assert mining.told_events() == [MinerChanged(mining=True)]


def test_a_candidate_that_is_not_valid_on_the_tip_is_left_out(mining: MinerStage) -> None:
    template = mining.offer(transfer(ALICE, BOB.public, 3, 5)).template
    assert template.suffix.endswith(MINE.hex().encode())


def test_a_node_configured_to_mine_does_so_from_the_start() -> None:
    house = MinerStage(settings=MinerSettings(mine=True, threads=2, coinbase=MINE))
    assert house.asked() == 1
    house.tell(Candidates(1, ()))
    threads, job = house.engine.take()
    assert threads == 2
    assert isinstance(job, ScanJob)


def test_a_node_configured_to_mine_for_nobody_stays_idle() -> None:
    house = MinerStage(settings=MinerSettings(mine=True))
    assert (house.asked(), house.info.mining) == (0, False)


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (StartMining(threads=0), MinerRefusal.BAD_THREADS),
        (StartMining(threads=MAX_THREADS + 1), MinerRefusal.BAD_THREADS),
        (StartMining(coinbase=b""), MinerRefusal.NO_COINBASE),
        (StartMining(coinbase=NOT_A_KEY), MinerRefusal.BAD_COINBASE),
        (UpdateMiner(threads=0), MinerRefusal.BAD_THREADS),
        (UpdateMiner(threads=MAX_THREADS + 1), MinerRefusal.BAD_THREADS),
        (UpdateMiner(coinbase=b""), MinerRefusal.NO_COINBASE),
        (UpdateMiner(coinbase=NOT_A_KEY), MinerRefusal.BAD_COINBASE),
        (GenerateBlock(coinbase=b""), MinerRefusal.NO_COINBASE),
        (GenerateBlock(coinbase=NOT_A_KEY), MinerRefusal.BAD_COINBASE),
    ],
)
def test_a_command_that_cannot_be_followed_is_refused(
    house: MinerStage, command: object, refusal: MinerRefusal
) -> None:
    assert house.ask(command) is refusal
    assert (house.info.mining, house.asked()) == (False, 0)


def test_mining_without_any_coinbase_is_refused() -> None:
    house = MinerStage(settings=MinerSettings())
    assert house.ask(StartMining()) is MinerRefusal.NO_COINBASE
    assert house.ask(StartMining(coinbase=MINE)) is None


def test_an_engine_that_the_system_refuses_ends_mining_and_the_miner_lives(
    house: MinerStage,
) -> None:
    house.engine.exhausted = True
    waiting = house.ask_soon(GenerateBlock())
    assert house.ask(StartMining()) is None
    house.tell(Candidates(1, ()))
    assert house.info.mining is False
    assert house.orders.settings.mine is False
    assert waiting.result(0) is MinerRefusal.STOPPED
    house.engine.exhausted = False
    assert house.ask(StartMining(threads=1)) is None
    house.tell(Candidates(1, ()))
    assert isinstance(house.engine.take()[-1], ScanJob)


def test_what_it_was_told_last_outlives_the_miner(house: MinerStage) -> None:
    assert house.ask(StartMining(threads=3, coinbase=THEIRS)) is None
    assert house.orders.settings == MinerSettings(mine=True, threads=3, coinbase=THEIRS)
    house.ask(StopMining())
    assert house.orders.settings == MinerSettings(mine=False, threads=3, coinbase=THEIRS)


def test_another_coinbase_replaces_the_job(mining: MinerStage) -> None:
    mining.offer()
    assert mining.ask(StartMining(coinbase=THEIRS)) is None
    assert THEIRS.hex().encode() in mining.offer().template.suffix
    assert mining.told_events() == [MinerChanged(mining=True)]


def test_another_number_of_threads_goes_on_with_the_job(mining: MinerStage) -> None:
    mining.offer()
    assert mining.ask(StartMining(threads=3)) is None
    assert mining.engine.take() == [3]
    assert (mining.info.threads, mining.info.template_height, mining.asked()) == (3, 11, 0)


def test_an_update_of_the_threads_does_not_touch_the_job(mining: MinerStage) -> None:
    mining.offer()
    assert mining.ask(UpdateMiner(threads=4)) is None
    assert mining.engine.take() == [4]
    assert (mining.info.threads, mining.info.coinbase, mining.asked()) == (4, MINE, 0)
    assert mining.ask(UpdateMiner(threads=4)) is None
    assert mining.engine.take() == []


def test_an_update_of_the_coinbase_replaces_the_job_at_once(mining: MinerStage) -> None:
    tx = transfer(ALICE, BOB.public, 0, 5)
    mining.offer(tx)
    assert mining.ask(UpdateMiner(coinbase=THEIRS)) is None
    (job,) = mining.engine.take()
    assert isinstance(job, ScanJob)
    assert job.template.suffix.endswith(THEIRS.hex().encode() + b":" + tx.raw)
    assert (mining.info.threads, mining.info.coinbase) == (1, THEIRS)


@pytest.mark.parametrize("command", [UpdateMiner(coinbase=THEIRS), StartMining(coinbase=THEIRS)])
def test_no_late_nonce_pays_a_coinbase_that_was_replaced(
    mining: MinerStage, command: object
) -> None:
    job = mining.offer()
    assert mining.ask(command) is None
    mining.solve(job)
    assert mining.chain.take() == []
    mining.solve(mining.offer())
    assert mining.handed_in().coinbase == THEIRS


def test_another_coinbase_leaves_a_block_that_somebody_waits_for_alone(mining: MinerStage) -> None:
    job = mining.offer()
    mining.ask_soon(GenerateBlock(coinbase=MINE))
    assert mining.asked() == 1
    assert mining.ask(UpdateMiner(coinbase=THEIRS)) is None
    assert mining.asked() == 1
    assert mining.engine.take() == [], "the scan goes on"
    mining.solve(job)
    assert mining.handed_in().coinbase == MINE


def test_an_update_of_an_idle_miner_is_for_when_it_starts(house: MinerStage) -> None:
    assert house.ask(UpdateMiner(threads=2, coinbase=THEIRS)) is None
    assert (house.info.mining, house.asked(), house.engine.take()) == (False, 0, [2])
    assert house.ask(StartMining()) is None
    assert THEIRS.hex().encode() in house.offer().template.suffix


def test_an_update_takes_over_both_or_none(mining: MinerStage) -> None:
    mining.offer()
    assert mining.ask(UpdateMiner(threads=3, coinbase=NOT_A_KEY)) is MinerRefusal.BAD_COINBASE
    assert mining.ask(UpdateMiner(threads=0, coinbase=THEIRS)) is MinerRefusal.BAD_THREADS
    assert (mining.info.threads, mining.info.coinbase) == (1, MINE)
    assert mining.engine.take() == []


def test_a_number_of_threads_that_the_system_refuses_changes_nothing(mining: MinerStage) -> None:
    mining.offer()
    mining.engine.exhausted = True
    assert mining.ask(UpdateMiner(threads=200, coinbase=THEIRS)) is MinerRefusal.BAD_THREADS
    assert (mining.info.mining, mining.info.threads, mining.info.coinbase) == (True, 1, MINE)
    assert mining.engine.take() == []


def test_an_update_outlives_the_miner(mining: MinerStage) -> None:
    mining.ask(UpdateMiner(threads=5, coinbase=THEIRS))
    settings = mining.orders.settings
    assert settings == MinerSettings(mine=True, threads=5, coinbase=THEIRS)
    heir = MinerStage(settings=settings)
    assert (heir.info.mining, heir.info.threads, heir.info.coinbase) == (True, 5, THEIRS)
    assert heir.engine.take() == [5]


def test_what_is_counted_after_a_stop_shows_in_the_count_and_not_in_the_rate(
    mining: MinerStage,
) -> None:
    job = mining.offer()
    mining.ask(StopMining())
    mining.tell(ScanProgress(job.job_id, 700))
    mining.pump.run_for(1.0)
    assert (mining.info.hashes, mining.info.hash_rate) == (700, 0.0)


def test_a_stop_cancels_at_once_and_forgets_what_comes_late(mining: MinerStage) -> None:
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


def test_the_engine_ends_with_the_actor_in_order_or_not(mining: MinerStage) -> None:
    mining.offer()
    mining.actor.on_crash()
    assert mining.engine.take() == ["stop"]
    mining.actor.halt()
    mining.pump.run_until_idle()
    assert mining.engine.take() == ["stop"]


def test_timers_end_with_the_actor(mining: MinerStage) -> None:
    mining.offer()
    mining.tell(PoolChanged(2))
    mining.actor.halt()
    mining.pump.run_until_idle()
    assert mining.clock.next_due_s() is None


# -- templates --------------------------------------------------------------------------------------


def test_a_new_tip_abandons_the_scan_and_begins_the_next_without_waiting_for_the_mempool(
    mining: MinerStage,
) -> None:
    included, waiting = transfer(ALICE, BOB.public, 0, 1), transfer(BOB, ALICE.public, 0, 1)
    mining.offer(included, waiting)
    mining.accounts[ALICE.public] = Account(99, 1)
    mining.tell(TipChanged(NEXT_TIP))
    abandoned, job = mining.engine.take()
    assert abandoned == "cancel"
    assert isinstance(job, ScanJob)
    assert job.template.prefix == b"12:"
    assert job.template.suffix.endswith(MINE.hex().encode() + b":" + waiting.raw)
    later = transfer(ALICE, BOB.public, 1, 1)
    assert mining.offer(waiting, later).template.suffix.endswith(later.raw)


def test_candidates_that_were_known_already_throw_no_work_on_a_new_tip_away(
    mining: MinerStage,
) -> None:
    tx = transfer(ALICE, BOB.public, 0, 1)
    mining.offer(tx)
    mining.tell(TipChanged(NEXT_TIP))
    mining.engine.take()
    mining.tell(Candidates(2, (tx,)))
    assert mining.engine.take() == []


def test_no_flood_of_pool_changes_delays_the_job_for_a_new_tip(mining: MinerStage) -> None:
    """The pump hands out messages one by one: what is told before the tip is handled before it."""
    mining.offer()
    for revision in range(2, 5_002):
        mining.miner.tell(PoolChanged(revision))
    mining.miner.tell(TipChanged(NEXT_TIP))
    for revision in range(5_002, 10_002):
        mining.miner.tell(PoolChanged(revision))
    began_s = mining.clock.now_s()
    mining.pump.run_until_idle()
    assert mining.clock.now_s() == began_s
    job = mining.engine.take()[-1]
    assert isinstance(job, ScanJob)
    assert job.template.prefix == b"12:"
    assert mining.asked() == 1, "the mempool is asked for the tip, not for each change"


def test_the_same_tip_again_changes_nothing(mining: MinerStage) -> None:
    mining.offer()
    mining.tell(TipChanged(TIP))
    assert (mining.asked(), mining.engine.take()) == (0, [])


def test_a_changed_pool_refreshes_the_template_at_most_every_second(mining: MinerStage) -> None:
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


def test_candidates_that_give_the_same_block_throw_no_work_away(mining: MinerStage) -> None:
    mining.offer()
    mining.tell(Candidates(2, ()))
    mining.tell(Candidates(3, (transfer(ALICE, BOB.public, 5, 1),)))
    assert mining.engine.take() == []


def test_a_nonce_found_just_before_a_refresh_still_counts(mining: MinerStage) -> None:
    former = mining.offer()
    mining.pump.run_for(REFRESH_EVERY_S)
    mining.tell(PoolChanged(2))
    mining.offer(transfer(ALICE, BOB.public, 0, 1))
    mining.solve(former)
    assert mining.handed_in().transactions == ()


def test_a_job_older_than_the_last_two_is_forgotten(mining: MinerStage) -> None:
    former = mining.offer()
    for nonce in range(2):
        mining.tell(
            Candidates(2, tuple(transfer(ALICE, BOB.public, n, 1) for n in range(nonce + 1)))
        )
    mining.solve(former)
    assert mining.chain.take() == []
