from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from actors.chain.importer import Importer
from actors.chain.messages import BlockOutcome
from actors.chain.signatures import Signatures
from actors.chain.store import Store
from actors.chain.tree import Status
from actors.ledger.codec import make_block, make_transaction
from actors.ledger.signatures import KnownSignatures
from actors.ledger.types import Account, Block, BlockRef
from actors.ledger.violation import Rule
from actors.runtime.team import Alone
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer, workless

T = TypeVar("T")
R = TypeVar("R")
GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 6)


class Chain:
    """A store in memory and its importer."""

    def __init__(self, path: Path | None = None) -> None:
        self.store = Store.open(path, EASY)
        self.importer = Importer(self.store, EASY)

    def add(self, *blocks: Block) -> list[BlockOutcome]:
        return [verdict.outcome for verdict in self.importer.add(blocks).verdicts]

    def rule(self, block: Block) -> Rule | None:
        violation = self.importer.add((block,)).verdicts[0].violation
        return None if violation is None else violation.rule


def test_a_block_on_the_tip_is_connected_and_its_reward_credited() -> None:
    chain = Chain()
    imported = chain.importer.add(CHAIN[:1])
    assert imported.verdicts[0].outcome is BlockOutcome.CONNECTED
    assert imported.change is not None
    assert imported.change.tip == CHAIN[0].ref
    assert imported.change.connected == CHAIN[:1]
    assert imported.change.disconnected == ()
    assert chain.store.account(ALICE.public) == Account(100, 0)


def test_a_batch_is_connected_as_one_change() -> None:
    chain = Chain()
    change = chain.importer.add(CHAIN).change
    assert change is not None
    assert change.connected == CHAIN
    assert chain.store.account_at(ALICE.public, 3).balance == 300


def test_a_known_block_changes_nothing() -> None:
    chain = Chain()
    chain.add(*CHAIN)
    imported = chain.importer.add(CHAIN[2:4])
    assert {verdict.outcome for verdict in imported.verdicts} == {BlockOutcome.KNOWN}
    assert imported.change is None
    assert chain.add(GENESIS) == [BlockOutcome.KNOWN]


def test_a_block_without_its_parent_is_an_orphan_and_not_stored() -> None:
    chain = Chain()
    assert chain.add(CHAIN[2]) == [BlockOutcome.ORPHAN]
    assert chain.store.header(CHAIN[2].hash) is None


def test_a_block_that_can_never_connect_is_invalid_and_not_stored() -> None:
    chain = Chain()
    chain.add(*CHAIN[:2])
    gap = make_block(4, 0, CHAIN[1].hash, b"c" * 32, ())
    while not gap.hash.hex().startswith("0"):
        gap = make_block(4, gap.nonce + 1, CHAIN[1].hash, b"c" * 32, ())
    other_root = mine(EASY, make_block(0, 1, bytes(32), b"", ()).ref)
    other_genesis = make_block(0, 9, bytes(32), b"c" * 32, ())
    while not other_genesis.hash.hex().startswith("0"):
        other_genesis = make_block(0, other_genesis.nonce + 1, bytes(32), b"c" * 32, ())
    assert chain.rule(workless(EASY, CHAIN[1].ref)) is Rule.WORK
    assert chain.rule(workless(EASY, CHAIN[5].ref)) is Rule.WORK, "before it is held as an orphan"
    assert chain.rule(gap) is Rule.NUMBER
    assert chain.rule(other_root) is Rule.PARENT
    assert chain.rule(other_genesis) is Rule.NUMBER
    assert chain.store.side_blocks() == 0


def test_a_side_branch_is_stored_but_not_executed_until_it_is_longest() -> None:
    chain = Chain()
    chain.add(*CHAIN[:3])
    broke = mine(EASY, CHAIN[0].ref, transactions=[transfer(BOB, ALICE.public, 0, 5)])
    assert chain.add(broke) == [BlockOutcome.SIDE_BRANCH]
    header = chain.store.header(broke.hash)
    assert header is not None
    assert header.status is Status.STORED


