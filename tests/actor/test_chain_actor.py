"""The chain actor alone: blocks one by one, people's questions, requests of peers, its life."""

import sqlite3
from pathlib import Path

import pytest

from actors.chain import wire
from actors.chain.messages import (
    BlockMined,
    BlockOutcome,
    GetAccount,
    GetBlock,
    GetTransaction,
    ListBlocks,
    MinedVerdict,
    SubmitBlock,
    SyncState,
    TipChanged,
    tip_moved,
)
from actors.gossip.messages import Decision
from actors.ledger.types import Account
from actors.ledger.violation import Rule
from actors.messaging.messages import (
    ANSWER_BUDGET_BYTES,
    Done,
    Inbound,
    MessageType,
    Received,
    Respond,
)
from actors.peers.messages import Resync
from actors.runtime.events import Happened
from actors.search.messages import LookedUp, LookUp
from tests.support.chain_stage import AGENT, CONNS, A, ChainStage
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, raws, transfer, workless
from tests.support.probe import Probe

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 5)
SIDE = mine_chain(EASY, CHAIN[1].ref, 4, BOB.public)
PAY = transfer(ALICE, BOB.public, 0, 30)
PAYING = mine(EASY, CHAIN[4].ref, ALICE.public, [PAY])


# -- start and restart ------------------------------------------------------------------------------


def test_at_start_the_tip_is_told_and_links_are_asked_for() -> None:
    chain = ChainStage()
    at_start = TipChanged(GENESIS.ref)
    assert chain.mempool.messages == [at_start]
    assert chain.miner.messages == [at_start]
    assert chain.peers.messages == [Resync(chain.chain)]
    assert chain.events.messages == []


def test_a_restart_continues_at_the_committed_tip(tmp_path: Path) -> None:
    before = ChainStage(*CHAIN, path=tmp_path / "chain.db")
    before.pump.kill(before.chain._mailbox)
    after = ChainStage(path=tmp_path / "chain.db")
    assert after.mempool.messages == [TipChanged(CHAIN[-1].ref)]
    assert after.info().tip == CHAIN[-1].ref


def test_a_fall_in_the_middle_of_a_commit_leaves_the_store_to_the_next_incarnation() -> None:
    chain = ChainStage(*CHAIN[:2])
    chain.store._db.execute(
        "CREATE TEMP TRIGGER disk BEFORE INSERT ON accounts BEGIN SELECT RAISE (FAIL, 'full'); END"
    )
    with pytest.raises(sqlite3.IntegrityError):
        chain.gossiped(CHAIN[2])
    assert chain.changes() == [], "nothing is told that is not committed"
    chain.store._db.execute("DROP TRIGGER disk")
    after = ChainStage(store=chain.store)
    assert after.mempool.messages == [TipChanged(CHAIN[1].ref)]
    assert after.gossiped(CHAIN[2]) == [Decision.RELAY]


# -- gossip -----------------------------------------------------------------------------------------


def test_a_connected_block_is_committed_told_and_relayed() -> None:
    chain = ChainStage()
    chain.forget()
    assert chain.gossiped(CHAIN[0]) == [Decision.RELAY]
    change = TipChanged(CHAIN[0].ref, (CHAIN[0],))
    assert chain.mempool.messages == [change]
    assert chain.miner.messages == [change]
    assert chain.events.messages == [Happened(tip_moved(change), 2)]
    assert chain.published() == [], "the relay is enough"


def test_each_item_of_a_batch_has_its_verdict() -> None:
    chain = ChainStage()
    bad = mine(EASY, CHAIN[0].ref, transactions=[transfer(BOB, ALICE.public, 3, 1)])
    payloads = (CHAIN[0].raw, b"rubbish", CHAIN[0].raw, CHAIN[2].raw, bad.raw, CHAIN[1].raw)
    assert chain.gossiped_raw(*payloads) == [
        Decision.RELAY,
        Decision.FINAL,
        Decision.FINAL,
        Decision.DROP,
        Decision.FINAL,
        Decision.RELAY,
    ]


def test_a_block_without_work_is_final_and_never_held() -> None:
    chain = ChainStage()
    assert chain.gossiped(workless(EASY, CHAIN[3].ref)) == [Decision.FINAL]
    assert chain.info().orphans == 0


def test_a_side_branch_is_not_relayed_until_it_is_the_longest() -> None:
    chain = ChainStage(*CHAIN[:4])
    assert chain.gossiped(*SIDE[:2]) == [Decision.DROP, Decision.DROP]
    assert chain.info().side_blocks == 2
    assert chain.changes() == []
    assert chain.gossiped(SIDE[2]) == [Decision.RELAY]
    (change,) = chain.changes()
    assert change == TipChanged(SIDE[2].ref, SIDE[:3], (CHAIN[3], CHAIN[2]))
    assert chain.info().side_blocks == 2


