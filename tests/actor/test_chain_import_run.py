"""Runs of blocks that the user hands over."""

from __future__ import annotations

from actors.chain.messages import BlockOutcome, BlockVerdict, ImportRun
from actors.ledger.types import Block
from actors.ledger.violation import Rule
from tests.support.chain_stage import ChainStage
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, raws, transfer, workless

CHAIN = mine_chain(EASY, EASY.genesis.ref, 5)
OTHER = mine_chain(EASY, CHAIN[1].ref, 2, BOB.public)


def import_run(stage: ChainStage, *blocks: Block | bytes) -> tuple[BlockVerdict, ...]:
    given = tuple(each if isinstance(each, bytes) else each.raw for each in blocks)
    return stage.pump.ask(stage.chain, ImportRun(given))


def outcomes(verdicts: tuple[BlockVerdict, ...]) -> list[BlockOutcome]:
    return [verdict.outcome for verdict in verdicts]


def test_a_run_becomes_the_chain_in_one_change_and_is_gossiped() -> None:
    stage = ChainStage()
    stage.forget()
    assert outcomes(import_run(stage, *CHAIN)) == [BlockOutcome.CONNECTED] * 5
    (change,) = stage.changes()
    assert change.connected == CHAIN
    assert stage.published() == [CHAIN[-1].raw]


def test_known_blocks_are_known_and_the_rest_is_taken() -> None:
    stage = ChainStage(*CHAIN[:3])
    found = outcomes(import_run(stage, *CHAIN))
    assert found == [BlockOutcome.KNOWN] * 3 + [BlockOutcome.CONNECTED] * 2


def test_a_shorter_branch_is_kept_beside_the_chain() -> None:
    stage = ChainStage(*CHAIN)
    assert outcomes(import_run(stage, *OTHER)) == [BlockOutcome.SIDE_BRANCH] * 2
    assert stage.info().tip == CHAIN[-1].ref


def test_blocks_before_an_invalid_one_stay() -> None:
    stage = ChainStage()
    unpaid = mine(EASY, CHAIN[1].ref, BOB.public, [transfer(BOB, ALICE.public, 0, 1)])
    behind = mine(EASY, unpaid.ref)
    verdicts = import_run(stage, *CHAIN[:2], unpaid, behind)
    connected, invalid = BlockOutcome.CONNECTED, BlockOutcome.INVALID
    assert outcomes(verdicts) == [connected, connected, invalid, invalid]
    assert verdicts[2].violation is not None
    assert verdicts[2].violation.rule is Rule.BALANCE
    assert stage.info().tip == CHAIN[1].ref


def test_a_block_without_work_is_invalid() -> None:
    stage = ChainStage()
    (verdict,) = import_run(stage, workless(EASY, EASY.genesis.ref))
    assert verdict.violation is not None
    assert verdict.violation.rule is Rule.WORK


def test_what_is_no_block_ends_the_run() -> None:
    stage = ChainStage()
    verdicts = import_run(stage, CHAIN[0], b"x", CHAIN[1])
    assert outcomes(verdicts) == [BlockOutcome.CONNECTED, BlockOutcome.INVALID]
    assert verdicts[1].hash is None
    assert stage.info().tip == CHAIN[0].ref


def test_a_block_out_of_order_ends_the_run() -> None:
    stage = ChainStage()
    verdicts = import_run(stage, CHAIN[0], CHAIN[2], CHAIN[1])
    assert outcomes(verdicts) == [BlockOutcome.CONNECTED, BlockOutcome.INVALID]
    assert verdicts[1].hash == CHAIN[2].hash
    assert verdicts[1].violation is not None
    assert verdicts[1].violation.rule is Rule.PARENT
    assert stage.info().tip == CHAIN[0].ref, "what stands behind it is not taken"


def test_a_run_on_nothing_is_let_go_and_searched_for_by_nobody() -> None:
    stage = ChainStage()
    stage.forget()
    assert outcomes(import_run(stage, *CHAIN[3:])) == [BlockOutcome.ORPHAN] * 2
    assert stage.info().orphans == 0
    assert stage.search.take() == []


def test_held_blocks_join_a_run_that_they_stand_on() -> None:
    stage = ChainStage()
    stage.gossiped_raw(*raws(CHAIN[3:]))
    import_run(stage, *CHAIN[:3])
    stage.pump.run_until_idle()
    assert stage.info().tip == CHAIN[-1].ref