def test_a_tie_is_won_by_the_first_seen_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    chain = Chain(path)
    side = mine_chain(EASY, GENESIS.ref, 3, BOB.public)
    chain.add(*CHAIN[:3])
    assert chain.add(*side) == [BlockOutcome.SIDE_BRANCH] * 3
    chain.store.close()
    again = Chain(path)
    assert again.store.tip() == CHAIN[2].ref
    assert again.add(*side) == [BlockOutcome.KNOWN] * 3
    assert again.store.tip() == CHAIN[2].ref


@pytest.mark.parametrize("depth", [1, 2, 5, 6])
def test_a_longer_branch_replaces_as_much_of_the_chain_as_need_be(depth: int) -> None:
    chain = Chain()
    chain.add(*CHAIN)
    fork = (GENESIS, *CHAIN)[6 - depth]
    branch = mine_chain(EASY, fork.ref, depth + 1, BOB.public)
    assert chain.add(*branch[:-1]) == [BlockOutcome.SIDE_BRANCH] * depth
    change = chain.importer.add(branch[-1:]).change
    assert change is not None
    assert change.connected == branch
    assert change.disconnected == tuple(reversed(CHAIN[6 - depth :]))
    assert chain.store.account(ALICE.public).balance == 100 * (6 - depth)
    assert chain.store.account(BOB.public).balance == 100 * (depth + 1)
    assert chain.store.account_at(ALICE.public, 1).balance == (0 if depth == 6 else 100)


def test_a_transaction_moves_to_the_branch_that_is_canonical() -> None:
    chain = Chain()
    pay = transfer(ALICE, BOB.public, 0, 60)
    chain.add(*CHAIN[:1])
    chain.add(mine(EASY, CHAIN[0].ref, BOB.public, [pay]))
    assert chain.store.account(BOB.public).balance == 160
    branch = mine_chain(EASY, CHAIN[0].ref, 1)
    late = mine(EASY, branch[-1].ref, ALICE.public, [pay])
    chain.add(*branch, late)
    assert chain.store.account(BOB.public) == Account(60, 0)
    assert chain.store.account(ALICE.public) == Account(240, 1)
    place = chain.store.transaction_place(pay.id)
    assert place is not None
    assert place.number == 3


def invalid_on(parent: Block) -> Block:
    return mine(EASY, parent.ref, BOB.public, [transfer(ALICE, BOB.public, 99, 1)])


def test_an_invalid_block_is_marked_and_the_tip_stays() -> None:
    chain = Chain()
    chain.add(*CHAIN[:2])
    bad = invalid_on(CHAIN[1])
    assert chain.rule(bad) is Rule.NONCE_GAP
    assert chain.store.tip() == CHAIN[1].ref
    child = mine(EASY, bad.ref)
    assert chain.add(bad, child) == [BlockOutcome.INVALID] * 2
    header = chain.store.header(child.hash)
    assert header is not None
    assert header.status is Status.INVALID


def test_a_branch_with_an_invalid_block_is_taken_up_to_it_if_that_is_longer() -> None:
    chain = Chain()
    chain.add(*CHAIN[:2])
    side = mine_chain(EASY, GENESIS.ref, 3, BOB.public)
    bad = invalid_on(side[-1])
    child = mine(EASY, bad.ref)
    imported = chain.importer.add((*side, bad, child))
    assert [verdict.outcome for verdict in imported.verdicts] == [
        *[BlockOutcome.CONNECTED] * 3,
        *[BlockOutcome.INVALID] * 2,
    ]
    assert imported.change is not None
    assert imported.change.tip == side[-1].ref


def test_a_branch_with_an_early_invalid_block_leaves_no_trace_in_the_state() -> None:
    chain = Chain()
    chain.add(*CHAIN[:3])
    bad = invalid_on(GENESIS)
    rest = mine_chain(EASY, bad.ref, 4, BOB.public)
    imported = chain.importer.add((bad, *rest))
    assert imported.change is None
    assert {verdict.outcome for verdict in imported.verdicts} == {BlockOutcome.INVALID}
    assert chain.store.tip() == CHAIN[2].ref
    assert chain.store.account(BOB.public) == Account()


