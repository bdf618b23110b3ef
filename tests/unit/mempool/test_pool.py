from dataclasses import replace

import pytest

from actors.config import MempoolSettings
from actors.ledger.codec import make_transaction
from actors.ledger.types import Account
from actors.ledger.violation import Rule
from actors.mempool.messages import Admission, Funds, RemovalReason
from tests.support.ledger import lookup, transfer
from tests.support.mempool import ALICE, BOB, CAROL, DAVE, PAYEE, Scene

SMALL = MempoolSettings(
    max_per_sender=4, max_pending_per_sender=2, max_pending=3, max_queued=2, broke_share=0.4
)
ROOMY = replace(SMALL, max_pending=50, max_queued=50)


# -- admission ----------------------------------------------------------------------------------


def test_the_next_covered_nonce_is_pending_and_a_later_one_queued() -> None:
    scene = Scene(alice=10)
    assert scene.submit(ALICE, 0) is Admission.PENDING
    assert scene.submit(ALICE, 2) is Admission.QUEUED
    assert (scene.pending(ALICE), scene.queued(ALICE)) == ([0], [2])


def test_a_filled_gap_promotes_what_stood_behind_it() -> None:
    scene = Scene(alice=10)
    for nonce in (3, 1, 2, 0):
        scene.submit(ALICE, nonce)
    assert scene.pending(ALICE) == [0, 1, 2, 3]
    assert [each.nonce for each in scene.pool.candidates(10)] == [0, 1, 2, 3]
    assert scene.news() == [("queued", 3), ("queued", 1), ("queued", 2)] + [
        ("pending", nonce) for nonce in range(4)
    ]


def test_pending_amounts_are_covered_together() -> None:
    scene = Scene(alice=10)
    verdicts = [scene.submit(ALICE, nonce, 4) for nonce in range(4)]
    assert verdicts == [Admission.PENDING] * 2 + [Admission.QUEUED] * 2
    assert scene.pending(ALICE) == [0, 1]


def test_a_pooled_transaction_is_known_without_a_look_at_its_signature() -> None:
    scene = Scene(alice=10)
    scene.submit(ALICE, 0)
    scene.submit(ALICE, 5)
    assert scene.submit(ALICE, 0) is Admission.KNOWN
    assert scene.submit(ALICE, 5) is Admission.KNOWN


def test_the_first_seen_holds_its_nonce() -> None:
    scene = Scene(alice=10)
    scene.submit(ALICE, 0, 1)
    scene.submit(ALICE, 5, 1)
    assert scene.submit(ALICE, 0, 2) is Admission.NONCE_TAKEN
    assert scene.submit(ALICE, 5, 2) is Admission.NONCE_TAKEN


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", Rule.MALFORMED),
        (transfer(ALICE, PAYEE, 1, 1).raw, Rule.NONCE_USED),
        (transfer(ALICE, bytes(32), 2, 1).raw, Rule.POLICY),
        (make_transaction(ALICE.public, PAYEE, 2, 1, bytes(64)).raw, Rule.SIGNATURE),
        (make_transaction(ALICE.public, PAYEE, 9, 1, bytes(64)).raw, Rule.SIGNATURE),
    ],
)
def test_what_breaks_a_rule_is_rejected_with_it(raw: bytes, rule: Rule) -> None:
    scene = Scene()
    scene.accounts[ALICE.public] = Account(10, 2)
    submission = scene.pool.admit(raw, now_s=0.0)
    assert submission.admission is Admission.REJECTED
    assert submission.violation is not None
    assert submission.violation.rule is rule
    assert (submission.tx_id is None) == (rule is Rule.MALFORMED)
    assert scene.pool.info().senders == 0


def test_the_signature_is_the_last_thing_that_is_looked_at() -> None:
    scene = Scene(alice=10)
    scene.submit(ALICE, 0, 1)
    forged = make_transaction(ALICE.public, PAYEE, 0, 2, bytes(64))
    assert scene.pool.admit(forged.raw, now_s=0.0).admission is Admission.NONCE_TAKEN


