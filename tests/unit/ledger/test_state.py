"""The state transition, rule by rule."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from actors.ledger.codec import make_block, make_transaction
from actors.ledger.keys import ED25519, P192_SHA1
from actors.ledger.network import Network
from actors.ledger.state import (
    Applied,
    apply_block,
    check_account,
    check_header,
    check_policy,
    check_transaction,
)
from actors.ledger.types import MAX_INTEGER, Account, Block, BlockRef, Transaction
from actors.ledger.violation import Rule, Violation
from actors.ledger.work import has_work
from tests.support.ledger import EASY_MAIN, EASY_WORKSHOP, child, key, lookup, transfer

_PAYER, _PAYEE, _MINER = (key(ED25519, label) for label in ("payer", "payee", "miner"))
_REWARD = EASY_MAIN.block_reward
_TIP = BlockRef(7, b"\x07" * 32)
_FUNDED = {_PAYER.public: Account(balance=100, nonce=3)}


def _tampered(transaction: Transaction, **changes: int) -> Transaction:
    fields = {"nonce": transaction.nonce, "amount": transaction.amount, **changes}
    return make_transaction(
        transaction.sender, transaction.recipient, signature=transaction.signature, **fields
    )


def _apply(
    transactions: Sequence[Transaction],
    accounts: dict[bytes, Account],
    network: Network = EASY_MAIN,
    coinbase: bytes = _MINER.public,
) -> Applied | Violation:
    return apply_block(network, _TIP, lookup(accounts), child(_TIP, coinbase, transactions))


def _applied(
    transactions: Sequence[Transaction],
    accounts: dict[bytes, Account],
    network: Network = EASY_MAIN,
    coinbase: bytes = _MINER.public,
) -> dict[bytes, Account]:
    outcome = _apply(transactions, accounts, network, coinbase)
    assert isinstance(outcome, Applied)
    return dict(outcome.accounts)


def _rule(outcome: Applied | Violation | None) -> Rule | None:
    return outcome.rule if isinstance(outcome, Violation) else None


def test_an_empty_block_credits_the_coinbase_alone() -> None:
    assert _applied([], _FUNDED) == {_MINER.public: Account(_REWARD, 0)}


def test_an_amount_moves_and_the_sender_s_nonce_rises() -> None:
    assert _applied([transfer(_PAYER, _PAYEE.public, 3, 40)], _FUNDED) == {
        _PAYER.public: Account(60, 4),
        _PAYEE.public: Account(40, 0),
        _MINER.public: Account(_REWARD, 0),
    }


def test_a_transfer_to_oneself_moves_nothing_and_uses_a_nonce() -> None:
    changed = _applied([transfer(_PAYER, _PAYER.public, 3, 100)], _FUNDED)
    assert changed[_PAYER.public] == Account(100, 4)


def test_a_transfer_to_oneself_must_be_covered() -> None:
    assert _rule(_apply([transfer(_PAYER, _PAYER.public, 3, 101)], _FUNDED)) is Rule.BALANCE


def test_a_transfer_to_oneself_never_overflows() -> None:
    rich = {_PAYER.public: Account(MAX_INTEGER, 0)}
    changed = _applied([transfer(_PAYER, _PAYER.public, 0, MAX_INTEGER)], rich)
    assert changed[_PAYER.public] == Account(MAX_INTEGER, 1)


def test_a_zero_amount_is_allowed_to_an_account_that_does_not_exist() -> None:
    changed = _applied([transfer(_PAYER, _PAYEE.public, 0, 0)], {})
    assert changed[_PAYER.public] == Account(0, 1)
    assert changed[_PAYEE.public] == Account(0, 0)


def test_what_is_received_can_be_spent_in_the_same_block() -> None:
    changed = _applied(
        [transfer(_PAYER, _PAYEE.public, 3, 100), transfer(_PAYEE, _PAYER.public, 0, 30)], _FUNDED
    )
    assert changed[_PAYER.public] == Account(30, 4)
    assert changed[_PAYEE.public] == Account(70, 1)


def test_the_reward_cannot_be_spent_in_its_own_block() -> None:
    assert _rule(_apply([transfer(_MINER, _PAYEE.public, 0, 1)], {})) is Rule.BALANCE


def test_a_coinbase_that_is_paid_in_its_block_gets_both() -> None:
    changed = _applied([transfer(_PAYER, _MINER.public, 3, 40)], _FUNDED)
    assert changed[_MINER.public] == Account(40 + _REWARD, 0)


def test_a_network_without_reward_credits_nothing() -> None:
    changed = _applied([], {}, replace(EASY_MAIN, block_reward=0))
    assert changed == {_MINER.public: Account(0, 0)}


def test_an_empty_coinbase_of_the_field_is_an_account_like_any_other() -> None:
    changed = _applied([], {}, EASY_WORKSHOP, coinbase=b"")
    assert changed == {b"": Account(EASY_WORKSHOP.block_reward, 0)}


@pytest.mark.parametrize(("nonce", "rule"), [(2, Rule.NONCE_USED), (3, None), (4, Rule.NONCE_GAP)])
def test_a_nonce_must_be_the_account_s(nonce: int, rule: Rule | None) -> None:
    assert _rule(_apply([transfer(_PAYER, _PAYEE.public, nonce, 1)], _FUNDED)) is rule


@pytest.mark.parametrize(("amount", "rule"), [(100, None), (101, Rule.BALANCE)])
def test_an_amount_must_be_covered(amount: int, rule: Rule | None) -> None:
    assert _rule(_apply([transfer(_PAYER, _PAYEE.public, 3, amount)], _FUNDED)) is rule


def test_a_used_nonce_is_reported_before_the_balance() -> None:
    transaction = transfer(_PAYER, _PAYEE.public, 2, 1_000)
    violation = check_account(transaction, _FUNDED[_PAYER.public])
    assert _rule(violation) is Rule.NONCE_USED


def test_a_transaction_cannot_be_replayed_within_a_block() -> None:
    transaction = transfer(_PAYER, _PAYEE.public, 3, 1)
    violation = _apply([transaction, transaction], _FUNDED)
    assert isinstance(violation, Violation)
    assert (violation.rule, violation.transaction_index) == (Rule.NONCE_USED, 1)


def test_a_changed_amount_breaks_the_signature() -> None:
    transaction = _tampered(transfer(_PAYER, _PAYEE.public, 3, 1), amount=2)
    assert _rule(_apply([transaction], _FUNDED)) is Rule.SIGNATURE


def test_a_signature_is_judged_before_the_account() -> None:
    transaction = _tampered(transfer(_PAYER, _PAYEE.public, 3, 1), nonce=9, amount=2)
    assert _rule(_apply([transaction], {})) is Rule.SIGNATURE


def test_a_known_signature_is_not_verified_again() -> None:
    transaction = _tampered(transfer(_PAYER, _PAYEE.public, 3, 1), amount=2)
    block = child(_TIP, _MINER.public, [transaction])
    outcome = apply_block(
        EASY_MAIN, _TIP, lookup(_FUNDED), block, signature_known={transaction.id}.__contains__
    )
    assert isinstance(outcome, Applied)


def test_a_signature_that_is_not_known_is_verified() -> None:
    transaction = _tampered(transfer(_PAYER, _PAYEE.public, 3, 1), amount=2)
    block = child(_TIP, _MINER.public, [transaction])
    outcome = apply_block(EASY_MAIN, _TIP, lookup(_FUNDED), block, signature_known=lambda _: False)
    assert _rule(outcome) is Rule.SIGNATURE


@pytest.mark.parametrize("payee_balance", [MAX_INTEGER, MAX_INTEGER - 9])
def test_a_credit_above_the_bound_makes_a_block_invalid(payee_balance: int) -> None:
    accounts = {**_FUNDED, _PAYEE.public: Account(payee_balance, 0)}
    violation = _apply([transfer(_PAYER, _PAYEE.public, 3, 10)], accounts)
    assert isinstance(violation, Violation)
    assert (violation.rule, violation.transaction_index) == (Rule.OVERFLOW, 0)


def test_a_credit_up_to_the_bound_is_valid() -> None:
    accounts = {**_FUNDED, _PAYEE.public: Account(MAX_INTEGER - 10, 0)}
    changed = _applied([transfer(_PAYER, _PAYEE.public, 3, 10)], accounts)
    assert changed[_PAYEE.public].balance == MAX_INTEGER


def test_a_reward_above_the_bound_makes_a_block_invalid() -> None:
    accounts = {_MINER.public: Account(MAX_INTEGER - _REWARD + 1, 0)}
    violation = _apply([], accounts)
    assert isinstance(violation, Violation)
    assert (violation.rule, violation.transaction_index) == (Rule.OVERFLOW, None)


def test_a_reward_up_to_the_bound_is_valid() -> None:
    accounts = {_MINER.public: Account(MAX_INTEGER - _REWARD, 0)}
    assert _applied([], accounts)[_MINER.public].balance == MAX_INTEGER


@pytest.mark.parametrize("number", [0, 1, _TIP.number, _TIP.number + 2])
def test_a_block_follows_its_parent_s_number(number: int) -> None:
    block = make_block(number, 0, _TIP.hash, _MINER.public, ())
    assert _rule(apply_block(EASY_MAIN, _TIP, lookup({}), block)) is Rule.NUMBER


def test_a_block_follows_its_parent_s_hash() -> None:
    block = make_block(_TIP.number + 1, 0, bytes(32), _MINER.public, ())
    assert _rule(apply_block(EASY_MAIN, _TIP, lookup({}), block)) is Rule.PARENT


def test_a_block_needs_the_network_s_work() -> None:
    network = replace(EASY_MAIN, difficulty=2)
    blocks = [make_block(8, nonce, _TIP.hash, _MINER.public, ()) for nonce in range(2_000)]
    verdicts = {block.hash.hex()[:2]: check_header(network, block) for block in blocks}
    assert verdicts.pop("00") is None
    assert {_rule(violation) for violation in verdicts.values()} == {Rule.WORK}


@pytest.mark.parametrize(
    ("leading", "difficulty"), [("ff", 0), ("0f", 1), ("00f", 2), ("0" * 16 + "f", 16)]
)
def test_work_is_counted_in_hex_digits(leading: str, difficulty: int) -> None:
    block_hash = bytes.fromhex(leading.ljust(64, "f"))
    assert has_work(block_hash, difficulty)
    assert not has_work(block_hash, difficulty + 1)


@pytest.mark.parametrize(("count", "rule"), [(10, None), (11, Rule.TOO_MANY_TRANSACTIONS)])
def test_a_block_holds_a_limited_number_of_transactions(count: int, rule: Rule | None) -> None:
    transactions = [transfer(_PAYER, _PAYEE.public, nonce, 0) for nonce in range(count)]
    assert _rule(_apply(transactions, {})) is rule


def test_a_block_of_too_many_transactions_is_refused_before_any_signature() -> None:
    transaction = _tampered(transfer(_PAYER, _PAYEE.public, 3, 1), amount=2)
    assert _rule(_apply([transaction] * 11, {})) is Rule.TOO_MANY_TRANSACTIONS


@pytest.mark.parametrize("length", [0, 25, 31, 33])
def test_a_coinbase_of_ed25519_has_32_bytes(length: int) -> None:
    assert _rule(_apply([], {}, coinbase=bytes(length))) is Rule.MALFORMED


@pytest.mark.parametrize("length", [0, 25, 31, 33])
def test_a_recipient_of_ed25519_has_32_bytes(length: int) -> None:
    transaction = transfer(_PAYER, bytes(length), 3, 1)
    assert _rule(check_transaction(EASY_MAIN, transaction)) is Rule.MALFORMED


def test_consensus_takes_a_recipient_that_is_no_point() -> None:
    transaction = transfer(_PAYER, bytes(32), 3, 1)
    assert check_transaction(EASY_MAIN, transaction) is None
    assert _rule(check_policy(EASY_MAIN, transaction)) is Rule.POLICY


@pytest.mark.parametrize("sender", [b"\x01" + bytes(31), bytes(32), b"\x02" * 31])
def test_a_sender_that_is_no_public_key_is_reported_as_such(sender: bytes) -> None:
    transaction = make_transaction(sender, _PAYEE.public, 0, 0, bytes(64))
    assert _rule(check_transaction(EASY_MAIN, transaction)) is Rule.PUBLIC_KEY


def test_a_signature_is_valid_on_its_own_scheme_only() -> None:
    payer = key(P192_SHA1, "payer")
    transaction = transfer(payer, payer.public, 0, 0)
    assert check_transaction(EASY_WORKSHOP, transaction) is None
    assert check_transaction(EASY_MAIN, transaction) is not None


def test_an_ordinary_transaction_is_within_policy() -> None:
    assert check_policy(EASY_MAIN, transfer(_PAYER, _PAYEE.public, 3, 1)) is None
    payer = key(P192_SHA1, "payer")
    assert check_policy(EASY_WORKSHOP, transfer(payer, payer.public, 0, 0)) is None


@pytest.mark.parametrize("recipient", [b"", b"\x05", bytes(33), bytes(25)])
def test_policy_refuses_a_recipient_of_the_field_that_is_no_compressed_key(
    recipient: bytes,
) -> None:
    transaction = transfer(key(P192_SHA1, "payer"), recipient, 0, 0)
    assert check_transaction(EASY_WORKSHOP, transaction) is None
    assert _rule(check_policy(EASY_WORKSHOP, transaction)) is Rule.POLICY


def test_policy_refuses_a_transaction_of_more_than_1_kib_whatever_its_keys() -> None:
    public = key(P192_SHA1, "payer").public
    base_bytes = len(make_transaction(public, public, 0, 0, b"c").raw) - 2
    room_bytes = (1024 - base_bytes) // 2
    fitting = make_transaction(public, public, 0, 0, bytes(room_bytes))
    too_long = make_transaction(public, public, 0, 0, bytes(room_bytes + 1))
    assert check_policy(EASY_WORKSHOP, fitting) is None
    assert _rule(check_policy(EASY_WORKSHOP, too_long)) is Rule.POLICY


def test_an_invalid_block_leaves_no_trace() -> None:
    accounts = dict(_FUNDED)
    transactions = [transfer(_PAYER, _PAYEE.public, 3, 1), transfer(_PAYER, _PAYEE.public, 9, 1)]
    assert _rule(_apply(transactions, accounts)) is Rule.NONCE_GAP
    assert accounts == _FUNDED


def test_a_valid_block_changes_only_what_it_returns() -> None:
    accounts = dict(_FUNDED)
    _applied([transfer(_PAYER, _PAYEE.public, 3, 1)], accounts)
    assert accounts == _FUNDED


def test_genesis_is_no_block_to_apply() -> None:
    genesis: Block = EASY_MAIN.genesis
    assert _rule(apply_block(EASY_MAIN, genesis.ref, lookup({}), genesis)) is Rule.NUMBER
