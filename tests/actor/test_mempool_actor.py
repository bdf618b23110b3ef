"""The mempool actor alone: what users submit, what the chain changes, what time and restarts do."""

from __future__ import annotations

import pytest

from actors.chain.messages import TipChanged
from actors.config import MempoolSettings
from actors.ledger.types import Account, BlockRef
from actors.mempool.actor import SWEEP_EVERY_S, _Sweep
from actors.mempool.messages import (
    Admission,
    Candidates,
    Eviction,
    EvictTransaction,
    Funds,
    GetCandidates,
    GetFunds,
    GetPool,
    GetPooled,
    ListPooled,
    PoolChanged,
    RemovalReason,
    Submission,
    TransactionAdded,
    TransactionRemoved,
)
from actors.simulation.memory import MemoryJournal
from tests.support.ledger import child, transfer
from tests.support.mempool import ALICE, BOB, PAYEE
from tests.support.mempool_stage import MempoolStage, published
from tests.support.probe import Probe


@pytest.fixture
def house() -> MempoolStage:
    house = MempoolStage()
    house.forget()
    return house


# -- users ----------------------------------------------------------------------------------------


def test_a_users_pending_transaction_is_published_and_told_to_miner_and_events(
    house: MempoolStage,
) -> None:
    tx = transfer(ALICE, PAYEE, 0, 1)
    assert house.submit(tx) == Submission(Admission.PENDING, tx.id)
    assert house.gossip.take() == published(tx)
    assert house.miner.take() == [PoolChanged(1)]
    assert house.told_events() == [TransactionAdded(tx, pending=True)]


def test_a_queued_transaction_is_published_on_its_promotion(house: MempoolStage) -> None:
    early, next_one = transfer(ALICE, PAYEE, 1, 1), transfer(ALICE, PAYEE, 0, 1)
    assert house.submit(early).admission is Admission.QUEUED
    assert house.gossip.take() == []
    assert house.miner.take() == []
    house.submit(next_one)
    assert house.gossip.take() == published(next_one, early)
    assert len(house.miner.take()) == 1


def test_a_validation_only_leaves_no_trace(house: MempoolStage) -> None:
    tx = transfer(ALICE, PAYEE, 0, 1)
    assert house.submit(tx, validate_only=True).admission is Admission.PENDING
    assert house.ask(GetPooled(tx.id)) is None
    for probe in (house.gossip, house.miner, house.events):
        assert probe.take() == []


def test_the_pool_can_be_looked_into(house: MempoolStage) -> None:
    tx, early = transfer(ALICE, PAYEE, 0, 1), transfer(ALICE, PAYEE, 2, 1)
    house.submit(tx)
    house.pump.run_for(5.0)
    house.submit(early)
    info = house.ask(GetPool())
    assert (info.pending, info.queued, info.senders) == (1, 1, 1)
    assert (info.max_pending, info.max_queued) == (5_000, 1_000)
    view = house.ask(GetPooled(tx.id))
    assert (view.transaction, view.pending) == (tx, True)
    assert view.added_s == house.clock.wall_s() - 5.0
    listed = house.ask(ListPooled(10))
    assert [each.transaction.id for each in listed] == sorted([tx.id, early.id])
    assert house.ask(ListPooled(10, sender=BOB.public)) == ()
    assert house.ask(ListPooled(10, after=listed[0].transaction.id)) == listed[1:]
    funds = house.ask(GetFunds(ALICE.public))
    assert funds == Funds(1, house.accounts[ALICE.public].balance - tx.amount - early.amount)


def test_an_evicted_transaction_is_gone_and_those_that_stood_on_it_are_queued(
    house: MempoolStage,
) -> None:
    first, second, third = (transfer(ALICE, PAYEE, nonce, 1) for nonce in range(3))
    other = transfer(BOB, PAYEE, 0, 1)
    for tx in (first, second, third, other):
        house.submit(tx)
    house.forget()
    assert house.ask(EvictTransaction(second.id)) == Eviction(second, (third.id,))
    assert house.told_events() == [TransactionRemoved(second.id, RemovalReason.EVICTED)]
    assert len(house.miner.take()) == 1
    listed = {each.transaction: each.pending for each in house.ask(ListPooled(10))}
    assert listed == {first: True, third: False, other: True}
    assert house.ask(EvictTransaction(second.id)) is None
    assert house.told_events() == []