def test_validation_judges_everything_and_changes_nothing() -> None:
    scene = Scene(alice=10)
    good, early = transfer(ALICE, PAYEE, 0, 1), transfer(ALICE, PAYEE, 1, 1)
    forged = make_transaction(ALICE.public, PAYEE, 0, 1, bytes(64))
    verdicts = [
        scene.pool.admit(each.raw, now_s=0.0, validate_only=True).admission
        for each in (good, early, forged)
    ]
    assert verdicts == [Admission.PENDING, Admission.QUEUED, Admission.REJECTED]
    assert (scene.news(), scene.pool.changes, scene.pool.info().senders) == ([], 0, 0)


# -- limits ---------------------------------------------------------------------------------------


def test_a_sender_has_so_many_pending_and_so_many_in_all() -> None:
    scene = Scene(ROOMY, alice=100)
    verdicts = [scene.submit(ALICE, nonce) for nonce in range(5)]
    assert verdicts == [Admission.PENDING] * 2 + [Admission.QUEUED] * 2 + [Admission.SENDER_FULL]


def test_a_lower_nonce_takes_the_place_of_its_senders_highest() -> None:
    scene = Scene(ROOMY, alice=100)
    for nonce in (1, 5, 6, 7):
        scene.submit(ALICE, nonce)
    assert scene.submit(ALICE, 8) is Admission.SENDER_FULL
    scene.news()
    assert scene.submit(ALICE, 0) is Admission.PENDING
    assert (scene.pending(ALICE), scene.queued(ALICE)) == ([0, 1], [5, 6])
    assert scene.news() == [("removed", RemovalReason.SENDER_FULL), ("pending", 0), ("pending", 1)]


def test_within_a_full_queue_a_lower_nonce_replaces_its_senders_highest() -> None:
    scene = Scene(replace(ROOMY, max_queued=4), alice=100)
    for nonce in (1, 5, 6, 7):
        scene.submit(ALICE, nonce)
    assert scene.submit(ALICE, 2) is Admission.QUEUED
    assert scene.queued(ALICE) == [1, 2, 5, 6]


def test_when_pending_is_full_the_poorest_sender_loses_its_highest_nonce() -> None:
    scene = Scene(SMALL, alice=50, bob=20, carol=60)
    for payer, nonce in ((BOB, 0), (BOB, 1), (ALICE, 0)):
        assert scene.submit(payer, nonce) is Admission.PENDING
    scene.news()
    assert scene.submit(CAROL, 0) is Admission.PENDING
    assert (scene.pending(BOB), scene.pending(ALICE), scene.pending(CAROL)) == ([0], [0], [0])
    assert scene.news() == [("removed", RemovalReason.POOL_FULL), ("pending", 0)]


@pytest.mark.parametrize("balance", [19, 20])
def test_a_newcomer_that_is_no_richer_than_the_poorest_finds_no_room(balance: int) -> None:
    scene = Scene(SMALL, alice=50, bob=20, carol=balance)
    for payer, nonce in ((BOB, 0), (BOB, 1), (ALICE, 0)):
        scene.submit(payer, nonce)
    assert scene.submit(CAROL, 0) is Admission.POOL_FULL
    assert scene.submit(BOB, 2) is Admission.QUEUED


def test_when_the_queue_is_full_the_poorest_sender_loses_its_highest_nonce() -> None:
    scene = Scene(SMALL, alice=50, bob=20)
    scene.submit(BOB, 4)
    scene.submit(BOB, 5)
    assert scene.submit(BOB, 3) is Admission.POOL_FULL
    assert scene.submit(ALICE, 7) is Admission.QUEUED
    assert (scene.queued(BOB), scene.queued(ALICE)) == ([4], [7])


def test_a_queued_transaction_never_displaces_a_pending_one() -> None:
    scene = Scene(SMALL, alice=50, bob=5, carol=6)
    for payer, nonce in ((BOB, 0), (BOB, 1), (CAROL, 0)):
        scene.submit(payer, nonce)
    assert scene.submit(ALICE, 1) is Admission.QUEUED
    assert scene.submit(ALICE, 0) is Admission.PENDING
    assert scene.pending(BOB) == [0]
    assert scene.queued(ALICE) == [1], "a promotion waits for a free place"
    scene.pool.follow(
        (scene.block([transfer(BOB, PAYEE, 0, 1)]),), (), lookup(scene.accounts), now_s=0.0
    )
    assert scene.pending(ALICE) == [0, 1]


