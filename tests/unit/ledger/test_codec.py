"""Canonical form: one value, one byte string."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from actors.ledger.codec import (
    block_prefix_suffix,
    decode_block,
    decode_transaction,
    make_block,
    make_transaction,
    signing_bytes,
)
from actors.ledger.types import MAX_BLOCK_NONCE, MAX_INTEGER, Block, BlockRef, Transaction
from actors.ledger.violation import Rule, Violation

_PARENT = b"ab" * 32


def _transaction_text(
    sender: bytes = b"0a",
    recipient: bytes = b"0b",
    nonce: bytes = b"1",
    amount: bytes = b"2",
    signature: bytes = b"0c",
) -> bytes:
    return b",".join((sender, recipient, nonce, amount, signature))


def _block_text(
    number: bytes = b"1",
    nonce: bytes = b"2",
    parent_hash: bytes = _PARENT,
    coinbase: bytes = b"0d",
    rest: bytes = b"",
) -> bytes:
    return b":".join((number, nonce, parent_hash, coinbase)) + rest


def _transaction(data: bytes) -> Transaction:
    transaction = decode_transaction(data)
    assert isinstance(transaction, Transaction)
    return transaction


def _block(data: bytes) -> Block:
    block = decode_block(data)
    assert isinstance(block, Block)
    return block


def _assert_malformed(outcome: Transaction | Block | Violation) -> None:
    assert isinstance(outcome, Violation)
    assert outcome.rule is Rule.MALFORMED


_BAD_INTEGERS = [
    b"",
    b"+1",
    b"-1",
    b"-0",
    b"01",
    b"00",
    b"1_000",
    b" 1",
    b"1 ",
    b"1\t",
    b"1.0",
    b"1e3",
    b"0x1",
    b"x",
    "\u0661".encode(),
    "\uff11".encode(),
    b"\xb2",
    b"9" * 10_000,
]
_BAD_HEX = [
    b"0",
    b"0a0",
    b"0A",
    b"0g",
    b"0x0a",
    b" 0a",
    b"0a ",
    b"0a 0b",
    b"0a\n",
    b"\x00",
    "\u0660\u0661".encode(),
    b"\xff\xfe",
]


@pytest.mark.parametrize("field", ["nonce", "amount"])
@pytest.mark.parametrize("digits", _BAD_INTEGERS, ids=lambda digits: repr(digits[:12]))
def test_an_integer_of_a_transaction_is_written_one_way_only(field: str, digits: bytes) -> None:
    _assert_malformed(decode_transaction(_transaction_text(**{field: digits})))


@pytest.mark.parametrize("field", ["sender", "recipient", "signature"])
@pytest.mark.parametrize("digits", _BAD_HEX, ids=repr)
def test_hex_of_a_transaction_is_written_one_way_only(field: str, digits: bytes) -> None:
    _assert_malformed(decode_transaction(_transaction_text(**{field: digits})))


@pytest.mark.parametrize("field", ["number", "nonce"])
@pytest.mark.parametrize("digits", _BAD_INTEGERS, ids=lambda digits: repr(digits[:12]))
def test_an_integer_of_a_block_is_written_one_way_only(field: str, digits: bytes) -> None:
    _assert_malformed(decode_block(_block_text(**{field: digits})))


@pytest.mark.parametrize("digits", _BAD_HEX, ids=repr)
def test_a_coinbase_is_written_one_way_only(digits: bytes) -> None:
    _assert_malformed(decode_block(_block_text(coinbase=digits)))


@pytest.mark.parametrize(
    "digits", [b"", b"ab" * 31, b"ab" * 33, b"a" * 63, b"AB" * 32, b"xy" * 32, b" " * 64]
)
def test_a_parent_hash_is_32_bytes_of_lower_case_hex(digits: bytes) -> None:
    _assert_malformed(decode_block(_block_text(parent_hash=digits)))


@pytest.mark.parametrize("decode", [decode_transaction, decode_block])
@pytest.mark.parametrize(
    "data", [b"", b",", b":", b",,,,", b":::", b"\xff\xfe\xfd", b"\n", b"\x00" * 64]
)
def test_bytes_that_are_no_record_are_malformed(
    decode: Callable[[bytes], Transaction | Block | Violation], data: bytes
) -> None:
    _assert_malformed(decode(data))


@pytest.mark.parametrize("field", ["sender", "signature"])
def test_a_sender_and_a_signature_are_never_empty(field: str) -> None:
    _assert_malformed(decode_transaction(_transaction_text(**{field: b""})))


def test_a_recipient_may_be_empty() -> None:
    assert _transaction(_transaction_text(recipient=b"")).recipient == b""


def test_a_coinbase_may_be_empty() -> None:
    assert _block(_block_text(coinbase=b"")).coinbase == b""


@pytest.mark.parametrize(
    "data", [b"0a,0b,1,2", b"0a,0b,1,2,0c,", b"0a,0b,1,2,0c,0d", b",0a,0b,1,2"]
)
def test_a_transaction_has_five_fields(data: bytes) -> None:
    _assert_malformed(decode_transaction(data))


@pytest.mark.parametrize("suffix", [b"\n", b"\r\n", b" ", b"\x00", b":", b","])
def test_nothing_follows_a_transaction(suffix: bytes) -> None:
    _assert_malformed(decode_transaction(_transaction_text() + suffix))


@pytest.mark.parametrize(
    "rest", [b":", b"::", b"\n", b" ", b"\x00", b",", b":" + _transaction_text() + b":"]
)
def test_nothing_but_transactions_follows_a_header(rest: bytes) -> None:
    _assert_malformed(decode_block(_block_text(rest=rest)))


@pytest.mark.parametrize("separator", [b",", b";", b" ", b"\n", b"\x00"])
def test_only_a_colon_stands_before_a_transaction(separator: bytes) -> None:
    _assert_malformed(decode_block(_block_text(rest=separator + _transaction_text())))
    rest = b":" + _transaction_text() + separator + _transaction_text()
    _assert_malformed(decode_block(_block_text(rest=rest)))


def test_an_empty_transaction_between_two_is_malformed() -> None:
    rest = b":" + _transaction_text() + b"::" + _transaction_text()
    _assert_malformed(decode_block(_block_text(rest=rest)))


def test_a_malformed_transaction_of_a_block_is_named_by_its_index() -> None:
    rest = b":" + _transaction_text() + b":" + _transaction_text(amount=b"-1")
    violation = decode_block(_block_text(rest=rest))
    assert isinstance(violation, Violation)
    assert (violation.rule, violation.transaction_index) == (Rule.MALFORMED, 1)


def test_a_malformed_header_names_no_transaction() -> None:
    violation = decode_block(_block_text(number=b"x"))
    assert isinstance(violation, Violation)
    assert violation.transaction_index is None


@pytest.mark.parametrize("field", ["nonce", "amount"])
def test_an_integer_of_a_transaction_ends_at_its_bound(field: str) -> None:
    highest, beyond = b"%d" % MAX_INTEGER, b"%d" % (MAX_INTEGER + 1)
    assert getattr(_transaction(_transaction_text(**{field: highest})), field) == MAX_INTEGER
    _assert_malformed(decode_transaction(_transaction_text(**{field: beyond})))


def test_a_block_number_ends_at_its_bound() -> None:
    assert _block(_block_text(number=b"%d" % MAX_INTEGER)).number == MAX_INTEGER
    _assert_malformed(decode_block(_block_text(number=b"%d" % (MAX_INTEGER + 1))))


def test_a_block_nonce_ends_at_its_bound() -> None:
    assert _block(_block_text(nonce=b"%d" % MAX_BLOCK_NONCE)).nonce == MAX_BLOCK_NONCE
    _assert_malformed(decode_block(_block_text(nonce=b"%d" % (MAX_BLOCK_NONCE + 1))))


def test_a_block_holds_more_transactions_than_any_network_allows() -> None:
    block = _block(_block_text(rest=(b":" + _transaction_text()) * 2_000))
    assert len(block.transactions) == 2_000


def test_a_decoded_transaction_keeps_its_bytes_and_their_hash() -> None:
    data = _transaction_text()
    transaction = _transaction(data)
    assert (transaction.raw, transaction.id) == (data, sha256(data).digest())


def test_a_decoded_block_keeps_its_bytes_and_their_hash() -> None:
    data = _block_text(rest=b":" + _transaction_text())
    block = _block(data)
    assert (block.raw, block.hash) == (data, sha256(data).digest())
    assert block.transactions == (_transaction(_transaction_text()),)


def test_the_signed_bytes_are_all_fields_but_the_signature() -> None:
    transaction = _transaction(_transaction_text())
    assert transaction.signed == b"0a,0b,1,2"
    assert transaction.signed == signing_bytes(b"\x0a", b"\x0b", 1, 2)


def test_the_nonce_stands_between_prefix_and_suffix() -> None:
    transactions = (
        make_transaction(b"a", b"b", 0, 1, b"c"),
        make_transaction(b"a", b"b", 1, 1, b"c"),
    )
    prefix, suffix = block_prefix_suffix(7, bytes(32), b"c", transactions)
    block = make_block(7, 123, bytes(32), b"c", transactions)
    assert prefix + b"123" + suffix == block.raw


def test_transactions_are_equal_by_their_bytes() -> None:
    one, same = (make_transaction(b"a", b"b", 0, 1, b"c") for _ in range(2))
    assert one == same
    assert len({one, same}) == 1
    assert one != make_transaction(b"a", b"b", 0, 1, b"d")


def test_a_block_is_named_by_number_and_hash() -> None:
    block = make_block(7, 0, bytes(32), b"", ())
    assert block.ref == BlockRef(7, block.hash)


@pytest.mark.parametrize(
    ("nonce", "amount"), [(-1, 0), (0, -1), (MAX_INTEGER + 1, 0), (0, MAX_INTEGER + 1)]
)
def test_a_transaction_without_canonical_text_is_not_built(nonce: int, amount: int) -> None:
    with pytest.raises(ValueError, match=r"outside 0 to"):
        make_transaction(b"a", b"b", nonce, amount, b"c")


@pytest.mark.parametrize(("sender", "signature"), [(b"", b"c"), (b"a", b"")])
def test_a_transaction_without_sender_or_signature_is_not_built(
    sender: bytes, signature: bytes
) -> None:
    with pytest.raises(ValueError, match=r"never empty"):
        make_transaction(sender, b"b", 0, 0, signature)


@pytest.mark.parametrize(
    ("number", "nonce", "parent_hash"),
    [
        (-1, 0, bytes(32)),
        (MAX_INTEGER + 1, 0, bytes(32)),
        (0, -1, bytes(32)),
        (0, MAX_BLOCK_NONCE + 1, bytes(32)),
        (0, 0, bytes(31)),
    ],
)
def test_a_block_without_canonical_text_is_not_built(
    number: int, nonce: int, parent_hash: bytes
) -> None:
    with pytest.raises(ValueError, match=r"outside 0 to|32 bytes"):
        make_block(number, nonce, parent_hash, b"", ())
