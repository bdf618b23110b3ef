"""Building: what the next block takes, and what is reported for eviction."""

from collections.abc import Iterator
from dataclasses import replace

from actors.ledger.build import Built, build_block, select_transactions
from actors.ledger.codec import make_transaction
from actors.ledger.keys import ED25519
from actors.ledger.state import Applied, apply_block
from actors.ledger.types import MAX_INTEGER, Account, BlockRef, Transaction
from actors.ledger.violation import Rule
from tests.support.ledger import EASY_MAIN, key, lookup, transfer

_PAYER, _PAYEE, _MINER = (key(ED25519, label) for label in ("payer", "payee", "miner"))
_TIP = BlockRef(7, b"\x07" * 32)
_FUNDED = {_PAYER.public: Account(balance=100, nonce=3)}


def _select(transactions: list[Transaction], accounts: dict[bytes, Account] | None = None) -> Built:
    state = lookup(_FUNDED if accounts is None else accounts)
    return select_transactions(EASY_MAIN, state, _MINER.public, transactions)


def _evicted(built: Built) -> dict[bytes, Rule]:
    return {transaction_id: violation.rule for transaction_id, violation in built.never_valid}


def _unsigned(nonce: int) -> Transaction:
    return make_transaction(_PAYER.public, _PAYEE.public, nonce, 1, bytes(64))


def test_valid_transactions_are_taken_in_order() -> None:
    transactions = [transfer(_PAYER, _PAYEE.public, nonce, 1) for nonce in (3, 4, 5)]
    assert _select(transactions) == Built(tuple(transactions), ())


def test_an_early_transaction_is_passed_over_and_kept() -> None:
    early, due = transfer(_PAYER, _PAYEE.public, 4, 1), transfer(_PAYER, _PAYEE.public, 3, 1)
    assert _select([early, due]) == Built((due,), ())


def test_a_transaction_that_is_not_covered_is_passed_over_and_kept() -> None:
    assert _select([transfer(_PAYER, _PAYEE.public, 3, 101)]) == Built((), ())


def test_a_used_nonce_is_reported_for_eviction_whatever_its_amount() -> None:
    used = transfer(_PAYER, _PAYEE.public, 2, 1_000)
    assert _evicted(_select([used])) == {used.id: Rule.NONCE_USED}


def test_a_nonce_that_this_selection_took_is_not_reported() -> None:
    first, rival = transfer(_PAYER, _PAYEE.public, 3, 1), transfer(_PAYER, _PAYEE.public, 3, 2)
    assert _select([first, rival]) == Built((first,), ())


def test_a_bad_signature_is_reported_for_eviction() -> None:
    unsigned = _unsigned(3)
    assert _evicted(_select([unsigned])) == {unsigned.id: Rule.SIGNATURE}


def test_a_vetted_transaction_is_held_neither_to_its_signature_nor_to_policy_again() -> None:
    given = [_unsigned(3), transfer(_PAYER, bytes(32), 4, 1)]
    built = select_transactions(
        EASY_MAIN, lookup(_FUNDED), _MINER.public, given, vetted=lambda _: True
    )
    assert built == Built(tuple(given), ())


def test_a_transaction_against_policy_is_not_built() -> None:
    lost = transfer(_PAYER, bytes(32), 3, 1)
    assert _select([lost]).transactions == ()
    assert _evicted(_select([lost])) == {lost.id: Rule.POLICY}


def test_a_transaction_may_spend_what_an_earlier_one_paid() -> None:
    transactions = [transfer(_PAYER, _PAYEE.public, 3, 50), transfer(_PAYEE, _PAYER.public, 0, 20)]
    assert _select(transactions).transactions == tuple(transactions)


def test_a_selection_ends_when_the_block_is_full() -> None:
    def endless() -> Iterator[Transaction]:
        nonce = 3
        while True:
            yield transfer(_PAYER, _PAYEE.public, nonce, 0)
            nonce += 1

    built = select_transactions(EASY_MAIN, lookup(_FUNDED), _MINER.public, endless())
    assert len(built.transactions) == EASY_MAIN.max_transactions_per_block


def test_a_credit_above_the_bound_is_passed_over_and_kept() -> None:
    accounts = {**_FUNDED, _PAYEE.public: Account(MAX_INTEGER, 0)}
    assert _select([transfer(_PAYER, _PAYEE.public, 3, 1)], accounts) == Built((), ())


def test_a_payment_to_the_coinbase_leaves_room_for_the_reward() -> None:
    accounts = {**_FUNDED, _MINER.public: Account(MAX_INTEGER - EASY_MAIN.block_reward, 0)}
    assert _select([transfer(_PAYER, _MINER.public, 3, 1)], accounts) == Built((), ())


def test_a_full_coinbase_that_pays_in_its_block_has_room_for_the_reward() -> None:
    state = lookup({_MINER.public: Account(MAX_INTEGER, 0)})
    paying = [transfer(_MINER, _PAYEE.public, 0, EASY_MAIN.block_reward)]
    block, _ = build_block(EASY_MAIN, _TIP, state, _MINER.public, paying)
    applied = apply_block(EASY_MAIN, _TIP, state, block)
    assert isinstance(applied, Applied)
    assert applied.accounts[_MINER.public].balance == MAX_INTEGER


def test_a_block_is_built_even_if_empty() -> None:
    block, built = build_block(EASY_MAIN, _TIP, lookup({}), _MINER.public, [])
    assert (block.number, block.parent_hash, block.nonce) == (8, _TIP.hash, 0)
    assert block.coinbase == _MINER.public
    assert block.transactions == built.transactions == ()


def test_a_built_block_is_valid_once_it_has_work() -> None:
    transactions = [transfer(_PAYER, _PAYEE.public, nonce, 1) for nonce in (9, 3, 2, 4)]
    block, built = build_block(EASY_MAIN, _TIP, lookup(_FUNDED), _MINER.public, transactions)
    assert block.transactions == built.transactions
    assert [transaction.nonce for transaction in block.transactions] == [3, 4]
    assert isinstance(apply_block(EASY_MAIN, _TIP, lookup(_FUNDED), block), Applied)


def test_a_selection_respects_its_network_s_limit() -> None:
    network = replace(EASY_MAIN, max_transactions_per_block=2)
    transactions = [transfer(_PAYER, _PAYEE.public, nonce, 1) for nonce in (3, 4, 5)]
    built = select_transactions(network, lookup(_FUNDED), _MINER.public, transactions)
    assert built.transactions == tuple(transactions[:2])