def test_a_sender_that_waits_for_a_pending_place_may_leave_before_it_gets_one() -> None:
    scene = Scene(SMALL, alice=50, bob=5, carol=60)
    for payer, nonce in ((BOB, 0), (BOB, 1), (CAROL, 0), (ALICE, 1), (ALICE, 0)):
        scene.submit(payer, nonce)
    assert scene.queued(ALICE) == [1]
    scene.accounts[ALICE.public] = Account(50, 2)
    scene.accounts[CAROL.public] = Account(60, 1)
    scene.pool.recheck()
    assert scene.pool.info().senders == 1
    assert scene.pending(BOB) == [0]


def test_senders_without_a_balance_hold_only_their_share() -> None:
    scene = Scene(SMALL, carol=1)
    assert scene.submit(ALICE, 0, 0) is Admission.PENDING
    assert scene.submit(BOB, 3, 0) is Admission.QUEUED
    assert scene.submit(DAVE, 0, 0) is Admission.POOL_FULL
    assert scene.submit(CAROL, 0, 0) is Admission.PENDING


def test_a_sender_that_becomes_broke_keeps_only_what_the_share_allows() -> None:
    scene = Scene(replace(ROOMY, broke_share=0.02), alice=10)
    for nonce in range(4):
        scene.submit(ALICE, nonce, 0)
    scene.news()
    scene.accounts[ALICE.public] = Account(0)
    scene.pool.recheck()
    assert (scene.pending(ALICE), scene.queued(ALICE)) == ([0, 1], [])
    assert scene.news() == [("removed", RemovalReason.POOL_FULL)] * 2


# -- the chain ----------------------------------------------------------------------------------


def test_inclusion_evicts_silently_and_the_next_ones_stay_pending() -> None:
    scene = Scene(alice=10)
    for nonce in range(3):
        scene.submit(ALICE, nonce)
    scene.news()
    scene.accounts[ALICE.public] = Account(9, 1)
    scene.pool.follow(
        (scene.block([transfer(ALICE, PAYEE, 0, 1)]),), (), lookup(scene.accounts), now_s=0.0
    )
    assert scene.pending(ALICE) == [1, 2]
    assert scene.news() == []


def test_inclusion_of_another_transaction_drops_the_one_whose_nonce_it_used() -> None:
    scene = Scene(alice=10)
    scene.submit(ALICE, 0, 1)
    scene.news()
    scene.accounts[ALICE.public] = Account(8, 1)
    scene.pool.follow(
        (scene.block([transfer(ALICE, PAYEE, 0, 2)]),), (), lookup(scene.accounts), now_s=0.0
    )
    assert scene.news() == [("removed", RemovalReason.NONCE_USED)]
    assert scene.pool.info().senders == 0


def test_a_balance_that_rises_promotes_and_one_that_falls_demotes() -> None:
    scene = Scene(alice=1)
    scene.submit(ALICE, 0, 1)
    scene.submit(ALICE, 1, 1)
    scene.news()
    payment = scene.block([transfer(BOB, ALICE.public, 0, 1)])
    scene.accounts[ALICE.public] = Account(2)
    scene.pool.follow((payment,), (), lookup(scene.accounts), now_s=0.0)
    assert scene.pending(ALICE) == [0, 1]
    assert scene.news() == [("pending", 1)]
    scene.accounts[ALICE.public] = Account(0)
    scene.pool.follow((), (payment,), lookup(scene.accounts), now_s=0.0)
    assert scene.queued(ALICE) == [0, 1]


def test_a_mined_reward_promotes_the_miners_own_transaction() -> None:
    scene = Scene()
    scene.submit(ALICE, 0, 5)
    scene.accounts[ALICE.public] = Account(10)
    scene.pool.follow(
        (replace(scene.block(), coinbase=ALICE.public),), (), lookup(scene.accounts), now_s=0.0
    )
    assert scene.pending(ALICE) == [0]


