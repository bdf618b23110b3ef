"""A batch is admitted as its transactions would be one by one, and verifies no more than they would."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.config import MempoolSettings
from actors.ledger.codec import make_transaction
from actors.ledger.signatures import KnownSignatures
from actors.ledger.types import Account, Transaction
from actors.ledger.violation import Violation
from actors.mempool.messages import Admission, PoolInfo, Submission
from actors.mempool.pool import Pool, PoolEvent
from actors.mempool.vetting import Vetting
from actors.runtime.team import ThreadTeam
from tests.support.counting_team import CountingTeam
from tests.support.ledger import EASY_MAIN, lookup, transfer
from tests.support.mempool import ALICE, BOB, CAROL, DAVE, PAYEE

KEYS = (ALICE, BOB, CAROL, DAVE)
STATE = {
    ALICE.public: Account(9),
    BOB.public: Account(3, 1),
    CAROL.public: Account(20),
}
TIGHT = MempoolSettings(
    max_per_sender=4,
    max_pending_per_sender=3,
    max_pending=4,
    max_queued=4,
    expiry_s=50.0,
    broke_share=0.3,
)
ROOMY = replace(TIGHT, max_pending=100, max_queued=100)
NO_KEY = bytes(32)


class CountingVetting(Vetting):
    """Counts the signatures that it verifies, together or at their turn."""

    verified = 0

    def _verify(self, transaction: Transaction) -> Violation | None:
        self.verified += 1
        return super()._verify(transaction)


@cache
def good(payer: int, nonce: int, amount: int) -> bytes:
    return transfer(KEYS[payer], PAYEE, nonce, amount).raw


@cache
def forged(payer: int, nonce: int, amount: int) -> bytes:
    other = transfer(KEYS[payer - 1], PAYEE, nonce, amount)
    sender = KEYS[payer].public
    return make_transaction(sender, PAYEE, nonce, amount, other.signature).raw


@cache
def unwelcome(payer: int, nonce: int, amount: int) -> bytes:
    return transfer(KEYS[payer], NO_KEY, nonce, amount).raw


fields = st.tuples(st.integers(0, len(KEYS) - 1), st.integers(0, 6), st.integers(0, 3))
goods = fields.map(lambda each: good(*each))
anything = st.one_of(
    goods,
    goods,
    fields.map(lambda each: forged(*each)),
    fields.map(lambda each: unwelcome(*each)),
    st.just(b"nonsense"),
)


def batches(lines: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[list[bytes]]]:
    return st.lists(st.lists(lines, max_size=12), max_size=5)


@dataclass(frozen=True)
class Outcome:
    """Everything that one could tell two pools apart by."""

    submissions: list[Submission]
    news: list[PoolEvent]
    info: PoolInfo
    candidates: tuple[Transaction, ...]
    lines: tuple[bytes, ...]
    funds: tuple[object, ...]
    counters: tuple[int, int]
    known: frozenset[bytes]


def pool_of(limits: MempoolSettings, vetting: Vetting | None = None) -> Pool:
    return Pool(limits, vetting or Vetting(EASY_MAIN), lookup(STATE))


def outcome(pool: Pool, submissions: list[Submission], known: KnownSignatures) -> Outcome:
    return Outcome(
        submissions,
        list(pool.take_news()),
        pool.info(),
        pool.candidates(100),
        tuple(pool.lines()),
        tuple(pool.funds(each.public) for each in KEYS),
        (pool.revision, pool.changes),
        frozenset(
            each.transaction.id
            for each in pool.page(100, None, None)
            if each.transaction.id in known
        ),
    )


def one_by_one(limits: MempoolSettings, given_batches: list[list[bytes]]) -> Outcome:
    known = KnownSignatures()
    pool = pool_of(limits, Vetting(EASY_MAIN, known=known))
    submissions = [pool.admit(raw, now_s=0.0) for batch in given_batches for raw in batch]
    return outcome(pool, submissions, known)


@pytest.mark.parametrize("limits", [TIGHT, ROOMY], ids=["tight", "roomy"])
@settings(deadline=None)
@given(given_batches=batches(anything))
def test_batches_end_as_their_transactions_one_by_one(
    limits: MempoolSettings, given_batches: list[list[bytes]]
) -> None:
    known = KnownSignatures()
    pool = pool_of(limits, Vetting(EASY_MAIN, known=known))
    submissions: list[Submission] = []
    for batch in given_batches:
        submissions += pool.admit_all(batch, now_s=0.0)
    assert outcome(pool, submissions, known) == one_by_one(limits, given_batches)


@settings(deadline=None)
@given(given_batches=batches(goods))
def test_batches_of_good_signatures_verify_what_would_be_verified_one_by_one(
    given_batches: list[list[bytes]],
) -> None:
    """Where nobody displaces anybody: else the forecast may err by what is displaced in one batch."""
    together, single = CountingVetting(EASY_MAIN), CountingVetting(EASY_MAIN)
    pool, other = pool_of(ROOMY, together), pool_of(ROOMY, single)
    for batch in given_batches:
        pool.admit_all(batch, now_s=0.0)
        for raw in batch:
            other.admit(raw, now_s=0.0)
    assert together.verified == single.verified


def test_a_batch_verifies_only_what_finds_a_place() -> None:
    vetting = CountingVetting(EASY_MAIN)
    limits = replace(TIGHT, max_per_sender=16, max_pending_per_sender=16)
    pool = pool_of(limits, vetting)
    pending = [good(2, nonce, 0) for nonce in range(7)]
    queued = [good(0, nonce, 0) for nonce in range(1, 7)]
    submissions = pool.admit_all([*pending, *queued, *pending], now_s=0.0)
    assert sum(each.admission is Admission.POOL_FULL for each in submissions) > 0
    assert vetting.verified == pool.info().pending + pool.info().queued


@pytest.mark.parametrize("together", [1, 2, 64])
def test_a_long_batch_is_verified_in_parts_and_in_order(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr("actors.mempool.pool.MAX_TOGETHER", together)
    team = CountingTeam()
    pool = pool_of(ROOMY, Vetting(EASY_MAIN, team))
    lines = [good(2, nonce, 0) for nonce in range(4)] + [b"nonsense", good(1, 1, 1)]
    admissions = [each.admission for each in pool.admit_all(lines, now_s=0.0)]
    assert admissions == [
        *[Admission.PENDING] * 3,
        Admission.QUEUED,
        Admission.REJECTED,
        Admission.PENDING,
    ]
    assert sum(team.shifts) == 5
    assert max(team.shifts) <= together
    assert pool.admit_all((), now_s=0.0) == []


def test_threads_verify_a_batch_like_one() -> None:
    limits = replace(ROOMY, max_per_sender=64, max_pending_per_sender=16)
    lines = [make(2, nonce, 0) for nonce in range(40) for make in (forged, good)]
    with closing(ThreadTeam(2)) as team:
        pool = pool_of(limits, Vetting(EASY_MAIN, team))
        submissions = pool.admit_all(lines, now_s=0.0)
    other = pool_of(limits)
    assert submissions == [other.admit(raw, now_s=0.0) for raw in lines]
    assert pool.candidates(100) == other.candidates(100)


def test_a_transaction_that_comes_back_is_not_verified_again() -> None:
    vetting = CountingVetting(EASY_MAIN)
    pool = pool_of(ROOMY, vetting)
    (submission,) = pool.admit_all([good(0, 0, 1)], now_s=0.0)
    assert submission.tx_id is not None
    pool.evict(submission.tx_id)
    pool.admit_all([good(0, 0, 1)], now_s=0.0)
    pool.evict(submission.tx_id)
    assert pool.admit(good(0, 0, 1), now_s=0.0).admission is Admission.PENDING
    assert vetting.verified == 1


def test_what_breaks_policy_costs_no_verification() -> None:
    vetting = CountingVetting(EASY_MAIN)
    pool = pool_of(ROOMY, vetting)
    pool.admit_all([unwelcome(payer, 1, 0) for payer in range(4)], now_s=0.0)
    pool.admit(unwelcome(0, 0, 1), now_s=0.0)
    assert vetting.verified == 0


def test_what_is_refused_for_its_recipient_is_not_remembered_as_good() -> None:
    known = KnownSignatures()
    pool = pool_of(ROOMY, Vetting(EASY_MAIN, known=known))
    pool.admit_all([unwelcome(0, 0, 1), forged(0, 0, 1)], now_s=0.0)
    assert len(known) == 0
