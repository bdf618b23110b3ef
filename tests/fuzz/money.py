"""A few people with money, for targets that execute: who they are, and what they sign, made once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from actors.ledger.keys import PrivateKey
from actors.ledger.network import Network
from actors.ledger.types import MAX_INTEGER, Account, Transaction
from tests.fuzz.draw import Draw
from tests.support.ledger import EASY_MAIN, EASY_WORKSHOP, key, transfer

NETWORKS: Mapping[str, Network] = {"main": EASY_MAIN, "workshop": EASY_WORKSHOP}
NAMES = ("alice", "bob", "carol", "dave")
AMOUNTS = (0, 1, 7, 100, 10_000, MAX_INTEGER)
NONCES = 8


@cache
def person(network: str, index: int) -> PrivateKey:
    """One of four."""
    return key(NETWORKS[network].scheme, NAMES[index])


def addresses(network: str) -> tuple[bytes, ...]:
    """Of all of them."""
    return tuple(person(network, index).public for index in range(len(NAMES)))


@cache
def signed(network: str, payer: int, payee: int, nonce: int, amount: int) -> Transaction:
    """A transfer by its payer's hand."""
    return transfer(person(network, payer), person(network, payee).public, nonce, AMOUNTS[amount])


def drawn_transfer(draw: Draw, network: str) -> Transaction:
    """A good signature under what may make no sense."""
    people = len(NAMES)
    return signed(
        network,
        draw.below(people),
        draw.below(people),
        draw.below(NONCES),
        draw.below(len(AMOUNTS)),
    )


def drawn_state(draw: Draw, network: str) -> dict[bytes, Account]:
    """What each of them has and has spent."""
    return {address: Account(draw.pick(AMOUNTS), draw.below(4)) for address in addresses(network)}