def test_when_the_longest_branch_is_invalid_the_next_longest_is_taken() -> None:
    chain = Chain()
    chain.add(*CHAIN[:2])
    second = mine_chain(EASY, CHAIN[0].ref, 2, BOB.public)
    bad = invalid_on(GENESIS)
    longest = mine_chain(EASY, bad.ref, 5, BOB.public)
    change = chain.importer.add((bad, *longest, *second)).change
    assert change is not None
    assert change.tip == second[-1].ref


def test_the_invalid_mark_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    chain = Chain(path)
    bad = invalid_on(GENESIS)
    chain.add(bad)
    chain.store.close()
    assert Chain(path).add(bad) == [BlockOutcome.INVALID]


def test_a_rehearsal_says_the_same_and_changes_nothing() -> None:
    chain = Chain()
    chain.add(*CHAIN[:1])
    bad = invalid_on(CHAIN[0])
    for block, outcome in ((CHAIN[1], BlockOutcome.CONNECTED), (bad, BlockOutcome.INVALID)):
        verdict = chain.importer.add((block,), keep=False).verdicts[0]
        assert verdict.outcome is outcome
        assert chain.store.header(block.hash) is None
    assert chain.store.tip() == CHAIN[0].ref


def test_a_block_that_is_stored_is_pending_no_more() -> None:
    chain = Chain()
    with chain.store.transaction():
        for block in CHAIN[:3]:
            chain.store.add_pending(block)
    chain.add(*CHAIN[:2])
    assert chain.add(CHAIN[4]) == [BlockOutcome.ORPHAN]
    assert chain.store.pending_roots() == (CHAIN[2].hash,)
    assert chain.store.pending_count() == 1


def test_known_signatures_are_not_checked_again() -> None:
    known, store = KnownSignatures(), Store.open(None, EASY)
    pay = transfer(ALICE, BOB.public, 0, 1)
    forged = make_transaction(pay.sender, pay.recipient, pay.nonce, pay.amount, b"\1" * 64)
    block = mine(EASY, CHAIN[0].ref, transactions=[forged])
    importer = Importer(store, EASY, Signatures(EASY, known=known))
    importer.add((CHAIN[0],))
    assert importer.add((block,), keep=False).verdicts[0].outcome is BlockOutcome.INVALID
    known.add(forged.id)
    assert importer.add((block,), keep=False).verdicts[0].outcome is BlockOutcome.CONNECTED


class Counting(Alone):
    """Counts what is looked at."""

    def __init__(self) -> None:
        self.looked_at = 0

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        self.looked_at += len(items)
        return super().map(work, items)


def test_no_signature_is_looked_at_before_the_proof_of_work_of_the_whole_run() -> None:
    team, store = Counting(), Store.open(None, EASY)
    importer = Importer(store, EASY, Signatures(EASY, team))
    importer.add(CHAIN[:1])
    pays = [transfer(ALICE, BOB.public, nonce, 1) for nonce in range(3)]
    paying = mine(EASY, CHAIN[0].ref, transactions=pays)
    lazy = workless(EASY, paying.ref)
    for wrong in (make_block(2, lazy.nonce, CHAIN[0].hash, lazy.coinbase, pays), lazy):
        assert not wrong.hash.hex().startswith("0")
        importer.add((wrong,))
    assert team.looked_at == 0
    importer.add((paying, lazy))
    assert team.looked_at == 3
    assert store.tip() == paying.ref


def test_what_changes_nothing_opens_no_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(None, EASY)
    importer = Importer(store, EASY)
    importer.add(mine_chain(EASY, EASY.genesis.ref, 3))

    def refuse(*, keep: bool = True) -> None:
        pytest.fail(f"a transaction was opened (keep: {keep})")

    monkeypatch.setattr(store, "transaction", refuse)
    orphan = mine(EASY, BlockRef(7, b"o" * 32))
    for block, outcome in (
        (orphan, BlockOutcome.ORPHAN),
        (workless(EASY, EASY.genesis.ref), BlockOutcome.INVALID),
        (mine(EASY, BlockRef(0, b"g" * 32)), BlockOutcome.INVALID),
    ):
        imported = importer.add((block,))
        assert imported.change is None
        assert [verdict.outcome for verdict in imported.verdicts] == [outcome]