def test_an_orphan_is_connected_when_its_parent_comes_and_the_new_tip_is_gossiped_once() -> None:
    chain = ChainStage()
    assert chain.gossiped(CHAIN[2], CHAIN[1]) == [Decision.DROP, Decision.DROP]
    assert chain.info().sync is SyncState.WALKING_BACK
    assert chain.gossiped(CHAIN[0]) == [Decision.RELAY]
    assert chain.info().tip == CHAIN[2].ref
    assert chain.info().orphans == 0
    assert chain.published() == [CHAIN[2].raw]


# -- our own blocks ---------------------------------------------------------------------------------


def test_a_mined_block_is_answered_and_published() -> None:
    chain = ChainStage()
    miner = Probe(chain.pump, "reply")
    chain.tell(BlockMined(CHAIN[0], miner.address))
    (answer,) = miner.of(MinedVerdict)
    assert answer.verdict.outcome is BlockOutcome.CONNECTED
    assert chain.published() == [CHAIN[0].raw]


def test_a_stale_mined_block_is_a_side_branch_and_not_published() -> None:
    chain = ChainStage(*CHAIN[:2])
    miner = Probe(chain.pump, "reply")
    chain.tell(BlockMined(mine(EASY, CHAIN[0].ref, BOB.public), miner.address))
    assert miner.of(MinedVerdict)[0].verdict.outcome is BlockOutcome.SIDE_BRANCH
    assert chain.published() == []


def test_a_submitted_block_is_taken_like_a_mined_one() -> None:
    chain = ChainStage()
    for block, outcome in (
        (CHAIN[0], BlockOutcome.CONNECTED),
        (CHAIN[0], BlockOutcome.KNOWN),
        (CHAIN[3], BlockOutcome.ORPHAN),
    ):
        assert chain.pump.ask(chain.chain, SubmitBlock(block.raw)).outcome is outcome
    assert chain.published() == [CHAIN[0].raw]


def test_a_submitted_block_that_is_invalid_names_the_rule() -> None:
    chain = ChainStage()
    malformed = chain.pump.ask(chain.chain, SubmitBlock(b"rubbish"))
    assert malformed.outcome is BlockOutcome.INVALID
    assert malformed.hash is None
    assert malformed.violation is not None
    assert malformed.violation.rule is Rule.MALFORMED
    lazy = workless(EASY, GENESIS.ref)
    verdict = chain.pump.ask(chain.chain, SubmitBlock(lazy.raw))
    assert verdict.hash == lazy.hash
    assert verdict.violation is not None
    assert verdict.violation.rule is Rule.WORK


def test_a_block_can_be_validated_without_being_taken() -> None:
    chain = ChainStage(CHAIN[0])
    question = SubmitBlock(CHAIN[1].raw, validate_only=True)
    assert chain.pump.ask(chain.chain, question).outcome is BlockOutcome.VALID
    orphan = SubmitBlock(CHAIN[3].raw, validate_only=True)
    assert chain.pump.ask(chain.chain, orphan).outcome is BlockOutcome.ORPHAN
    assert chain.info().tip == CHAIN[0].ref
    assert chain.info().orphans == 0
    assert chain.changes() == []
    assert chain.published() == []


# -- people's questions -----------------------------------------------------------------------------


def test_the_chain_is_described() -> None:
    chain = ChainStage(*CHAIN)
    info = chain.info()
    assert (info.tip, info.genesis_hash, info.sync) == (CHAIN[4].ref, GENESIS.hash, SyncState.IDLE)
    assert (info.supply, info.best_known_height, info.orphans, info.side_blocks) == (500, 5, 0, 0)


def test_a_block_is_found_by_hash_and_by_number() -> None:
    chain = ChainStage(*CHAIN, SIDE[0])
    by_number = chain.pump.ask(chain.chain, GetBlock(number=2))
    assert by_number is not None
    assert (by_number.block, by_number.canonical, by_number.confirmations) == (CHAIN[1], True, 4)
    assert chain.pump.ask(chain.chain, GetBlock(hash=CHAIN[1].hash)) == by_number
    side = chain.pump.ask(chain.chain, GetBlock(hash=SIDE[0].hash))
    assert side is not None
    assert (side.canonical, side.confirmations) == (False, 0)


@pytest.mark.parametrize("number", [6, -1, 2**63, 2**80])
def test_a_number_that_no_block_has_finds_nothing(number: int) -> None:
    chain = ChainStage(*CHAIN)
    assert chain.pump.ask(chain.chain, GetBlock(number=number)) is None
    assert chain.pump.ask(chain.chain, GetAccount(ALICE.public, number)) is None


def test_blocks_are_listed_downwards() -> None:
    chain = ChainStage(*CHAIN)

    def listed(start: int, limit: int) -> list[int]:
        views = chain.pump.ask(chain.chain, ListBlocks(start, limit))
        return [view.block.number for view in views]

    assert listed(3, 2) == [3, 2]
    assert listed(2**70, 3) == [5, 4, 3]
    assert listed(1, 10) == [1, 0]
    assert listed(-1, 10) == []
    assert listed(3, 0) == []


