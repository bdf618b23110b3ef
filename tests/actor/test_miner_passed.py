"""A miner whose block the operator invalidated: it must not find the very same one again and again."""

from __future__ import annotations

from actors.chain.messages import BlockOutcome, TipChanged
from actors.mempool.messages import Candidates
from actors.miner.engine import ScanFound, ScanJob
from actors.miner.messages import GenerateBlock
from actors.miner.scan import scan
from tests.support.miner_stage import MINE, NEXT_TIP, TIP, MinerStage


def newest_job(house: MinerStage) -> ScanJob:
    """Answer a question for candidates if there is one; what the engine works on."""
    if house.asked():
        house.tell(Candidates(1, ()))
    return next(order for order in reversed(house.engine.take()) if isinstance(order, ScanJob))


def solve(house: MinerStage, job: ScanJob) -> int:
    """Find the first nonce of a job; which it is."""
    nonce, _ = scan(job.template, job.first, 10_000, lambda: False)
    assert nonce is not None
    house.tell(ScanFound(job.job_id, nonce, 1))
    return nonce


def test_the_scan_goes_on_behind_a_block_that_is_not_followed() -> None:
    house = MinerStage.mining()
    job = newest_job(house)
    found: list[int] = []
    for _ in range(3):
        found.append(solve(house, job))
        house.judge(house.handed_in(), BlockOutcome.INVALIDATED)
        job = newest_job(house)
        assert job.first == found[-1] + 1
    assert found == sorted(set(found))
    assert house.info.blocks_stale == 3


def test_another_template_is_scanned_from_the_beginning() -> None:
    house = MinerStage.mining()
    passed = solve(house, newest_job(house))
    house.judge(house.handed_in(), BlockOutcome.INVALIDATED)
    house.tell(TipChanged(NEXT_TIP))
    assert newest_job(house).first == 0
    house.tell(TipChanged(TIP))
    assert newest_job(house).first == passed + 1, "and the one before where it was"


def test_whoever_waits_for_a_block_gets_the_next_one() -> None:
    house = MinerStage()
    waiting = house.ask_soon(GenerateBlock(MINE, "me"))
    solve(house, newest_job(house))
    first = house.handed_in()
    house.judge(first, BlockOutcome.INVALIDATED)
    assert not waiting.done()
    solve(house, newest_job(house))
    second = house.handed_in()
    assert second != first
    house.judge(second, BlockOutcome.CONNECTED)
    assert waiting.result() == second.ref
