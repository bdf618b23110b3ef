"""What holds of the ledger for all inputs."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.ledger.build import build_block, select_transactions
from actors.ledger.codec import decode_block, decode_transaction, make_block, make_transaction
from actors.ledger.keys import ED25519, P192_SHA1, KeyScheme
from actors.ledger.state import Applied, apply_block, touched_addresses
from actors.ledger.types import (
    EMPTY_ACCOUNT,
    MAX_BLOCK_NONCE,
    MAX_INTEGER,
    Account,
    Block,
    BlockRef,
    Transaction,
)
from actors.ledger.violation import Rule, Violation
from tests.support.ledger import EASY_MAIN, key, lookup, transfer

_KEYS = [key(ED25519, label) for label in ("a", "b", "c", "d")]
_ADDRESSES = [private.public for private in _KEYS]
_TIP = BlockRef(7, b"\x07" * 32)
_NETWORK = replace(EASY_MAIN, max_transactions_per_block=8)

_UNHURRIED = settings(deadline=None)  # a busy machine is no failure of the ledger

_integers = st.integers(0, MAX_INTEGER) | st.integers(0, 20)
_transactions = st.builds(
    make_transaction,
    sender=st.binary(min_size=1, max_size=50),
    recipient=st.binary(max_size=50),
    nonce=_integers,
    amount=_integers,
    signature=st.binary(min_size=1, max_size=70),
)
_blocks = st.builds(
    make_block,
    number=_integers,
    nonce=st.integers(0, MAX_BLOCK_NONCE),
    parent_hash=st.binary(min_size=32, max_size=32),
    coinbase=st.binary(max_size=50),
    transactions=st.lists(_transactions, max_size=4),
)

_SPLICES = [
    *(bytes((byte,)) for byte in b"+-_ 019aAfFgGxX,:.;\n\r\t\x00\xff"),
    "\u0661".encode(),
    b"",
    b"00",
    b"0x",
    b"9" * 25,
]


@st.composite
def _mutated(draw: st.DrawFn, originals: st.SearchStrategy[bytes]) -> bytes:
    """Canonical bytes with one stretch of up to two bytes replaced by something tempting."""
    data = draw(originals)
    start = draw(st.integers(0, len(data)))
    end = min(len(data), start + draw(st.integers(0, 2)))
    return data[:start] + draw(st.sampled_from(_SPLICES)) + data[end:]


@st.composite
def _signed(draw: st.DrawFn) -> Transaction:
    """A transfer among four accounts: due, early, replayed, uncovered, or badly signed."""
    payer = draw(st.sampled_from(_KEYS))
    recipient = draw(st.sampled_from([*_ADDRESSES, bytes(32)]))
    amount = draw(st.integers(0, 30) | st.sampled_from([10_000, MAX_INTEGER]))
    transaction = transfer(payer, recipient, draw(st.integers(0, 3)), amount)
    if draw(st.integers(0, 9)):
        return transaction
    return make_transaction(payer.public, recipient, transaction.nonce, amount, bytes(64))


_balances = st.integers(0, 100) | st.sampled_from([MAX_INTEGER - 10_000, MAX_INTEGER])
_accounts = st.dictionaries(
    st.sampled_from(_ADDRESSES), st.builds(Account, balance=_balances, nonce=st.integers(0, 2))
)
_candidates = st.lists(_signed(), max_size=20)


@_UNHURRIED
@given(_transactions)
def test_a_transaction_survives_its_text(transaction: Transaction) -> None:
    decoded = decode_transaction(transaction.raw)
    assert isinstance(decoded, Transaction)
    assert repr(decoded) == repr(transaction)
    assert decoded == transaction


@_UNHURRIED
@given(_blocks)
def test_a_block_survives_its_text(block: Block) -> None:
    decoded = decode_block(block.raw)
    assert isinstance(decoded, Block)
    assert repr(decoded) == repr(block)
    assert decoded == block


def _assert_one_text(data: bytes, decoded: Transaction | Violation) -> None:
    if isinstance(decoded, Violation):
        assert decoded.rule is Rule.MALFORMED
        return
    rebuilt = make_transaction(
        decoded.sender, decoded.recipient, decoded.nonce, decoded.amount, decoded.signature
    )
    assert rebuilt.raw == decoded.raw == data


@_UNHURRIED
@given(_mutated(_transactions.map(lambda transaction: transaction.raw)))
@example(b"0a,0b,1,2,0c\n")
def test_what_decodes_as_a_transaction_is_the_text_of_its_value(data: bytes) -> None:
    _assert_one_text(data, decode_transaction(data))


@_UNHURRIED
@given(_mutated(_blocks.map(lambda block: block.raw)))
def test_what_decodes_as_a_block_is_the_text_of_its_value(data: bytes) -> None:
    block = decode_block(data)
    if isinstance(block, Violation):
        assert block.rule is Rule.MALFORMED
        return
    rebuilt = make_block(
        block.number, block.nonce, block.parent_hash, block.coinbase, block.transactions
    )
    assert rebuilt.raw == block.raw == data
    for transaction in block.transactions:
        _assert_one_text(transaction.raw, transaction)


@_UNHURRIED
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_get_a_verdict(data: bytes) -> None:
    assert isinstance(decode_transaction(data), Transaction | Violation)
    assert isinstance(decode_block(data), Block | Violation)


@_UNHURRIED
@given(
    scheme=st.sampled_from([ED25519, P192_SHA1]),
    sender=st.binary(max_size=50) | st.sampled_from([24, 25, 32, 48, 49]).map(bytes),
    signature=st.binary(max_size=70) | st.sampled_from([48, 64]).map(bytes),
    message=st.binary(max_size=20),
)
def test_no_key_or_signature_makes_a_scheme_raise(
    scheme: KeyScheme, sender: bytes, signature: bytes, message: bytes
) -> None:
    assert not scheme.verify(sender, signature, message)
    for verdict in (
        scheme.is_sender(sender),
        scheme.is_address(sender),
        scheme.is_standard_sender(sender),
        scheme.is_standard_address(sender),
    ):
        assert isinstance(verdict, bool)


@_UNHURRIED
@given(st.sampled_from([ED25519, P192_SHA1]), st.binary(min_size=32, max_size=64), st.binary())
def test_a_signature_verifies_under_its_own_key(
    scheme: KeyScheme, entropy: bytes, message: bytes
) -> None:
    private = scheme.generate(entropy)
    signature = private.sign(message)
    assert scheme.verify(private.public, signature, message)
    assert private.sign(message) == signature
    assert not scheme.verify(private.public, signature, message + b".")


def _next_block(
    accounts: Mapping[bytes, Account], coinbase: bytes, candidates: list[Transaction]
) -> Block:
    block, _ = build_block(_NETWORK, _TIP, lookup(accounts), coinbase, candidates)
    return block


def _has_room(accounts: Mapping[bytes, Account], block: Block) -> bool:
    """Whether the reward fits beside what the coinbase has once it has paid and been paid in the block."""
    balance = accounts.get(block.coinbase, EMPTY_ACCOUNT).balance
    for transaction in block.transactions:
        balance -= transaction.amount if transaction.sender == block.coinbase else 0
        balance += transaction.amount if transaction.recipient == block.coinbase else 0
    return balance <= MAX_INTEGER - _NETWORK.block_reward


@_UNHURRIED
@given(_accounts, st.sampled_from(_ADDRESSES), _candidates)
def test_a_built_block_is_valid(
    accounts: dict[bytes, Account], coinbase: bytes, candidates: list[Transaction]
) -> None:
    block = _next_block(accounts, coinbase, candidates)
    applied = apply_block(_NETWORK, _TIP, lookup(accounts), block)
    if _has_room(accounts, block):
        assert isinstance(applied, Applied)
    else:
        assert isinstance(applied, Violation)
        assert applied.rule is Rule.OVERFLOW


@_UNHURRIED
@given(_accounts, st.sampled_from(_ADDRESSES), _candidates)
def test_a_candidate_is_never_both_taken_and_evicted(
    accounts: dict[bytes, Account], coinbase: bytes, candidates: list[Transaction]
) -> None:
    built = select_transactions(_NETWORK, lookup(accounts), coinbase, candidates)
    taken = {transaction.id for transaction in built.transactions}
    assert len(taken) == len(built.transactions)
    assert not taken & {transaction_id for transaction_id, _ in built.never_valid}


@_UNHURRIED
@given(_accounts, st.sampled_from(_ADDRESSES), st.lists(_signed(), max_size=4))
def test_any_block_conserves_the_supply_but_for_the_reward(
    accounts: dict[bytes, Account], coinbase: bytes, transactions: list[Transaction]
) -> None:
    block = make_block(_TIP.number + 1, 0, _TIP.hash, coinbase, transactions)
    applied = apply_block(_NETWORK, _TIP, lookup(accounts), block, signature_known=lambda _: True)
    if isinstance(applied, Violation):
        return
    after = {**accounts, **applied.accounts}
    assert _supply(after) == _supply(accounts) + _NETWORK.block_reward
    assert all(0 <= account.balance <= MAX_INTEGER for account in after.values())
    nonces = sum(account.nonce for account in after.values())
    assert nonces == sum(account.nonce for account in accounts.values()) + len(transactions)


@_UNHURRIED
@given(_accounts, st.sampled_from(_ADDRESSES), _candidates)
def test_the_accounts_that_a_valid_block_changes_are_known_without_its_execution(
    accounts: dict[bytes, Account], coinbase: bytes, candidates: list[Transaction]
) -> None:
    block = _next_block(accounts, coinbase, candidates)
    applied = apply_block(_NETWORK, _TIP, lookup(accounts), block, signature_known=lambda _: True)
    if isinstance(applied, Applied):
        assert touched_addresses(block) == set(applied.accounts)


def _supply(accounts: Mapping[bytes, Account]) -> int:
    return sum(account.balance for account in accounts.values())


@_UNHURRIED
@given(st.lists(st.tuples(st.sampled_from(_ADDRESSES), _candidates), max_size=6))
def test_the_supply_is_the_reward_times_the_height(
    plan: list[tuple[bytes, list[Transaction]]],
) -> None:
    tip, accounts = _NETWORK.genesis.ref, dict[bytes, Account]()
    for coinbase, candidates in plan:
        block, _ = build_block(_NETWORK, tip, lookup(accounts), coinbase, candidates)
        applied = apply_block(_NETWORK, tip, lookup(accounts), block)
        assert isinstance(applied, Applied)
        tip, accounts = block.ref, {**accounts, **applied.accounts}
    assert tip.number == len(plan)
    assert _supply(accounts) == _NETWORK.block_reward * tip.number
