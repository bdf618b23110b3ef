import hashlib
from collections.abc import Callable

from actors.ledger.codec import decode_block
from actors.ledger.keys import ED25519
from actors.ledger.state import Applied, apply_block
from actors.ledger.types import Account, AccountLookup
from actors.ledger.work import has_work
from actors.miner.template import draft_block, seal, template_of
from tests.support.ledger import EASY_MAIN, key, lookup, transfer

ALICE, BOB = key(ED25519, "alice"), key(ED25519, "bob")
PARENT = EASY_MAIN.genesis.ref


def at_parent(accounts: AccountLookup) -> Callable[[bytes, int], Account]:
    """Accounts that are asked for as of the parent alone."""

    def account_at(address: bytes, height: int) -> Account:
        assert height == PARENT.number
        return accounts(address)

    return account_at


def test_a_draft_takes_the_valid_candidates_in_order_and_passes_over_the_others() -> None:
    accounts = lookup({ALICE.public: Account(100, 3)})
    used, first, second = (transfer(ALICE, BOB.public, nonce, 10) for nonce in (2, 3, 4))
    early = transfer(BOB, ALICE.public, 9, 1)
    block = draft_block(
        EASY_MAIN, PARENT, at_parent(accounts), BOB.public, (used, early, first, second)
    )
    assert block.transactions == (first, second)
    assert (block.number, block.parent_hash, block.nonce) == (1, PARENT.hash, 0)


def test_a_template_with_a_nonce_is_the_text_of_the_sealed_block() -> None:
    accounts = lookup({ALICE.public: Account(100, 0)})
    candidates = (transfer(ALICE, BOB.public, 0, 10),)
    block = draft_block(EASY_MAIN, PARENT, at_parent(accounts), BOB.public, candidates)
    template = template_of(block, 7)
    sealed = seal(block, 2**64 - 1)
    assert template.prefix + b"%d" % (2**64 - 1) + template.suffix == sealed.raw
    assert template.difficulty == 7
    assert sealed.hash == hashlib.sha256(sealed.raw).digest()
    assert decode_block(sealed.raw) == sealed
    assert has_work(sealed.hash, 0)


def test_a_sealed_draft_is_valid_on_its_tip() -> None:
    accounts = lookup({ALICE.public: Account(15, 0)})
    candidates = [transfer(ALICE, BOB.public, nonce, 10) for nonce in (0, 1)]
    block = seal(draft_block(EASY_MAIN, PARENT, at_parent(accounts), BOB.public, candidates), 5)
    assert len(block.transactions) == 1
    assert isinstance(apply_block(EASY_MAIN, PARENT, accounts, block), Applied)
