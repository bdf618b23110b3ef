import pytest

from actors.chain import replay
from actors.chain.accounts import RecentAccounts
from actors.chain.importer import Importer
from actors.chain.replay import Replay
from actors.chain.store import Store
from actors.ledger.state import Applied
from actors.ledger.types import EMPTY_ACCOUNT, Account
from actors.ledger.violation import Rule, Violation
from tests.support.chains import ALICE, BOB, CAROL, EASY, mine, mine_chain, transfer

HEAD = mine_chain(EASY, EASY.genesis.ref, 6)
PAID = mine(EASY, HEAD[-1].ref, BOB.public, [transfer(ALICE, CAROL.public, n, 5) for n in (0, 1)])
CHAIN = (*HEAD, PAID, *mine_chain(EASY, PAID.ref, 3, BOB.public))


@pytest.mark.parametrize("held", [1, 2, 16_384])
def test_a_replay_ends_with_the_newest_versions_of_the_store(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "FLUSH_ACCOUNTS", held)
    store = Store.open(None, EASY)
    Importer(store, EASY).add(CHAIN)
    again = Replay(EASY)
    for block in CHAIN:
        assert isinstance(again.apply(block), Applied)
        assert again.account(block.coinbase) == store.account_at(block.coinbase, block.number)
    newest = store._db.execute(
        "SELECT address, max(height), balance, nonce FROM accounts GROUP BY address ORDER BY address"
    )
    assert list(again.versions()) == newest.fetchall()
    assert again.account(CAROL.public) == Account(10, 0)
    assert again.account(b"\0" * 32) == EMPTY_ACCOUNT
    again.close()


def test_a_block_that_breaks_a_rule_changes_nothing() -> None:
    again = Replay(EASY)
    again.apply(CHAIN[0])
    bad = mine(EASY, CHAIN[0].ref, BOB.public, [transfer(ALICE, BOB.public, 0, 101)])
    violation = again.apply(bad)
    assert isinstance(violation, Violation)
    assert violation.rule is Rule.BALANCE
    assert again.tip == CHAIN[0].ref
    assert again.account(BOB.public) == EMPTY_ACCOUNT
    assert isinstance(again.apply(CHAIN[1]), Applied)
    again.close()


def test_no_more_accounts_are_remembered_than_two_generations() -> None:
    recent = RecentAccounts(10)
    for number in range(1_000):
        recent.put({bytes([number % 250]) * 32: Account(number)})
        assert len(recent._new) + len(recent._old) <= 20
    found = [recent.get(bytes([number % 250]) * 32) for number in range(990, 1_000)]
    assert found == [Account(number) for number in range(990, 1_000)]
    assert recent.get(bytes([980 % 250 - 20]) * 32) is None


def test_what_is_asked_for_is_remembered_for_longer() -> None:
    recent = RecentAccounts(10)
    recent.put({ALICE.public: Account(7)})
    for number in range(100):
        recent.put({bytes([number]) * 32: Account(number)})
        assert recent.get(ALICE.public) == Account(7)
    recent.clear()
    assert recent.get(ALICE.public) is None