def test_an_evicted_transaction_may_come_back_and_brings_the_others_with_it(
    house: MempoolStage,
) -> None:
    first, second = (transfer(ALICE, PAYEE, nonce, 1) for nonce in range(2))
    house.submit(first)
    house.submit(second)
    house.ask(EvictTransaction(first.id))
    house.gossiped(first.raw)
    assert all(each.pending for each in house.ask(ListPooled(10)))


def test_an_eviction_is_saved_like_any_other_change(house: MempoolStage) -> None:
    tx, other = transfer(ALICE, PAYEE, 0, 1), transfer(BOB, PAYEE, 0, 1)
    house.submit(tx)
    house.submit(other)
    house.pump.run_for(SWEEP_EVERY_S)
    house.ask(EvictTransaction(tx.id))
    house.end()
    assert house.journal.lines == [other.raw]


def test_candidates_bring_back_the_token_of_their_question(house: MempoolStage) -> None:
    asker, token = Probe(house.pump, "asker"), object()
    house.tell(GetCandidates(10, asker.address, token))
    assert asker.take() == [Candidates(0, (), token)]


# -- the chain --------------------------------------------------------------------------------------


def test_inclusion_evicts_and_tells_the_miner(house: MempoolStage) -> None:
    tx, after = transfer(ALICE, PAYEE, 0, 1), transfer(ALICE, PAYEE, 1, 1)
    house.submit(tx)
    house.submit(after)
    house.gossip.take(), house.events.take(), house.miner.take()
    house.accounts[ALICE.public] = Account(99, 1)
    house.tip(tx)
    assert house.ask(GetPooled(tx.id)) is None
    assert house.ask(GetPooled(after.id)).pending
    assert (house.gossip.take(), house.told_events()) == ([], [])
    assert len(house.miner.take()) == 1


def test_a_replaced_transaction_is_reported_as_removed(house: MempoolStage) -> None:
    tx = transfer(ALICE, PAYEE, 0, 1)
    house.submit(tx)
    house.events.take()
    house.accounts[ALICE.public] = Account(98, 1)
    house.tip(transfer(ALICE, PAYEE, 0, 2))
    assert house.told_events() == [TransactionRemoved(tx.id, RemovalReason.NONCE_USED)]


def test_a_reorganisation_brings_transactions_back_and_publishes_them(house: MempoolStage) -> None:
    lost = [transfer(ALICE, PAYEE, nonce, 1) for nonce in (0, 1)]
    house.tip(disconnected=lost)
    assert house.gossip.take() == published(*lost)
    assert len(house.miner.take()) == 1
    assert [each.pending for each in house.ask(ListPooled(9))] == [True, True]


def test_a_tip_without_blocks_makes_it_look_at_every_sender_again(house: MempoolStage) -> None:
    tx = transfer(ALICE, PAYEE, 1, 1)
    house.submit(tx)
    house.accounts[ALICE.public] = Account(50, 1)
    house.tell(TipChanged(BlockRef(3, bytes(32))))
    assert house.ask(GetPooled(tx.id)).pending


def test_candidates_are_pending_ones_in_order_with_their_revision(house: MempoolStage) -> None:
    transactions = [transfer(ALICE, PAYEE, nonce, 1) for nonce in range(3)]
    for tx in transactions:
        house.submit(tx)
    house.submit(transfer(ALICE, PAYEE, 9, 1))
    asker = Probe(house.pump, "asker")
    house.tell(GetCandidates(2, asker.address))
    house.tell(GetCandidates(10, asker.address))
    revision = house.miner.of(PoolChanged)[-1].revision
    assert asker.take() == [
        Candidates(revision, tuple(transactions[:2])),
        Candidates(revision, tuple(transactions)),
    ]


