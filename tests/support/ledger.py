"""Signed transactions and easy networks for tests of the ledger and of whatever stands on it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from actors.ledger.codec import make_block, make_transaction, signing_bytes
from actors.ledger.keys import KeyScheme, PrivateKey
from actors.ledger.network import MAIN, WORKSHOP
from actors.ledger.types import EMPTY_ACCOUNT, Account, AccountLookup, Block, BlockRef, Transaction

EASY_MAIN = replace(MAIN, difficulty=0)
"""`main` without proof of work."""

EASY_WORKSHOP = replace(WORKSHOP, difficulty=0)
"""`workshop` without proof of work."""


def key(scheme: KeyScheme, label: str) -> PrivateKey:
    """The same key for the same label, always."""
    return scheme.generate(label.encode().ljust(32, b"."))


def transfer(payer: PrivateKey, recipient: bytes, nonce: int, amount: int) -> Transaction:
    """A transaction that its payer signed."""
    signature = payer.sign(signing_bytes(payer.public, recipient, nonce, amount))
    return make_transaction(payer.public, recipient, nonce, amount, signature)


def child(parent: BlockRef, coinbase: bytes, transactions: Iterable[Transaction] = ()) -> Block:
    """A block on `parent`, with nonce 0 and whatever work that gives it."""
    return make_block(parent.number + 1, 0, parent.hash, coinbase, tuple(transactions))


def lookup(accounts: Mapping[bytes, Account]) -> AccountLookup:
    """The state that holds these accounts and no other."""
    return lambda address: accounts.get(address, EMPTY_ACCOUNT)
