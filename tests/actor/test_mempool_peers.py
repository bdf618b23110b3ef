"""The mempool actor alone: gossip judged, peers asked for their pools and answered."""

from __future__ import annotations

import pytest

from actors.gossip.messages import Decision
from actors.ledger.codec import make_transaction
from actors.ledger.types import Account
from actors.mempool.actor import (
    BAD_SIGNATURE_POINTS,
    GET_KIND,
    GET_TIMEOUT_S,
    UNHEARD_OF_POINTS,
)
from actors.mempool.messages import GetPool, TransactionAdded
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
from actors.peers.messages import (
    Brought,
    ConnectionMisbehaved,
    LinksReset,
    PeerLinked,
    PeerUnlinked,
    Resync,
)
from tests.support.ledger import transfer
from tests.support.mempool import ALICE, BOB, PAYEE
from tests.support.mempool_stage import CONN, PEER, MempoolStage, published


@pytest.fixture
def house() -> MempoolStage:
    house = MempoolStage()
    house.forget()
    return house


# -- gossip -----------------------------------------------------------------------------------------


def test_verdicts_relay_what_is_pending_end_what_can_never_be_and_drop_the_rest(
    house: MempoolStage,
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


def test_who_passes_on_bad_signatures_is_told_of_once_a_batch(house: MempoolStage) -> None:
    forged = [make_transaction(ALICE.public, PAYEE, nonce, 1, bytes(64)).raw for nonce in (0, 1)]
    house.gossiped(*forged, b"malformed", transfer(ALICE, bytes(32), 0, 1).raw)
    points = 2 * BAD_SIGNATURE_POINTS
    (blamed, of_ours) = house.peers.take()
    assert blamed == ConnectionMisbehaved(CONN, points, "a bad signature")
    assert (of_ours.conn, of_ours.points, of_ours.ours_only) == (CONN, 2 * UNHEARD_OF_POINTS, True)
    house.gossiped(transfer(ALICE, PAYEE, 7, 1).raw)
    assert house.peers.take() == []


def test_what_an_honest_node_of_ours_may_pass_on_is_held_against_nobody(
    house: MempoolStage,
) -> None:
    house.accounts[BOB.public] = Account(0, 5)
    honest = [transfer(BOB, PAYEE, 4, 1), transfer(BOB, PAYEE, 5, 1), transfer(ALICE, PAYEE, 9, 1)]
    house.gossiped(*(each.raw for each in honest))
    assert house.peers.take() == []


def test_who_brings_what_becomes_pending_is_told_of_once_a_batch(house: MempoolStage) -> None:
    house.gossiped(transfer(ALICE, PAYEE, 0, 1).raw, transfer(ALICE, PAYEE, 1, 1).raw)
    assert house.peers.take() == [Brought((PEER,), is_block=False)]


def test_who_brings_what_costs_nobody_anything_is_not_told_of(house: MempoolStage) -> None:
    assert house.gossiped(transfer(BOB, PAYEE, 0, 0).raw) == (Decision.RELAY,)
    assert house.peers.take() == []


def test_what_a_gossiped_transaction_promotes_is_published(house: MempoolStage) -> None:
    early, gap = transfer(ALICE, PAYEE, 1, 1), transfer(ALICE, PAYEE, 0, 1)
    assert house.gossiped(early.raw, gap.raw) == (Decision.DROP, Decision.RELAY)
    assert house.gossip.take() == published(early)
    assert len(house.miner.take()) == 1


# -- peers ----------------------------------------------------------------------------------------


def test_a_request_is_answered_with_the_pending_transactions(house: MempoolStage) -> None:
    transactions = [transfer(ALICE, PAYEE, nonce, 1) for nonce in (0, 1, 9)]
    for tx in transactions:
        house.submit(tx)
    house.tell(Received((Inbound(CONN, MessageType.REQUEST, 77, GET_KIND, b""),)))
    payload = transactions[0].raw + b"\n" + transactions[1].raw
    assert house.messaging.take() == [Respond(CONN, 77, payload)]


def test_an_empty_pool_answers_with_nothing_in_it(house: MempoolStage) -> None:
    house.tell(Received((Inbound(CONN, MessageType.REQUEST, 1, GET_KIND, b""),)))
    assert house.messaging.take() == [Respond(CONN, 1, b"")]


def test_at_most_500_transactions_are_sent_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.mempool.actor.MAX_GET_TRANSACTIONS", 2)
    house = MempoolStage()
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
    house: MempoolStage, kind: str, message_type: MessageType
) -> None:
    strange = Inbound(CONN, message_type, 5, kind, b"x")
    house.tell(Received((strange, strange)))
    assert house.messaging.take() == [Done(CONN, 2, useless=2)]


def test_it_asks_for_the_links_at_start() -> None:
    house = MempoolStage()
    assert house.peers.take() == [Resync(house.mempool)]


def test_it_asks_a_new_peer_for_its_pool(house: MempoolStage) -> None:
    house.tell(PeerLinked(PEER, CONN, initiated=True, first=True))
    (request,) = house.messaging.of(SendRequest)
    assert (request.conn, request.kind, request.payload) == (CONN, GET_KIND, b"")
    assert (request.timeout_s, request.reply_to) == (GET_TIMEOUT_S, house.mempool)


def test_further_links_and_lost_ones_are_nothing_to_it(house: MempoolStage) -> None:
    house.tell(PeerLinked(PEER, CONN, initiated=True, first=False))
    house.tell(PeerUnlinked(PEER, CONN, None))
    house.tell(LinksReset())
    assert house.messaging.take() == []


def test_what_a_peer_holds_is_admitted_and_relayed_as_usual(house: MempoolStage) -> None:
    tx, early = transfer(ALICE, PAYEE, 0, 1), transfer(BOB, PAYEE, 3, 1)
    house.tell(Response(0, CONN, b"\n".join((b"nonsense", tx.raw, early.raw, b""))))
    assert house.gossip.take() == published(tx)
    assert house.ask(GetPool()).queued == 1


@pytest.mark.parametrize("payload", [None, b"", b"\n\n"])
def test_a_peer_without_an_answer_changes_nothing(
    house: MempoolStage, payload: bytes | None
) -> None:
    house.tell(Response(0, CONN, payload))
    assert house.ask(GetPool()).pending == 0


def test_a_flood_of_requests_is_answered_within_the_budget_for_a_batch() -> None:
    house = MempoolStage()
    raw_bytes = len(transfer(ALICE, BOB.public, 0, 1).raw)
    house.submit(transfer(ALICE, BOB.public, 0, 1))
    flood = tuple(
        Inbound(CONN, MessageType.REQUEST, number, GET_KIND, b"") for number in range(20_000)
    )
    house.tell(Received(flood))
    answered = len(house.messaging.of(Respond))
    assert answered == -(-ANSWER_BUDGET_BYTES // raw_bytes)
    assert house.messaging.of(Done) == [Done(CONN, len(flood) - answered)]