def test_a_transaction_is_found_with_its_block() -> None:
    chain = ChainStage(*CHAIN, PAYING)
    view = chain.pump.ask(chain.chain, GetTransaction(PAY.id))
    assert view is not None
    assert (view.transaction, view.block, view.index, view.confirmations) == (
        PAY,
        PAYING.ref,
        0,
        1,
    )
    assert chain.pump.ask(chain.chain, GetTransaction(b"x" * 32)) is None


def test_an_account_is_told_now_and_as_of_a_block() -> None:
    chain = ChainStage(*CHAIN, PAYING)
    now = chain.pump.ask(chain.chain, GetAccount(ALICE.public))
    assert now is not None
    assert (now.account, now.at) == (Account(570, 1), PAYING.ref)
    before = chain.pump.ask(chain.chain, GetAccount(ALICE.public, 2))
    assert before is not None
    assert (before.account, before.at) == (Account(200, 0), CHAIN[1].ref)
    nobody = chain.pump.ask(chain.chain, GetAccount(b"n" * 32))
    assert nobody is not None
    assert nobody.account == Account()


# -- requests of peers and look-ups -----------------------------------------------------------------


def test_a_status_is_answered_and_what_it_tells_is_taken() -> None:
    chain = ChainStage(*CHAIN[:2])
    chain.link(A)
    (answer,) = chain.ask_by_wire(A, wire.STATUS_KIND, chain.status_of(CHAIN[1]))
    assert isinstance(answer, Respond)
    expected = wire.Status("easy", GENESIS.hash, 2, CHAIN[1].hash, AGENT)
    assert wire.decode_status(answer.payload) == expected
    assert (answer.conn, answer.message_id) == (CONNS[A], 7)


def test_blocks_after_the_newest_common_one_are_served() -> None:
    chain = ChainStage(*CHAIN)
    for locator, blocks in (
        ([CHAIN[1].hash, GENESIS.hash], CHAIN[2:]),
        ([SIDE[0].hash, GENESIS.hash], CHAIN),
        ([CHAIN[4].hash], ()),
        ([b"x" * 32], ()),
    ):
        (answer,) = chain.ask_by_wire(A, wire.GET_BLOCKS_KIND, wire.encode_locator(locator))
        assert isinstance(answer, Respond)
        assert answer.payload == wire.encode_batch(raws(blocks))


def test_only_canonical_blocks_are_served_to_a_locator() -> None:
    chain = ChainStage(*CHAIN, SIDE[0])
    locator = wire.encode_locator([SIDE[0].hash, CHAIN[0].hash])
    (answer,) = chain.ask_by_wire(A, wire.GET_BLOCKS_KIND, locator)
    assert isinstance(answer, Respond)
    assert answer.payload == wire.encode_batch(raws(CHAIN[1:]))


def test_what_gets_no_answer_gives_its_credit_back_in_one_message() -> None:
    chain = ChainStage()

    def inbound(kind: str, of_type: MessageType = MessageType.REQUEST) -> Inbound:
        return Inbound(CONNS[A], of_type, 1, kind, b"rubbish")

    chain.tell(
        Received(
            (
                inbound(wire.GET_BLOCKS_KIND),
                inbound("chain:unknown"),
                inbound(wire.STATUS_KIND, MessageType.REGULAR),
            )
        )
    )
    assert chain.messaging.messages == [Done(CONNS[A], 3)]


def test_any_connected_block_is_looked_up_but_no_orphan_and_no_invalid_one() -> None:
    chain = ChainStage(*CHAIN, SIDE[0])
    bad = mine(EASY, CHAIN[4].ref, transactions=[transfer(BOB, ALICE.public, 3, 1)])
    far = mine(EASY, mine(EASY, SIDE[3].ref).ref)
    chain.gossiped(bad, far)
    for ticket, (query, answer) in enumerate(
        (
            (CHAIN[2].hash, CHAIN[2].raw),
            (SIDE[0].hash, SIDE[0].raw),
            (GENESIS.hash, GENESIS.raw),
            (bad.hash, None),
            (far.hash, None),
            (b"short", None),
        )
    ):
        chain.tell(LookUp(ticket, query, chain.provided.address))
        assert chain.provided.take() == [LookedUp(ticket, answer)]


def test_a_flood_of_requests_is_answered_within_the_budget_for_a_batch() -> None:
    chain = ChainStage(*CHAIN)
    locator = wire.encode_locator((GENESIS.hash,))
    whole = len(wire.encode_batch(raws(CHAIN)))
    flood = tuple(
        Inbound(CONNS[A], MessageType.REQUEST, number, wire.GET_BLOCKS_KIND, locator)
        for number in range(2 * ANSWER_BUDGET_BYTES // whole)
    )
    chain.tell(Received(flood))
    answered = len(chain.messaging.of(Respond))
    assert answered == -(-ANSWER_BUDGET_BYTES // whole)
    assert chain.messaging.of(Done) == [Done(CONNS[A], len(flood) - answered)]
