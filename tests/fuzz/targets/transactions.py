"""Transactions: only canonical text is one, and no key, signature or number makes a check raise."""

from __future__ import annotations

from hashlib import sha256

from actors.ledger.codec import decode_transaction, make_transaction
from actors.ledger.known_keys import KnownKeys
from actors.ledger.state import check_policy, check_transaction
from actors.ledger.types import MAX_INTEGER
from actors.ledger.violation import Rule, Violation
from tests.support.ledger import EASY_MAIN, EASY_WORKSHOP

NETWORKS = (EASY_MAIN, EASY_WORKSHOP)
KNOWN = {network.name: KnownKeys(network.scheme) for network in NETWORKS}
HEX = set(b"0123456789abcdef")
FIELDS = 5


def one_input(data: bytes) -> None:
    transaction = decode_transaction(data)
    assert isinstance(transaction, Violation) is not is_canonical(data)
    if isinstance(transaction, Violation):
        assert transaction.rule is Rule.MALFORMED
        return
    assert transaction.raw == data
    assert transaction.id == sha256(data).digest()
    fields = (transaction.sender, transaction.recipient, transaction.nonce, transaction.amount)
    assert make_transaction(*fields, transaction.signature) == transaction
    assert transaction.signed + b"," + transaction.signature.hex().encode() == data
    for network in NETWORKS:
        verdict = check_transaction(network, transaction)
        assert check_transaction(network, transaction, keys=KNOWN[network.name]) == verdict
        policy = check_policy(network, transaction)
        assert check_policy(network, transaction, keys=KNOWN[network.name]) == policy
        standard = network.scheme.is_standard_sender(transaction.sender)
        assert not standard or network.scheme.is_sender(transaction.sender)


def is_canonical(data: bytes) -> bool:
    """LEDGER: canonical form, field by field."""
    fields = data.split(b",")
    if len(fields) != FIELDS:
        return False
    sender, recipient, nonce, amount, signature = fields
    return (
        all(is_hex(field) for field in (sender, recipient, signature))
        and all(is_integer(field, MAX_INTEGER) for field in (nonce, amount))
        and bool(sender and signature)
    )


def is_hex(field: bytes) -> bool:
    return len(field) % 2 == 0 and set(field) <= HEX


def is_integer(field: bytes, maximum: int) -> bool:
    return (
        field.isdigit()
        and len(field) < 25
        and field == b"%d" % int(field)
        and int(field) <= maximum
    )
