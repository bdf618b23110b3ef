"""The miner while no block can be stored: it rests, says so to whoever waits, and goes on by itself."""

from __future__ import annotations

from actors.chain.messages import BlockOutcome, StoreFault, TipChanged
from actors.mempool.messages import PoolChanged
from actors.miner.engine import ScanJob
from actors.miner.messages import GenerateBlock, MinerRefusal, StartMining
from tests.support.miner_stage import NEXT_TIP, MinerStage

FAULT = StoreFault("the disk is full")
NO_FAULT = StoreFault(None)


def test_it_scans_for_nothing_while_no_block_can_be_stored_and_goes_on_when_one_can() -> None:
    house = MinerStage.mining()
    late = house.offer()
    house.tell(FAULT)
    assert house.engine.take() == ["cancel"]
    house.tell(PoolChanged(2))
    house.tell(TipChanged(NEXT_TIP))
    house.solve(late)
    assert (house.asked(), house.engine.take(), house.chain.take()) == (0, [], [])
    assert house.info.mining  # so it was told, and so it is
    assert house.info.hash_rate == 0
    house.tell(NO_FAULT)
    assert isinstance(house.engine.take()[0], ScanJob)


def test_a_block_that_cannot_be_stored_is_neither_found_nor_stale_and_pauses_a_miner_begun_since() -> (
    None
):
    house = MinerStage.mining()
    house.solve(house.offer())
    house.judge(house.handed_in(), BlockOutcome.UNSTORED)
    assert (house.info.blocks_found, house.info.blocks_stale) == (0, 0)
    assert house.asked() == 0
    house.tell(NO_FAULT)
    assert house.asked() == 1


def test_whoever_waits_for_a_block_or_asks_for_one_is_refused() -> None:
    house = MinerStage()
    waiting = house.ask_soon(GenerateBlock())
    queued = house.ask_soon(GenerateBlock())
    house.tell(FAULT)
    assert (waiting.result(0), queued.result(0)) == (MinerRefusal.UNSTORED,) * 2
    assert house.ask(GenerateBlock()) is MinerRefusal.UNSTORED


def test_whose_block_was_handed_in_is_refused_with_its_verdict() -> None:
    house = MinerStage()
    waiting = house.ask_soon(GenerateBlock())
    house.solve(house.offer())
    house.tell(FAULT)
    house.judge(house.handed_in(), BlockOutcome.UNSTORED)
    assert waiting.result(0) is MinerRefusal.UNSTORED


def test_an_order_to_mine_is_followed_when_blocks_can_be_stored_again() -> None:
    house = MinerStage()
    house.tell(FAULT)
    assert house.ask(StartMining()) is None
    assert (house.asked(), house.engine.take()) == (0, [])
    house.tell(NO_FAULT)
    assert isinstance(house.engine.take()[0], ScanJob)