def test_a_reorganisation_returns_in_nonce_order_what_the_new_branch_lacks() -> None:
    scene = Scene(bob=10)
    scene.accounts[ALICE.public] = Account(7, 3)
    scene.submit(ALICE, 3)
    first = scene.block([transfer(ALICE, PAYEE, 0, 1), transfer(ALICE, PAYEE, 1, 1)])
    second = scene.block([transfer(ALICE, PAYEE, 2, 1), transfer(BOB, PAYEE, 0, 1)])
    other = scene.block([transfer(ALICE, PAYEE, 0, 1)])
    scene.accounts[ALICE.public] = Account(9, 1)
    scene.pool.follow((other,), (second, first), lookup(scene.accounts), now_s=0.0)
    assert scene.pending(ALICE) == [1, 2, 3]
    assert [each.nonce for each in scene.pool.candidates(10)] == [1, 2, 3, 0]
    assert scene.pending(BOB) == [0]


def test_demotions_that_overfill_the_queue_cost_the_poorest() -> None:
    scene = Scene(SMALL, alice=10, bob=20)
    scene.submit(BOB, 7)
    scene.submit(BOB, 8)
    scene.submit(ALICE, 0, 5)
    scene.submit(ALICE, 1, 5)
    scene.accounts[ALICE.public] = Account(4)
    scene.pool.recheck()
    assert (scene.queued(BOB), scene.queued(ALICE)) == ([7, 8], [])


# -- time, listings, the file -----------------------------------------------------------------------


def test_what_is_too_old_goes_and_takes_its_successors_out_of_pending() -> None:
    scene = Scene(replace(ROOMY, expiry_s=100.0), alice=10, bob=10)
    scene.submit(ALICE, 0, now_s=0.0)
    scene.submit(ALICE, 1, now_s=50.0)
    scene.submit(BOB, 0, now_s=50.0)
    scene.news()
    scene.pool.expire(now_s=99.9)
    assert scene.news() == []
    scene.pool.expire(now_s=100.0)
    assert scene.news() == [("removed", RemovalReason.EXPIRED)]
    assert (scene.queued(ALICE), scene.pending(BOB)) == ([1], [0])


def test_pages_are_in_order_of_id_and_join_without_gaps() -> None:
    scene = Scene(alice=50, bob=50)
    for payer in (ALICE, BOB):
        for nonce in range(4):
            scene.submit(payer, nonce)
    whole = [each.transaction.id for each in scene.pool.page(100, None, None)]
    assert whole == sorted(whole)
    assert len(whole) == 8
    paged, after = [], None
    while page := scene.pool.page(3, after, None):
        paged += [each.transaction.id for each in page]
        after = paged[-1]
    assert paged == whole
    alices = scene.pool.page(100, None, ALICE.public)
    assert {each.transaction.sender for each in alices} == {ALICE.public}
    assert scene.pool.page(1, alices[0].transaction.id, ALICE.public) == alices[1:2]
    assert scene.pool.page(9, None, CAROL.public) == scene.pool.page(-1, None, None) == ()


def test_funds_are_the_first_free_nonce_and_what_is_not_spent_yet() -> None:
    scene = Scene()
    scene.accounts[ALICE.public] = Account(10, 4)
    assert scene.pool.funds(ALICE.public) == Funds(4, 10)
    for nonce in (4, 5, 7):
        scene.submit(ALICE, nonce, 20)
    assert scene.pool.funds(ALICE.public) == Funds(6, 10 - 3 * 20)


def test_the_revision_tells_a_change_of_the_pending_ones_only() -> None:
    scene = Scene(alice=10)
    scene.submit(ALICE, 1)
    assert (scene.pool.revision, scene.pool.changes) == (0, 1)
    scene.submit(ALICE, 0)
    assert scene.pool.revision > 0


def test_saved_lines_fill_an_empty_pool_in_the_same_way() -> None:
    scene = Scene(SMALL, alice=50, bob=20)
    for payer, nonce in ((BOB, 5), (ALICE, 1), (ALICE, 0), (BOB, 0)):
        scene.submit(payer, nonce)
    copy = Scene(SMALL, alice=50, bob=20)
    for line in scene.pool.lines():
        copy.pool.admit(line, now_s=0.0)
    assert copy.pool.candidates(9) == scene.pool.candidates(9)
    assert copy.queued(BOB) == scene.queued(BOB) == [5]
    assert copy.pool.info() == scene.pool.info()
