"""Each answer shows the chain as one commit left it, whatever is committed while it is put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.chain.importer import Importer
from actors.chain.locator import make_locator
from actors.chain.messages import (
    GetAccount,
    GetBlock,
    GetTransaction,
    ListAccounts,
    ListBlocks,
    ListTips,
)
from actors.chain.serving import Serving
from actors.chain.store import Reader, Store
from actors.chain.wire import encode_locator
from tests.support.chains import ALICE, BOB, CAROL, EASY, mine, mine_chain, transfer

PAY = transfer(ALICE, CAROL.public, 0, 30)
COMMON = mine_chain(EASY, EASY.genesis.ref, 3)
PAYING = mine(EASY, COMMON[-1].ref, ALICE.public, [PAY])
LEFT = (PAYING, *mine_chain(EASY, PAYING.ref, 2))
RIGHT = mine_chain(EASY, COMMON[-1].ref, 5, BOB.public)
"""Longer: no block of LEFT, none of its accounts and no payment is left."""
LOCATOR = encode_locator(make_locator(4, {b.number: b.hash for b in (*COMMON, *LEFT)}.get))

QUESTIONS: dict[str, Callable[[Serving], object]] = {
    "a block by number": lambda serving: serving.answer(GetBlock(number=5)),
    "a block by hash": lambda serving: serving.answer(GetBlock(hash=LEFT[0].hash)),
    "blocks": lambda serving: serving.answer(ListBlocks(None, 10)),
    "a transaction": lambda serving: serving.answer(GetTransaction(PAY.id)),
    "an account": lambda serving: serving.answer(GetAccount(ALICE.public)),
    "an account at a block": lambda serving: serving.answer(GetAccount(CAROL.public, 4)),
    "accounts": lambda serving: serving.answer(ListAccounts(10)),
    "tips": lambda serving: serving.answer(ListTips(10)),
    "blocks for a peer": lambda serving: serving.blocks_after(LOCATOR),
}


class Desk:
    """A store on disk on the LEFT chain, and a reader of it that is interrupted."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path, EASY)
        self._importer = Importer(self.store, EASY)
        self._importer.add((*COMMON, *LEFT))
        self.reader = self.store.reader()
        self._left = iter(RIGHT)
        self._statements = 0

    def interrupt(self) -> None:
        """Commit a block of RIGHT before each of the reader's questions to SQLite but the first."""
        self.reader._db.set_trace_callback(self._on_statement)

    def _on_statement(self, statement: str) -> None:
        if statement.startswith(("SELECT", "WITH")):
            self._statements += 1
            if self._statements > 1 and (block := next(self._left, None)) is not None:
                self._importer.add((block,))

    def close(self) -> None:
        self.reader.close()
        self.store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "chain.db")
    yield desk
    desk.close()


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_an_answer_is_of_one_commit_however_many_come_meanwhile(
    desk: Desk, ask: Callable[[Serving], object]
) -> None:
    serving = Serving(desk.reader)
    before = ask(Serving(desk.store))
    desk.interrupt()
    with desk.reader.snapshot():
        assert ask(serving) == before
        for _ in RIGHT:
            assert ask(serving) == before, "and so is the next one of the same snapshot"
    assert desk.store.tip() == RIGHT[-1].ref
    assert ask(serving) == ask(Serving(desk.store)), "a new snapshot sees all"
    assert ask(serving) != before


def test_without_a_snapshot_an_answer_may_be_of_two_commits(desk: Desk) -> None:
    """Else the test above would show nothing."""
    before = Serving(desk.store).accounts(ListAccounts(10))
    desk.interrupt()
    mixed = Serving(desk.reader).accounts(ListAccounts(10))
    assert mixed not in (before, Serving(desk.store).accounts(ListAccounts(10)))


def test_a_snapshot_ends_with_an_error_within_it(desk: Desk) -> None:
    def fail() -> None:
        with desk.reader.snapshot():
            desk.reader.tip()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not desk.reader._db.in_transaction
    with desk.reader.snapshot():
        assert desk.reader.tip() == LEFT[-1].ref


def test_the_reader_of_a_store_in_memory_has_no_transactions_of_its_own() -> None:
    store = Store.open(None, EASY)
    reader: Reader = store.reader()
    with store.transaction(), reader.snapshot():
        assert reader.tip() == EASY.genesis.ref
    with reader.snapshot(), store.transaction():
        pass
