from collections.abc import Iterable
from typing import Any

import pytest

from actors.chain.messages import TipChanged
from actors.config import MempoolSettings
from actors.gossip.messages import Decision, GossipItem, GossipReceived, Publish, Verdicts
from actors.ledger.codec import make_transaction
from actors.ledger.types import Account, BlockRef, Transaction
from actors.mempool.actor import GET_KIND, GET_TIMEOUT_S, SWEEP_EVERY_S, TX_KIND, MempoolActor
from actors.mempool.messages import (
    Admission,
    Candidates,
    Funds,
    GetCandidates,
    GetFunds,
    GetPool,
    GetPooled,
    ListPooled,
    PoolChanged,
    RemovalReason,
    Submission,
    SubmitTransaction,
    TransactionAdded,
    TransactionRemoved,
)
from actors.messaging.messages import (
    ANSWER_BUDGET_BYTES,
    Done,
    Inbound,
    MessageType,
    Received,
    Respond,
    Response,
    SendRequest,
)
from actors.peers.messages import LinksReset, PeerId, PeerLinked, PeerUnlinked, Resync
from actors.runtime.clock import FakeClock
from actors.runtime.events import Happened
from actors.runtime.pump import Pump
from actors.tcp.messages import ConnId
from tests.support.ledger import EASY_MAIN, child, lookup, transfer
from tests.support.memory_journal import MemoryJournal
from tests.support.mempool import ALICE, BOB, PAYEE
from tests.support.probe import Probe, stage

PEER, CONN = PeerId("10.0.0.1:9000"), ConnId(4)


