"""The reader alone: people's questions, requests for blocks, look-ups, and its life."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, TypeVar

import pytest

from actors.chain import wire
from actors.chain.importer import Importer
from actors.chain.messages import (
    AccountsPage,
    AccountView,
    GetAccount,
    GetBlock,
    GetTransaction,
    HistoryPruned,
    ListAccounts,
    ListBlocks,
    ListTips,
)
from actors.chain.reader import ReaderActor
from actors.chain.store import Store
from actors.config import MIN_KEEP_HISTORY
from actors.ledger.types import Account, Block
from actors.messaging.messages import (
    ANSWER_BUDGET_BYTES,
    Done,
    Inbound,
    MessageType,
    Received,
    RespondBatch,
)
from actors.runtime.address import Address, Ask
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.search.messages import LookedUp, LookUp
from actors.tcp.messages import ConnId
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, raws, transfer
from tests.support.player import Player
from tests.support.probe import Probe

R = TypeVar("R")

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 5)
SIDE = mine_chain(EASY, CHAIN[1].ref, 4, BOB.public)
PAY = transfer(ALICE, BOB.public, 0, 30)
PAYING = mine(EASY, CHAIN[4].ref, ALICE.public, [PAY])
CONN = ConnId(1)
FROM_GENESIS = wire.encode_locator((GENESIS.hash,))
QUESTIONS: tuple[Ask[Any], ...] = (
    GetBlock(number=2),
    ListBlocks(None, 3),
    GetTransaction(PAY.id),
    GetAccount(ALICE.public),
    ListAccounts(10),
    ListTips(10),
)
"""One of each kind."""


class Desk:
    """A store and its reader; every method leaves the pump idle."""

    def __init__(self, *blocks: Block, path: Path | None = None, keep_history: int = 0) -> None:
        self.pump = Pump(1, FakeClock())
        self.messaging = Probe(self.pump, "messaging")
        self.search, self.peers = Probe(self.pump, "search"), Probe(self.pump, "peers")
        self.supervisor = Probe(self.pump, "supervisor")
        self.store = Store.open(path, EASY, keep_history=keep_history)
        self.importer = Importer(self.store, EASY)
        self.importer.add(blocks)
        self.player = Player(
            self.pump,
            "reader",
            lambda me: ReaderActor(
                store=self.store.reader(),
                me=me,
                messaging=self.messaging.address,
                peers=self.peers.address,
                supervisor=self.supervisor.address,
            ),
        )
        self.reader = self.player.address

    def ask(self, question: Ask[R]) -> R:
        return self.pump.ask(self.reader, question)

    def look_up(self, query: bytes) -> bytes | None:
        """What the search room is told."""
        self.reader.tell(LookUp(8, query, self.search.address))
        self.pump.run_until_idle()
        (answer,) = self.search.take()
        assert answer == LookedUp(8, answer.answer)
        found: bytes | None = answer.answer
        return found

    def requested(self, *payloads: bytes, of: MessageType = MessageType.REQUEST) -> list[object]:
        """What messaging is told when a peer asks for blocks, with message ids from 0."""
        self.reader.tell(
            Received(
                tuple(
                    Inbound(CONN, of, number, wire.GET_BLOCKS_KIND, payload)
                    for number, payload in enumerate(payloads)
                )
            )
        )
        self.pump.run_until_idle()
        return self.messaging.take()

    def everything(self) -> list[object]:
        """An answer of each kind."""
        return [
            *map(self.ask, QUESTIONS),
            self.look_up(CHAIN[1].hash),
            self.requested(FROM_GENESIS),
        ]


# -- people's questions -----------------------------------------------------------------------------


def test_a_block_is_found_by_hash_and_by_number() -> None:
    desk = Desk(*CHAIN, SIDE[0])
    by_number = desk.ask(GetBlock(number=2))
    assert by_number is not None
    assert (by_number.block, by_number.canonical, by_number.confirmations) == (CHAIN[1], True, 4)
    assert desk.ask(GetBlock(hash=CHAIN[1].hash)) == by_number
    side = desk.ask(GetBlock(hash=SIDE[0].hash))
    assert side is not None
    assert (side.canonical, side.confirmations) == (False, 0)


@pytest.mark.parametrize("number", [6, -1, 2**63, 2**80])
def test_a_number_that_no_block_has_finds_nothing(number: int) -> None:
    desk = Desk(*CHAIN)
    assert desk.ask(GetBlock(number=number)) is None
    assert desk.ask(GetAccount(ALICE.public, number)) is None


def test_blocks_are_listed_downwards() -> None:
    desk = Desk(*CHAIN)

    def listed(start: int | None, limit: int) -> list[int]:
        return [block.number for block in desk.ask(ListBlocks(start, limit))]

    assert listed(3, 2) == [3, 2]
    assert listed(2**70, 3) == [5, 4, 3]
    assert listed(None, 3) == [5, 4, 3]
    assert listed(1, 10) == [1, 0]
    assert listed(-1, 10) == []
    assert listed(3, 0) == []


def test_a_transaction_is_found_with_its_block() -> None:
    desk = Desk(*CHAIN, PAYING)
    view = desk.ask(GetTransaction(PAY.id))
    assert view is not None
    assert (view.transaction, view.block, view.index, view.confirmations) == (
        PAY,
        PAYING.ref,
        0,
        1,
    )
    assert desk.ask(GetTransaction(b"x" * 32)) is None


def test_an_account_is_told_now_and_as_of_a_block() -> None:
    desk = Desk(*CHAIN, PAYING)
    now = desk.ask(GetAccount(ALICE.public))
    assert isinstance(now, AccountView)
    assert (now.account, now.at) == (Account(570, 1), PAYING.ref)
    before = desk.ask(GetAccount(ALICE.public, 2))
    assert isinstance(before, AccountView)
    assert (before.account, before.at) == (Account(200, 0), CHAIN[1].ref)
    nobody = desk.ask(GetAccount(b"n" * 32))
    assert isinstance(nobody, AccountView)
    assert nobody.account == Account()


def test_accounts_as_of_a_block_whose_history_is_pruned_are_refused_and_blocks_are_not() -> None:
    length, kept = MIN_KEEP_HISTORY + 5, MIN_KEEP_HISTORY
    desk = Desk(*mine_chain(EASY, GENESIS.ref, length), keep_history=kept)
    for number in (0, 4):
        assert desk.ask(GetAccount(ALICE.public, number)) == HistoryPruned(5)
        assert desk.ask(ListAccounts(10, at=number)) == HistoryPruned(5)
    oldest = desk.ask(GetAccount(ALICE.public, 5))
    assert isinstance(oldest, AccountView)
    assert oldest.account == Account(500, 0)
    for at in (5, None):
        page = desk.ask(ListAccounts(10, at=at))
        assert isinstance(page, AccountsPage)
        assert [view.account.balance for view in page.accounts] == [100 * (at or length)]
    assert desk.ask(GetBlock(number=1)) is not None
    assert desk.ask(GetAccount(ALICE.public, length + 1)) is None, "it was never there"


# -- requests of peers and look-ups -----------------------------------------------------------------


def test_blocks_after_the_newest_common_one_are_served() -> None:
    desk = Desk(*CHAIN)
    for locator, blocks in (
        ([CHAIN[1].hash, GENESIS.hash], CHAIN[2:]),
        ([SIDE[0].hash, GENESIS.hash], CHAIN),
        ([CHAIN[4].hash], ()),
        ([b"x" * 32], ()),
    ):
        answer = RespondBatch(CONN, ((0, wire.encode_batch(raws(blocks))),))
        assert desk.requested(wire.encode_locator(locator)) == [answer]


def test_only_canonical_blocks_are_served_to_a_locator() -> None:
    desk = Desk(*CHAIN, SIDE[0])
    (answer,) = desk.requested(wire.encode_locator([SIDE[0].hash, CHAIN[0].hash]))
    assert answer == RespondBatch(CONN, ((0, wire.encode_batch(raws(CHAIN[1:]))),))


def test_the_requests_of_a_batch_are_answered_in_one_message_and_the_rest_gives_credit_back() -> (
    None
):
    desk = Desk(*CHAIN)
    told = desk.requested(FROM_GENESIS, b"rubbish", FROM_GENESIS, b"")  # one turn's
    whole = wire.encode_batch(raws(CHAIN))
    assert told == [RespondBatch(CONN, ((0, whole), (2, whole))), Done(CONN, 2, useless=2)]


def test_what_is_no_request_gets_no_answer_and_gives_its_credit_back() -> None:
    assert Desk(*CHAIN).requested(FROM_GENESIS, of=MessageType.REGULAR) == [
        Done(CONN, 1, useless=1)
    ]


def test_a_flood_of_requests_is_answered_within_the_budget_for_a_batch() -> None:
    desk = Desk(*CHAIN)
    whole = len(wire.encode_batch(raws(CHAIN)))
    flood = 2 * ANSWER_BUDGET_BYTES // whole
    told = desk.requested(*[FROM_GENESIS] * flood)
    answered = sum(len(each.answers) for each in told if isinstance(each, RespondBatch))
    assert answered == -(-ANSWER_BUDGET_BYTES // whole)
    assert sum(each.messages for each in told if isinstance(each, Done)) == flood - answered


def test_any_connected_block_is_looked_up_but_none_that_is_unknown_or_invalid() -> None:
    bad = mine(EASY, CHAIN[4].ref, transactions=[transfer(BOB, ALICE.public, 3, 1)])
    far = mine(EASY, mine(EASY, SIDE[3].ref).ref)
    desk = Desk(*CHAIN, SIDE[0], bad, far)
    for block in (CHAIN[2], SIDE[0], GENESIS):
        assert desk.look_up(block.hash) == block.raw
    for query in (bad.hash, far.hash, b"short"):
        assert desk.look_up(query) is None


# -- beside the one that writes ---------------------------------------------------------------------


def test_everything_is_answered_from_the_last_commit_while_blocks_are_written(
    tmp_path: Path,
) -> None:
    desk = Desk(*CHAIN, SIDE[0], PAYING, path=tmp_path / "chain.db")
    committed = desk.everything()
    with desk.store.transaction():
        desk.store.disconnect_above(2)
        assert desk.store.tip() == CHAIN[1].ref
        assert desk.everything() == committed
    assert desk.ask(GetBlock(number=3)) is None, "and from the next one after it"


def test_no_snapshot_is_held_between_questions(tmp_path: Path) -> None:
    """One that is held would keep the write-ahead log growing: it is emptied only past all readers."""
    desk = Desk(*CHAIN, PAYING, path=tmp_path / "chain.db")
    desk.store._db.execute("PRAGMA busy_timeout = 0")
    desk.everything()
    busy, left, _ = desk.store._db.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchone()
    assert (busy, left) == (0, 0)


# -- its life ---------------------------------------------------------------------------------------


def test_a_reader_that_fell_while_it_answered_answers_again(tmp_path: Path) -> None:
    desk = Desk(*CHAIN, PAYING, path=tmp_path / "chain.db")
    before = desk.everything()
    desk.player.fall_and_rise()
    assert desk.everything() == before


def test_a_reader_whose_connection_is_lost_restarts_with_a_new_one(tmp_path: Path) -> None:
    opened = []
    pump = Pump(1, FakeClock())
    store = Store.open(tmp_path / "chain.db", EASY)
    messaging = Probe(pump, "messaging")

    def build(me: Address[Any]) -> ReaderActor:
        opened.append(store.reader())
        to = messaging.address
        return ReaderActor(store=opened[-1], me=me, messaging=to, peers=to, supervisor=to)

    player = Player(pump, "reader", build)
    opened[0].close()
    player.fell()
    player.start()
    found = pump.ask(player.address, GetBlock(number=0))
    assert found is not None
    assert found.block == GENESIS
    assert len(opened) == 2


@pytest.mark.parametrize("end", [Player.fell, Player.stop])
def test_its_connection_ends_with_it(tmp_path: Path, end: object) -> None:
    assert callable(end)
    desk = Desk(path=tmp_path / "chain.db")
    actor = desk.player.actor
    assert isinstance(actor, ReaderActor)
    end(desk.player)
    with pytest.raises(sqlite3.ProgrammingError):
        actor._store.tip()
