"""The chain actor alone: blocks one by one, what it says of itself, requests of peers, its life."""

import sqlite3
from pathlib import Path

import pytest

from actors.chain import wire
from actors.chain.messages import (
    BlockMined,
    BlockOutcome,
    MinedVerdict,
    StoreFault,
    SubmitBlock,
    SyncState,
    TipChanged,
    tip_moved,
)
from actors.gossip.messages import Decision
from actors.ledger.violation import Rule
from actors.messaging.messages import Done, Inbound, MessageType, Received, RespondBatch
from actors.peers.messages import Classify, Resync
from actors.runtime.events import Happened
from tests.support.chain_stage import AGENT, CONNS, A, ChainStage
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer, workless
from tests.support.probe import Probe

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 5)
SIDE = mine_chain(EASY, CHAIN[1].ref, 4, BOB.public)


# -- start and restart ------------------------------------------------------------------------------


def test_at_start_the_tip_is_told_and_links_are_asked_for() -> None:
    chain = ChainStage()
    at_start = TipChanged(GENESIS.ref)
    assert chain.mempool.messages == [at_start]
    assert chain.miner.messages == [at_start, StoreFault(None)]
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


def test_the_pool_hears_of_a_new_tip_before_what_peers_had_sent_it() -> None:
    chain = ChainStage()
    mailbox = chain.mempool.address._mailbox
    del chain.pump._actors[mailbox]  # it is at work on something
    for number in range(9):
        chain.mempool.address.tell(f"transactions of peer {number}")
    chain.gossiped(CHAIN[0])
    first_two = [mailbox.get().message for _ in range(2)]
    assert TipChanged(CHAIN[0].ref, (CHAIN[0],)) in first_two


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


# -- requests of peers ------------------------------------------------------------------------------


def test_a_status_is_answered_and_what_it_tells_is_taken() -> None:
    chain = ChainStage(*CHAIN[:2])
    chain.link(A)
    (answer,) = chain.ask_by_wire(A, wire.STATUS_KIND, chain.status_of(CHAIN[1]))
    assert isinstance(answer, RespondBatch)
    expected = wire.Status("easy", GENESIS.hash, 2, CHAIN[1].hash, AGENT)
    ((message_id, payload),) = answer.answers
    assert wire.decode_status(payload) == expected
    assert (answer.conn, message_id) == (CONNS[A], 7)


def test_of_a_flood_of_statuses_the_last_is_looked_at_and_all_are_answered() -> None:
    chain = ChainStage(*CHAIN[:2])
    chain.link(A)
    chain.forget()
    statuses = [chain.status_of(CHAIN[n % 2]) for n in range(255)] + [chain.status_of(CHAIN[4])]
    flood = (
        Inbound(CONNS[A], MessageType.REQUEST, n, wire.STATUS_KIND, payload)
        for n, payload in enumerate(statuses)
    )
    chain.tell(Received(tuple(flood)))
    (answer,) = chain.messaging.of(RespondBatch)
    assert [message_id for message_id, _ in answer.answers] == list(range(256))
    assert [(told.peer, told.height) for told in chain.peers.of(Classify)] == [(A, 5)]


def test_what_gets_no_answer_gives_its_credit_back_in_one_message() -> None:
    chain = ChainStage()

    def inbound(kind: str, of_type: MessageType = MessageType.REQUEST) -> Inbound:
        return Inbound(CONNS[A], of_type, 1, kind, b"rubbish")

    chain.tell(
        Received(
            (
                inbound("chain:unknown"),
                inbound(wire.STATUS_KIND, MessageType.REGULAR),
            )
        )
    )
    assert chain.messaging.messages == [Done(CONNS[A], 2, useless=2)]