class House:
    """A mempool alone on the stage, with probes for everybody whom it tells."""

    def __init__(
        self,
        journal: MemoryJournal | None = None,
        settings: MempoolSettings | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.pump = Pump(7, self.clock)
        self.accounts = {ALICE.public: Account(100), BOB.public: Account(100)}
        self.past: dict[tuple[bytes, int], Account] = {}
        self.journal = journal or MemoryJournal()
        self.peers, self.messaging, self.gossip, self.miner, self.events = (
            Probe(self.pump, name) for name in ("peers", "messaging", "gossip", "miner", "events")
        )
        self.mempool = stage(
            self.pump,
            "mempool",
            lambda me: self._build(me, settings or MempoolSettings()),
        )
        self.settle()

    def _build(self, me: Any, settings: MempoolSettings) -> MempoolActor:
        self.actor = MempoolActor(
            network=EASY_MAIN,
            settings=settings,
            accounts=lookup(self.accounts),
            accounts_at=self._accounts_at,
            journal=self.journal,
            clock=self.clock,
            me=me,
            peers=self.peers.address,
            messaging=self.messaging.address,
            gossip=self.gossip.address,
            miner=self.miner.address,
            events=self.events.address,
        )
        return self.actor

    def _accounts_at(self, address: bytes, height: int) -> Account:
        return self.past.get((address, height), lookup(self.accounts)(address))

    def settle(self) -> None:
        self.pump.run_until_idle()

    def tell(self, message: object) -> None:
        self.mempool.tell(message)
        self.settle()

    def ask(self, question: Any) -> Any:
        return self.pump.ask(self.mempool, question)

    def submit(self, transaction: Transaction, *, validate_only: bool = False) -> Submission:
        submission = self.ask(SubmitTransaction(transaction.raw, validate_only))
        assert isinstance(submission, Submission)
        return submission

    def gossiped(self, *payloads: bytes) -> tuple[Decision, ...]:
        """The verdicts on payloads that arrive together."""
        items = (
            GossipItem(ticket, TX_KIND, payload, PEER, CONN)
            for ticket, payload in enumerate(payloads)
        )
        self.tell(GossipReceived(tuple(items)))
        (verdicts,) = self.gossip.of(Verdicts)
        self.gossip.messages.remove(verdicts)
        assert [ticket for ticket, _ in verdicts.decisions] == list(range(len(payloads)))
        return tuple(decision for _, decision in verdicts.decisions)

    def tip(self, *included: Transaction, disconnected: Iterable[Transaction] = ()) -> None:
        """A block with these transactions becomes the tip; the accounts are set by hand."""
        block = child(EASY_MAIN.genesis.ref, PAYEE, included)
        lost = tuple(disconnected)
        old = (child(EASY_MAIN.genesis.ref, PAYEE, lost),) if lost else ()
        self.tell(TipChanged(block.ref, (block,), old))

    def told_events(self) -> list[object]:
        return [each.body for each in self.events.take() if isinstance(each, Happened)]

    def end(self) -> None:
        self.actor.halt()
        self.settle()


@pytest.fixture
def house() -> House:
    house = House()
    for probe in (house.peers, house.messaging, house.gossip, house.miner, house.events):
        probe.take()
    return house


def published(*transactions: Transaction) -> list[Publish]:
    return [Publish(TX_KIND, each.raw) for each in transactions]


# -- users ----------------------------------------------------------------------------------------


def test_a_users_pending_transaction_is_published_and_told_to_miner_and_events(
    house: House,
) -> None:
    tx = transfer(ALICE, PAYEE, 0, 1)
    assert house.submit(tx) == Submission(Admission.PENDING, tx.id)
    assert house.gossip.take() == published(tx)
    assert house.miner.take() == [PoolChanged(1)]
    assert house.told_events() == [TransactionAdded(tx, pending=True)]


def test_a_queued_transaction_is_published_on_its_promotion(house: House) -> None:
    early, next_one = transfer(ALICE, PAYEE, 1, 1), transfer(ALICE, PAYEE, 0, 1)
    assert house.submit(early).admission is Admission.QUEUED
    assert house.gossip.take() == []
    assert house.miner.take() == []
    house.submit(next_one)
    assert house.gossip.take() == published(next_one, early)
    assert len(house.miner.take()) == 1


def test_a_validation_only_leaves_no_trace(house: House) -> None:
    tx = transfer(ALICE, PAYEE, 0, 1)
    assert house.submit(tx, validate_only=True).admission is Admission.PENDING
    assert house.ask(GetPooled(tx.id)) is None
    for probe in (house.gossip, house.miner, house.events):
        assert probe.take() == []


def test_the_pool_can_be_looked_into(house: House) -> None:
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


# -- gossip -----------------------------------------------------------------------------------------


def test_verdicts_relay_what_is_pending_end_what_can_never_be_and_drop_the_rest(
    house: House,
) -> None:
    house.accounts[BOB.public] = Account(100, 5)
    tx, early = transfer(ALICE, PAYEE, 0, 1), transfer(ALICE, PAYEE, 7, 1)
    payloads = {
        tx.raw: Decision.RELAY,
        tx.raw + b" ": Decision.FINAL,
        make_transaction(ALICE.public, PAYEE, 1, 1, bytes(64)).raw: Decision.FINAL,
        transfer(BOB, PAYEE, 4, 1).raw: Decision.FINAL,
        transfer(BOB, bytes(32), 5, 1).raw: Decision.FINAL,
        early.raw: Decision.DROP,
        transfer(ALICE, PAYEE, 0, 2).raw: Decision.DROP,
    }
    assert house.gossiped(*payloads, tx.raw) == (*payloads.values(), Decision.DROP)
    assert house.gossip.take() == [], "the verdict relays it"
    assert house.told_events() == [
        TransactionAdded(tx, pending=True),
        TransactionAdded(early, pending=False),
    ]


def test_what_a_gossiped_transaction_promotes_is_published(house: House) -> None:
    early, gap = transfer(ALICE, PAYEE, 1, 1), transfer(ALICE, PAYEE, 0, 1)
    assert house.gossiped(early.raw, gap.raw) == (Decision.DROP, Decision.RELAY)
    assert house.gossip.take() == published(early)
    assert len(house.miner.take()) == 1


# -- the chain --------------------------------------------------------------------------------------


def test_inclusion_evicts_and_tells_the_miner(house: House) -> None:
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


def test_a_replaced_transaction_is_reported_as_removed(house: House) -> None:
    tx = transfer(ALICE, PAYEE, 0, 1)
    house.submit(tx)
    house.events.take()
    house.accounts[ALICE.public] = Account(98, 1)
    house.tip(transfer(ALICE, PAYEE, 0, 2))
    assert house.told_events() == [TransactionRemoved(tx.id, RemovalReason.NONCE_USED)]


def test_a_reorganisation_brings_transactions_back_and_publishes_them(house: House) -> None:
    lost = [transfer(ALICE, PAYEE, nonce, 1) for nonce in (0, 1)]
    house.tip(disconnected=lost)
    assert house.gossip.take() == published(*lost)
    assert len(house.miner.take()) == 1
    assert [each.pending for each in house.ask(ListPooled(9))] == [True, True]


def test_a_tip_without_blocks_makes_it_look_at_every_sender_again(house: House) -> None:
    tx = transfer(ALICE, PAYEE, 1, 1)
    house.submit(tx)
    house.accounts[ALICE.public] = Account(50, 1)
    house.tell(TipChanged(BlockRef(3, bytes(32))))
    assert house.ask(GetPooled(tx.id)).pending


def test_candidates_are_pending_ones_in_order_with_their_revision(house: House) -> None:
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


# -- peers ----------------------------------------------------------------------------------------


def test_a_request_is_answered_with_the_pending_transactions(house: House) -> None:
    transactions = [transfer(ALICE, PAYEE, nonce, 1) for nonce in (0, 1, 9)]
    for tx in transactions:
        house.submit(tx)
    house.tell(Received((Inbound(CONN, MessageType.REQUEST, 77, GET_KIND, b""),)))
    payload = transactions[0].raw + b"\n" + transactions[1].raw
    assert house.messaging.take() == [Respond(CONN, 77, payload)]


def test_an_empty_pool_answers_with_nothing_in_it(house: House) -> None:
    house.tell(Received((Inbound(CONN, MessageType.REQUEST, 1, GET_KIND, b""),)))
    assert house.messaging.take() == [Respond(CONN, 1, b"")]


def test_at_most_500_transactions_are_sent_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.mempool.actor.MAX_GET_TRANSACTIONS", 2)
    house = House()
    transactions = [transfer(ALICE, PAYEE, nonce, 1) for nonce in range(3)]
    house.tell(Response(0, CONN, b"\n".join(each.raw for each in transactions)))
    assert house.ask(GetPool()).pending == 2
    house.submit(transactions[2])
    house.messaging.take()
    house.tell(Received((Inbound(CONN, MessageType.REQUEST, 1, GET_KIND, b""),)))
    (answer,) = house.messaging.of(Respond)
    assert answer.payload.count(b"\n") == 1


@pytest.mark.parametrize(
    ("kind", "message_type"),
    [("mempool:unheard-of", MessageType.REQUEST), (GET_KIND, MessageType.REGULAR)],
)
def test_what_is_no_request_of_ours_only_returns_its_credit(
    house: House, kind: str, message_type: MessageType
) -> None:
    strange = Inbound(CONN, message_type, 5, kind, b"x")
    house.tell(Received((strange, strange)))
    assert house.messaging.take() == [Done(CONN, 2)]


def test_it_asks_for_the_links_at_start() -> None:
    house = House()
    assert house.peers.take() == [Resync(house.mempool)]


def test_it_asks_a_new_peer_for_its_pool(house: House) -> None:
    house.tell(PeerLinked(PEER, CONN, initiated=True, first=True))
    (request,) = house.messaging.of(SendRequest)
    assert (request.conn, request.kind, request.payload) == (CONN, GET_KIND, b"")
    assert (request.timeout_s, request.reply_to) == (GET_TIMEOUT_S, house.mempool)


def test_further_links_and_lost_ones_are_nothing_to_it(house: House) -> None:
    house.tell(PeerLinked(PEER, CONN, initiated=True, first=False))
    house.tell(PeerUnlinked(PEER, CONN, None))
    house.tell(LinksReset())
    assert house.messaging.take() == []


def test_what_a_peer_holds_is_admitted_and_relayed_as_usual(house: House) -> None:
    tx, early = transfer(ALICE, PAYEE, 0, 1), transfer(BOB, PAYEE, 3, 1)
    house.tell(Response(0, CONN, b"\n".join((b"nonsense", tx.raw, early.raw, b""))))
    assert house.gossip.take() == published(tx)
    assert house.ask(GetPool()).queued == 1


@pytest.mark.parametrize("payload", [None, b"", b"\n\n"])
def test_a_peer_without_an_answer_changes_nothing(house: House, payload: bytes | None) -> None:
    house.tell(Response(0, CONN, payload))
    assert house.ask(GetPool()).pending == 0


# -- time and restarts --------------------------------------------------------------------------------


def test_old_transactions_expire() -> None:
    house = House(settings=MempoolSettings(expiry_s=90.0))
    tx = transfer(ALICE, PAYEE, 0, 1)
    house.submit(tx)
    house.events.take()
    house.pump.run_for(SWEEP_EVERY_S)
    assert house.told_events() == []
    house.pump.run_for(SWEEP_EVERY_S)
    assert house.told_events() == [TransactionRemoved(tx.id, RemovalReason.EXPIRED)]
    assert house.miner.of(PoolChanged)[-1].revision == 2


def test_a_changed_pool_is_saved_with_each_sweep_and_an_unchanged_one_is_not(house: House) -> None:
    house.pump.run_for(3 * SWEEP_EVERY_S)
    assert house.journal.saves == 0
    tx = transfer(ALICE, PAYEE, 0, 1)
    house.submit(tx)
    house.pump.run_for(3 * SWEEP_EVERY_S)
    assert (house.journal.saves, house.journal.lines) == (1, [tx.raw])


def test_a_full_disk_costs_no_transaction_and_the_next_sweep_tries_again(house: House) -> None:
    house.journal.full = True
    tx = transfer(ALICE, PAYEE, 0, 1)
    house.submit(tx)
    house.pump.run_for(SWEEP_EVERY_S)
    assert house.ask(GetPooled(tx.id)) is not None
    house.journal.full = False
    house.pump.run_for(SWEEP_EVERY_S)
    assert house.journal.lines == [tx.raw]


def test_a_stop_saves_and_a_start_admits_what_was_saved_without_news(house: House) -> None:
    pending, early = transfer(ALICE, PAYEE, 0, 1), transfer(BOB, PAYEE, 4, 1)
    house.submit(early)
    house.submit(pending)
    house.end()
    house.journal.lines.insert(0, b"not a transaction")
    house.journal.lines.append(transfer(ALICE, PAYEE, 0, 5).raw)
    again = House(house.journal)
    info = again.ask(GetPool())
    assert (info.pending, info.queued) == (1, 1)
    assert again.miner.take() == [PoolChanged(1)]
    new = transfer(BOB, PAYEE, 0, 1)
    again.submit(new)
    assert again.gossip.take() == published(new)
    assert again.told_events() == [TransactionAdded(new, pending=True)]


def test_a_pool_that_is_as_it_was_saved_is_not_saved_again() -> None:
    house = House(MemoryJournal([transfer(ALICE, PAYEE, 0, 1).raw]))
    house.pump.run_for(2 * SWEEP_EVERY_S)
    house.end()
    assert house.journal.saves == 0


def test_an_ended_incarnation_sweeps_no_more(house: House) -> None:
    house.submit(transfer(ALICE, PAYEE, 0, 1))
    house.end()
    assert house.clock.next_due_s() is None
    assert house.journal.saves == 1


def test_a_crash_cancels_the_sweep_and_does_not_save(house: House) -> None:
    house.submit(transfer(ALICE, PAYEE, 0, 1))
    house.actor.on_crash()
    assert house.clock.next_due_s() is None
    assert house.journal.saves == 0


def test_a_transaction_of_a_block_not_heard_of_yet_is_not_reported_as_lost() -> None:
    house = House()
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


def test_a_flood_of_requests_is_answered_within_the_budget_for_a_batch() -> None:
    house = House()
    raw_bytes = len(transfer(ALICE, BOB.public, 0, 1).raw)
    house.submit(transfer(ALICE, BOB.public, 0, 1))
    flood = tuple(
        Inbound(CONN, MessageType.REQUEST, number, GET_KIND, b"") for number in range(20_000)
    )
    house.tell(Received(flood))
    answered = len(house.messaging.of(Respond))
    assert answered == -(-ANSWER_BUDGET_BYTES // raw_bytes)
    assert house.messaging.of(Done) == [Done(CONN, len(flood) - answered)]
