"""The operator's word about blocks, at the importer and its store."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.chain import importer as importing
from actors.chain.importer import Importer
from actors.chain.messages import BlockOutcome, SteerOutcome
from actors.chain.store import Store
from actors.chain.tree import Status
from actors.ledger.types import Block
from actors.ledger.violation import Rule
from tests.support.chains import ALICE, BOB, CAROL, EASY, mine, mine_chain, transfer

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 6)
SIDE = mine_chain(EASY, CHAIN[1].ref, 3, BOB.public)
EQUAL = mine_chain(EASY, CHAIN[2].ref, 2, CAROL.public)
"""Number 5, as SIDE, and seen later."""


class Chain:
    """A store and its importer."""

    def __init__(self, *blocks: Block, path: Path | None = None) -> None:
        self.store = Store.open(path, EASY)
        self.importer = Importer(self.store, EASY)
        self.add(*blocks)

    def add(self, *blocks: Block) -> list[BlockOutcome]:
        return [verdict.outcome for verdict in self.importer.add(blocks).verdicts]

    def invalidate(self, block: Block) -> SteerOutcome:
        return self.importer.invalidate(block.hash).outcome

    def reconsider(self, block: Block) -> SteerOutcome:
        return self.importer.reconsider(block.hash).outcome

    def status(self, block: Block) -> Status:
        header = self.store.header(block.hash)
        assert header is not None
        return header.status

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """All that is stored, but for the bytes of the blocks."""
        columns = {
            "blocks": "id, hash, number, status",
            "canonical": "*",
            "accounts": "*",
            "transactions": "*",
            "tips": "*",
            "invalidated": "*",
        }
        return {
            table: self.store._db.execute(f"SELECT {names} FROM {table} ORDER BY 1, 2").fetchall()
            if table != "invalidated"
            else self.store._db.execute("SELECT * FROM invalidated ORDER BY 1").fetchall()
            for table, names in columns.items()
        }


def test_an_invalidated_tip_gives_way_to_its_parent() -> None:
    chain = Chain(*CHAIN)
    steered = chain.importer.invalidate(CHAIN[-1].hash)
    assert steered.outcome is SteerOutcome.DONE
    assert steered.change is not None
    assert steered.change.tip == chain.store.tip() == CHAIN[-2].ref
    assert (steered.change.connected, steered.change.disconnected) == ((), CHAIN[-1:])
    assert chain.store.account(ALICE.public).balance == 500


def test_the_longest_branch_that_is_left_is_followed_and_the_first_seen_of_equals() -> None:
    chain = Chain(*CHAIN, *SIDE, *EQUAL)
    steered = chain.importer.invalidate(CHAIN[2].hash)
    assert steered.change is not None
    assert steered.change.disconnected == tuple(reversed(CHAIN[2:]))
    assert steered.change.connected == SIDE
    assert chain.status(EQUAL[1]) is Status.INVALIDATED_STORED, "it stands on the block as well"
    assert chain.status(CHAIN[5]) is Status.INVALIDATED_VALID
    other = Chain(*CHAIN, *EQUAL, *SIDE)
    other.invalidate(CHAIN[3])
    assert other.store.tip() == EQUAL[1].ref


def test_a_branch_that_breaks_a_rule_is_passed_over_for_the_next() -> None:
    broke = mine(EASY, SIDE[2].ref, BOB.public, [transfer(CAROL, BOB.public, 0, 5)])
    chain = Chain(*CHAIN, *SIDE, broke)
    chain.invalidate(CHAIN[2])
    assert chain.store.tip() == SIDE[2].ref
    assert chain.status(broke) is Status.INVALID


def test_reconsidering_leaves_everything_as_it_was() -> None:
    chain = Chain(*CHAIN, *SIDE)
    before = chain.rows()
    assert chain.invalidate(CHAIN[2]) is SteerOutcome.DONE
    assert chain.store.tip() == SIDE[2].ref
    assert chain.reconsider(CHAIN[2]) is SteerOutcome.DONE
    after = chain.rows()
    was_executed = dict(after)
    was_executed["blocks"] = [
        (*row[:3], Status.STORED if row[1] in {b.hash for b in SIDE} else row[3])
        for row in after["blocks"]
    ]
    assert was_executed == before


def test_a_tie_goes_back_to_the_first_seen() -> None:
    equal = mine_chain(EASY, CHAIN[1].ref, 4, BOB.public)
    chain = Chain(*CHAIN, *equal)
    chain.invalidate(CHAIN[3])
    assert chain.store.tip() == equal[3].ref
    chain.reconsider(CHAIN[3])
    assert chain.store.tip() == CHAIN[5].ref


def test_what_comes_later_on_an_invalidated_block_is_not_followed_either() -> None:
    chain = Chain(*CHAIN[:4])
    chain.invalidate(CHAIN[3])
    assert chain.add(*CHAIN[4:]) == [BlockOutcome.INVALIDATED] * 2
    assert chain.add(CHAIN[5]) == [BlockOutcome.INVALIDATED], "a known one says so as well"
    assert chain.store.tip() == CHAIN[2].ref
    chain.reconsider(CHAIN[3])
    assert chain.store.tip() == CHAIN[5].ref
    assert chain.status(CHAIN[5]) is Status.VALID


def test_the_hash_of_a_tip_takes_back_every_mark_below_it() -> None:
    chain = Chain(*CHAIN)
    chain.invalidate(CHAIN[4])
    chain.invalidate(CHAIN[1])
    assert chain.store.tip() == CHAIN[0].ref
    assert chain.reconsider(CHAIN[5]) is SteerOutcome.DONE
    assert chain.store.tip() == CHAIN[5].ref
    assert chain.rows()["invalidated"] == []


def test_a_descendant_with_a_mark_of_its_own_stays_invalidated() -> None:
    chain = Chain(*CHAIN)
    chain.invalidate(CHAIN[4])
    chain.invalidate(CHAIN[1])
    chain.reconsider(CHAIN[2])
    assert chain.store.tip() == CHAIN[3].ref
    assert chain.status(CHAIN[5]) is Status.INVALIDATED_VALID
    assert chain.reconsider(CHAIN[4]) is SteerOutcome.DONE
    assert chain.store.tip() == CHAIN[5].ref


def test_a_rule_is_stronger_than_the_word_that_takes_a_mark_back() -> None:
    broke = mine(EASY, CHAIN[5].ref, ALICE.public, [transfer(BOB, ALICE.public, 0, 5)])
    child = mine(EASY, broke.ref)
    chain = Chain(*CHAIN, broke)
    assert chain.status(broke) is Status.INVALID
    assert chain.invalidate(broke) is SteerOutcome.UNCHANGED
    chain.invalidate(CHAIN[5])
    assert chain.add(child) == [BlockOutcome.INVALID]
    assert chain.reconsider(child) is SteerOutcome.DONE, "the mark below it is taken back"
    assert chain.store.tip() == CHAIN[5].ref
    assert (chain.status(broke), chain.status(child)) == (Status.INVALID, Status.INVALID)


def test_a_marked_block_on_one_that_turns_out_to_break_a_rule_is_invalid_for_good() -> None:
    broke = mine(EASY, GENESIS.ref, BOB.public, [transfer(BOB, ALICE.public, 0, 5)])
    above = mine_chain(EASY, broke.ref, 4, BOB.public)
    chain = Chain(*CHAIN[:3], broke, *above[:2])
    chain.invalidate(above[0])
    assert chain.status(above[1]) is Status.INVALIDATED_STORED
    chain.invalidate(CHAIN[0])
    assert chain.store.tip() == GENESIS.ref, "the other branch was executed, and refused"
    assert chain.reconsider(above[0]) is SteerOutcome.DONE
    assert chain.status(above[1]) is Status.INVALID
    assert chain.add(*above) == [BlockOutcome.INVALID] * 4
    assert chain.store.tip() == GENESIS.ref


def test_what_cannot_be_done_says_why_and_does_nothing() -> None:
    chain = Chain(*CHAIN)
    before = chain.rows()
    unknown = mine(EASY, CHAIN[-1].ref)
    assert chain.invalidate(GENESIS) is SteerOutcome.GENESIS
    assert chain.invalidate(unknown) is SteerOutcome.NOT_FOUND
    assert chain.reconsider(unknown) is SteerOutcome.NOT_FOUND
    assert chain.reconsider(CHAIN[0]) is SteerOutcome.UNCHANGED
    assert chain.rows() == before
    chain.invalidate(CHAIN[0])
    assert chain.invalidate(CHAIN[0]) is SteerOutcome.UNCHANGED


@pytest.mark.parametrize("most", [4, 5])
def test_no_more_blocks_move_than_may(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    chain = Chain(*CHAIN, *SIDE)
    monkeypatch.setattr(importing, "MAX_STEERED_BLOCKS", most)
    before = chain.rows()
    assert chain.invalidate(CHAIN[2]) is SteerOutcome.TOO_DEEP, "four leave and three join"
    assert chain.invalidate(CHAIN[0]) is SteerOutcome.TOO_DEEP, "six leave"
    assert chain.rows() == before
    assert chain.store.tip() == CHAIN[5].ref
    assert chain.invalidate(CHAIN[5]) is SteerOutcome.DONE


def test_taking_back_moves_no_more_blocks_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(*CHAIN)
    chain.invalidate(CHAIN[0])
    before = chain.rows()
    monkeypatch.setattr(importing, "MAX_STEERED_BLOCKS", 5)
    assert chain.reconsider(CHAIN[0]) is SteerOutcome.TOO_DEEP
    assert chain.rows() == before


def test_marks_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    before = Chain(*CHAIN, *SIDE, path=path)
    before.invalidate(CHAIN[2])
    before.store.close()
    again = Chain(path=path)
    assert again.store.tip() == SIDE[2].ref
    assert again.add(*mine_chain(EASY, CHAIN[5].ref, 3)) == [BlockOutcome.INVALIDATED] * 3
    assert again.store.tip() == SIDE[2].ref
    highest = again.store.highest_invalidated()
    assert highest is not None
    assert highest.number == 9
    again.reconsider(CHAIN[2])
    assert again.store.tip().number == 9
    assert again.store.highest_invalidated() is None


def test_a_rehearsal_on_an_invalidated_block_says_so_and_stores_nothing() -> None:
    chain = Chain(*CHAIN[:3])
    chain.invalidate(CHAIN[2])
    before = chain.rows()
    rehearsed = chain.importer.add(CHAIN[3:4], keep=False)
    (verdict,) = rehearsed.verdicts
    assert verdict.outcome is BlockOutcome.INVALIDATED
    assert verdict.violation is not None
    assert verdict.violation.rule is Rule.PARENT
    assert chain.rows() == before