def test_a_transaction_of_a_block_not_heard_of_yet_is_not_reported_as_lost() -> None:
    house = MempoolStage()
    first, second = transfer(ALICE, BOB.public, 0, 1), transfer(ALICE, BOB.public, 1, 1)
    for transaction in (first, second):
        house.submit(transaction)
    house.events.take()
    house.past[ALICE.public, 1] = Account(99, 1)
    house.accounts[ALICE.public] = Account(98, 2)  # the block behind is committed already
    house.tip(first)
    assert house.told_events() == []
    house.tell(
        TipChanged(BlockRef(2, bytes(32)), (child(BlockRef(1, bytes(32)), PAYEE, (second,)),))
    )
    assert house.told_events() == []
    assert house.ask(GetPool()).pending == 0


# -- time and restarts --------------------------------------------------------------------------------


def test_old_transactions_expire() -> None:
    house = MempoolStage(settings=MempoolSettings(expiry_s=90.0))
    tx = transfer(ALICE, PAYEE, 0, 1)
    house.submit(tx)
    house.events.take()
    house.pump.run_for(SWEEP_EVERY_S)
    assert house.told_events() == []
    house.pump.run_for(SWEEP_EVERY_S)
    assert house.told_events() == [TransactionRemoved(tx.id, RemovalReason.EXPIRED)]
    assert house.miner.of(PoolChanged)[-1].revision == 2


def test_a_changed_pool_is_saved_with_each_sweep_and_an_unchanged_one_is_not(
    house: MempoolStage,
) -> None:
    house.pump.run_for(3 * SWEEP_EVERY_S)
    assert house.journal.saves == 0
    tx = transfer(ALICE, PAYEE, 0, 1)
    house.submit(tx)
    house.pump.run_for(3 * SWEEP_EVERY_S)
    assert (house.journal.saves, house.journal.lines) == (1, [tx.raw])


def test_a_full_disk_costs_no_transaction_and_the_next_sweep_tries_again(
    house: MempoolStage,
) -> None:
    house.journal.full = True
    tx = transfer(ALICE, PAYEE, 0, 1)
    house.submit(tx)
    house.pump.run_for(SWEEP_EVERY_S)
    assert house.ask(GetPooled(tx.id)) is not None
    house.journal.full = False
    house.pump.run_for(SWEEP_EVERY_S)
    assert house.journal.lines == [tx.raw]


def test_a_stop_saves_and_a_start_admits_what_was_saved_without_news(house: MempoolStage) -> None:
    pending, early = transfer(ALICE, PAYEE, 0, 1), transfer(BOB, PAYEE, 4, 1)
    house.submit(early)
    house.submit(pending)
    house.end()
    house.journal.lines.insert(0, b"not a transaction")
    house.journal.lines.append(transfer(ALICE, PAYEE, 0, 5).raw)
    again = MempoolStage(house.journal)
    info = again.ask(GetPool())
    assert (info.pending, info.queued) == (1, 1)
    assert again.miner.take() == [PoolChanged(1)]
    new = transfer(BOB, PAYEE, 0, 1)
    again.submit(new)
    assert again.gossip.take() == published(new)
    assert again.told_events() == [TransactionAdded(new, pending=True)]


def test_a_pool_that_is_as_it_was_saved_is_not_saved_again() -> None:
    house = MempoolStage(MemoryJournal([transfer(ALICE, PAYEE, 0, 1).raw]))
    house.pump.run_for(2 * SWEEP_EVERY_S)
    house.end()
    assert house.journal.saves == 0


def test_an_ended_incarnation_sweeps_no_more(house: MempoolStage) -> None:
    house.submit(transfer(ALICE, PAYEE, 0, 1))
    house.end()
    assert house.clock.next_due_s() is None
    assert house.journal.saves == 1


def test_a_sweep_that_an_ended_incarnation_left_does_not_make_them_more_frequent(
    house: MempoolStage,
) -> None:
    house.tell(_Sweep())
    before = house.actor.box.handled
    house.pump.run_for(10 * SWEEP_EVERY_S)
    assert house.actor.box.handled == before + 10


def test_a_crash_cancels_the_sweep_and_does_not_save(house: MempoolStage) -> None:
    house.submit(transfer(ALICE, PAYEE, 0, 1))
    house.actor.on_crash()
    assert house.clock.next_due_s() is None
    assert house.journal.saves == 0
