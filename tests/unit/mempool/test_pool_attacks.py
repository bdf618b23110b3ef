"""The pool under those who want to fill it: with gaps, without funds, for nothing, again and again."""

from __future__ import annotations

from dataclasses import replace

from actors.config import MempoolSettings
from actors.ledger.keys import ED25519
from actors.ledger.signatures import KnownSignatures
from actors.ledger.types import Account, Transaction
from actors.mempool.messages import Admission
from actors.mempool.pool import Pool
from actors.mempool.vetting import Vetting
from tests.support.counting_team import CountingTeam
from tests.support.ledger import EASY_MAIN, key, lookup, transfer
from tests.support.mempool import ALICE, BOB, PAYEE, Scene

SMALL = MempoolSettings(max_pending=40, max_queued=20, max_per_sender=16, max_pending_per_sender=4)


def crowd(count: int, nonce: int = 0, amount: int = 1, name: str = "liar") -> list[Transaction]:
    """A transaction each of many senders."""
    payers = (key(ED25519, f"{name}{number}") for number in range(count))
    return [transfer(payer, PAYEE, nonce, amount) for payer in payers]


def admitted(pool: Pool, transactions: list[Transaction], *, now_s: float = 0.0) -> list[Admission]:
    submissions = pool.admit_all([each.raw for each in transactions], now_s=now_s)
    return [submission.admission for submission in submissions]


def funds(scene: Scene, count: int, balance: int, name: str = "liar") -> None:
    for number in range(count):
        scene.accounts[key(ED25519, f"{name}{number}").public] = Account(balance)


def test_a_flood_of_gaps_fills_the_queue_and_no_place_of_what_is_due() -> None:
    scene = Scene(SMALL, alice=100)
    funds(scene, 100, 5)
    assert admitted(scene.pool, crowd(100, nonce=7)).count(Admission.QUEUED) == 20
    info = scene.pool.info()
    assert (info.pending, info.queued) == (0, 20)
    assert scene.submit(ALICE, 0) is Admission.PENDING
    assert scene.submit(ALICE, 5) is Admission.QUEUED, (
        "and who has more than they gets a place there"
    )


def test_senders_without_funds_fill_a_tenth_whatever_they_send() -> None:
    scene = Scene(SMALL, alice=100)
    for nonce in (0, 9):
        admitted(scene.pool, crowd(100, nonce=nonce, amount=0, name=f"poor{nonce}"))
    info = scene.pool.info()
    assert info.pending + info.queued == (SMALL.max_pending + SMALL.max_queued) // 10
    assert scene.submit(ALICE, 0) is Admission.PENDING


def test_transfers_of_nothing_cost_a_sender_no_funds_and_give_it_no_more_places() -> None:
    scene = Scene(SMALL, alice=1, bob=100)
    flood = [transfer(ALICE, PAYEE, nonce, 0) for nonce in range(100)]
    verdicts = admitted(scene.pool, flood)
    assert verdicts.count(Admission.PENDING) == SMALL.max_pending_per_sender
    assert verdicts.count(Admission.PENDING) + verdicts.count(Admission.QUEUED) == 16
    assert scene.submit(BOB, 0) is Admission.PENDING


def test_many_with_one_each_give_way_to_one_who_has_more_than_they() -> None:
    scene = Scene(SMALL, alice=100)
    funds(scene, 60, 1)
    admitted(scene.pool, crowd(60))
    assert scene.pool.info().pending == SMALL.max_pending
    assert [scene.submit(ALICE, nonce) for nonce in range(4)] == [Admission.PENDING] * 4
    assert scene.pool.info().pending == SMALL.max_pending


def test_a_conflict_over_a_nonce_never_replaces_what_was_first_whatever_it_pays() -> None:
    scene = Scene(SMALL, alice=100)
    assert scene.submit(ALICE, 0, 1) is Admission.PENDING
    assert [scene.submit(ALICE, 0, amount) for amount in (0, 2, 100)] == [Admission.NONCE_TAKEN] * 3
    assert scene.submit(ALICE, 0, 1) is Admission.KNOWN


def test_what_expired_is_admitted_again_without_another_look_at_its_signature() -> None:
    team, known = CountingTeam(), KnownSignatures()
    accounts = {ALICE.public: Account(100)}
    settings = replace(SMALL, expiry_s=10.0)
    pool = Pool(settings, Vetting(EASY_MAIN, team, known), lookup(accounts))
    sent = [transfer(ALICE, PAYEE, nonce, 1) for nonce in range(4)]
    assert admitted(pool, sent) == [Admission.PENDING] * 4
    for again in range(1, 50):
        pool.expire(now_s=10.0 * again)
        assert pool.info().pending == 0
        assert admitted(pool, sent, now_s=10.0 * again) == [Admission.PENDING] * 4
    assert sum(team.shifts) == 4


def test_a_replay_of_what_the_chain_holds_is_refused_before_any_signature() -> None:
    team = CountingTeam()
    pool = Pool(SMALL, Vetting(EASY_MAIN, team), lookup({ALICE.public: Account(100, 50)}))
    old = [transfer(ALICE, PAYEE, nonce, 1) for nonce in range(50)]
    assert admitted(pool, old) == [Admission.REJECTED] * 50
    assert team.shifts == []


def test_a_reorganisation_that_returns_more_than_there_is_room_for_keeps_to_the_limits() -> None:
    scene = Scene(SMALL, alice=100)
    funds(scene, 200, 5)
    blocks = [scene.block(crowd(200)[at : at + 10]) for at in range(0, 200, 10)]
    scene.pool.follow([], blocks, lookup(scene.accounts), now_s=0.0)
    info = scene.pool.info()
    assert info.pending == SMALL.max_pending
    assert info.queued <= SMALL.max_queued
    assert scene.submit(ALICE, 0) is Admission.PENDING, "and who has more still gets a place"
    scene.pool.follow(blocks, [], lookup(scene.accounts), now_s=1.0)
    left = [entry.transaction.sender for entry in scene.pool.page(1_000, None, None)]
    assert left == [ALICE.public]


def test_a_reorganisation_back_and_forth_leaves_the_pool_as_it_was() -> None:
    scene = Scene(SMALL, alice=100, bob=100)
    scene.submit(BOB, 0)
    before = list(scene.pool.lines())
    block = scene.block([transfer(ALICE, PAYEE, nonce, 1) for nonce in range(4)])
    for _ in range(20):
        scene.pool.follow([], [block], lookup(scene.accounts), now_s=0.0)
        scene.pool.follow([block], [], lookup(scene.accounts), now_s=0.0)
    assert list(scene.pool.lines()) == before
