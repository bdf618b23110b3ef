"""The listings of tips and of accounts."""

from __future__ import annotations

import pytest

from actors.chain import serving as serving_module
from actors.chain.importer import Importer
from actors.chain.messages import (
    AccountsPage,
    ListAccounts,
    ListTips,
    TipCursor,
    TipStatus,
    TipView,
)
from actors.chain.serving import Serving
from actors.chain.store import Store
from actors.ledger.types import Block, BlockRef
from tests.support.chains import ALICE, BOB, CAROL, EASY, mine, mine_chain, transfer

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 6)
SIDE = mine_chain(EASY, CHAIN[1].ref, 3, BOB.public)
BRANCH = mine_chain(EASY, SIDE[0].ref, 1, CAROL.public)
EQUALS = (mine(EASY, CHAIN[3].ref, BOB.public), mine(EASY, CHAIN[3].ref, CAROL.public))
"""Number 5, as the last of SIDE."""
PAYING = mine(EASY, CHAIN[5].ref, BOB.public, [transfer(ALICE, CAROL.public, 0, 30)])
IN_ORDER = sorted((ALICE.public, BOB.public, CAROL.public))


class Desk:
    """A chain and its answers."""

    def __init__(self, *blocks: Block) -> None:
        self.store = Store.open(None, EASY)
        self.importer = Importer(self.store, EASY)
        self.importer.add(blocks)
        self.serving = Serving(self.store)

    def tips(self, page_size: int = 50) -> list[TipView]:
        """All, over pages."""
        found: list[TipView] = []
        start: TipCursor | None = None
        while True:
            page = self.serving.tips(ListTips(page_size, start))
            assert 1 <= len(page.tips) <= page_size
            found += page.tips
            start = page.next_start
            if start is None:
                return found

    def balances(
        self, at: int | BlockRef | None = None, page_size: int = 50
    ) -> dict[bytes, tuple[int, int]]:
        """Of all accounts, over pages."""
        found: dict[bytes, tuple[int, int]] = {}
        start: bytes | None = b""
        while start is not None:
            page = self.serving.accounts(ListAccounts(page_size, start, at))
            assert isinstance(page, AccountsPage)
            assert len(page.accounts) <= page_size
            for view in page.accounts:
                assert view.address not in found
                assert view.at == page.at
                found[view.address] = (view.account.balance, view.account.nonce)
            start = page.next_start
        return found


def test_a_chain_of_genesis_has_one_tip() -> None:
    assert Desk().tips() == [TipView(GENESIS.ref, TipStatus.CANONICAL, GENESIS.ref)]


@pytest.mark.parametrize("page_size", [1, 2, 50])
def test_every_end_of_a_branch_is_a_tip_with_its_fork(page_size: int) -> None:
    broke = mine(EASY, CHAIN[5].ref, ALICE.public, [transfer(BOB, ALICE.public, 0, 5)])
    desk = Desk(*CHAIN, *SIDE, *BRANCH, broke, *EQUALS)
    expected = [
        TipView(broke.ref, TipStatus.INVALID, CHAIN[5].ref),
        TipView(CHAIN[5].ref, TipStatus.CANONICAL, CHAIN[5].ref),
        *(TipView(block.ref, TipStatus.UNEXECUTED, CHAIN[3].ref) for block in reversed(EQUALS)),
        TipView(SIDE[2].ref, TipStatus.UNEXECUTED, CHAIN[1].ref),
        TipView(BRANCH[0].ref, TipStatus.UNEXECUTED, CHAIN[1].ref),
    ]
    assert desk.tips(page_size) == expected
    assert [view.length for view in expected] == [1, 0, 1, 1, 3, 2]


def test_a_branch_that_was_left_is_valid_and_one_by_the_operators_word_invalidated() -> None:
    longer = mine_chain(EASY, CHAIN[3].ref, 4, BOB.public)
    desk = Desk(*CHAIN)
    desk.importer.add(longer)
    desk.importer.invalidate(longer[2].hash)
    assert desk.tips() == [
        TipView(longer[3].ref, TipStatus.INVALIDATED, CHAIN[3].ref),
        TipView(CHAIN[5].ref, TipStatus.CANONICAL, CHAIN[5].ref),
    ]
    desk.importer.reconsider(longer[2].hash)
    assert desk.tips() == [
        TipView(longer[3].ref, TipStatus.CANONICAL, longer[3].ref),
        TipView(CHAIN[5].ref, TipStatus.VALID, CHAIN[3].ref),
    ]


def test_a_page_of_tips_ends_early_when_branches_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "MAX_WALKED_BLOCKS", 3)
    desk = Desk(*CHAIN, *SIDE, *BRANCH)
    page = desk.serving.tips(ListTips(50))
    assert [view.tip for view in page.tips] == [CHAIN[5].ref, SIDE[2].ref]
    assert page.next_start is not None
    assert len(desk.tips()) == 3


@pytest.mark.parametrize("page_size", [1, 2, 50])
def test_all_accounts_are_listed_as_of_a_block(page_size: int) -> None:
    desk = Desk(*CHAIN, PAYING)
    assert desk.balances(page_size=page_size) == {
        ALICE.public: (570, 1),
        BOB.public: (100, 0),
        CAROL.public: (30, 0),
    }
    assert desk.balances(at=5, page_size=page_size) == {ALICE.public: (500, 0)}
    assert desk.balances(at=0, page_size=page_size) == {}


def test_accounts_come_by_the_bytes_of_their_addresses() -> None:
    assert list(Desk(*CHAIN, PAYING).balances()) == IN_ORDER


def test_a_listing_of_a_block_goes_on_while_the_chain_grows() -> None:
    desk = Desk(*CHAIN, PAYING)
    first = desk.serving.accounts(ListAccounts(1))
    assert isinstance(first, AccountsPage)
    desk.importer.add(mine_chain(EASY, PAYING.ref, 2))
    assert first.next_start is not None
    rest = desk.serving.accounts(ListAccounts(5, first.next_start, first.at))
    assert isinstance(rest, AccountsPage)
    total = sum(view.account.balance for view in (*first.accounts, *rest.accounts))
    assert total == EASY.block_reward * first.at.number


def test_a_listing_of_a_block_that_is_canonical_no_more_is_none() -> None:
    desk = Desk(*CHAIN)
    first = desk.serving.accounts(ListAccounts(1))
    assert isinstance(first, AccountsPage)
    desk.importer.invalidate(CHAIN[5].hash)
    desk.importer.add(mine_chain(EASY, CHAIN[4].ref, 2, BOB.public))
    assert desk.serving.accounts(ListAccounts(1, b"", first.at)) is None


@pytest.mark.parametrize("at", [7, 2**63, -1])
def test_accounts_of_a_block_that_is_not_there_are_none(at: int) -> None:
    assert Desk(*CHAIN).serving.accounts(ListAccounts(1, b"", at)) is None
