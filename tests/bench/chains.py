"""Chains to measure with: valid ones of any length, made once and written as a node would.

Their network asks for no proof of work: what a block costs its miner is not measured here, and what it costs
its receivers is one hash all the same.
"""

from __future__ import annotations

import copy
import itertools
import random
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from actors.chain.importer import Importer
from actors.chain.store import Store
from actors.ledger.codec import make_block, make_transaction, signing_bytes
from actors.ledger.keys import PrivateKey
from actors.ledger.network import MAIN, WORKSHOP, Network
from actors.ledger.types import Block, BlockRef, Transaction

T = TypeVar("T")

BENCH_MAIN = replace(MAIN, name="bench", difficulty=0, allow_generate=True)
BENCH_WORKSHOP = replace(WORKSHOP, name="bench-workshop", difficulty=0, allow_generate=True)
BLOCK_TRANSACTIONS = 10
BATCH = 512
"""Blocks written in one transaction of the store."""
CHAIN_FILE = "chain.db"


def network_file(folder: Path, network: Network) -> Path:
    """The file that defines a network to a node."""
    path = folder / f"{network.name}.toml"
    path.write_text(
        f'name = "{network.name}"\nkey_scheme = "{network.key_scheme}"\n'
        f"difficulty = {network.difficulty}\nblock_reward = {network.block_reward}\n"
        f"max_transactions_per_block = {network.max_transactions_per_block}\n"
        f'genesis_coinbase = "{network.genesis_coinbase.hex()}"\n'
        f"allow_generate = {str(network.allow_generate).lower()}\n"
    )
    return path


def keys(network: Network, count: int, label: str = "key") -> list[PrivateKey]:
    """The same ones, always."""
    return [
        network.scheme.generate(f"{label} {each}".encode().ljust(32, b".")) for each in range(count)
    ]


def pay(payer: PrivateKey, payee: bytes, nonce: int, amount: int) -> Transaction:
    signature = payer.sign(signing_bytes(payer.public, payee, nonce, amount))
    return make_transaction(payer.public, payee, nonce, amount, signature)


class Maker:
    """Makes valid blocks on each other, whose payers and payees are any of a number of accounts."""

    def __init__(self, network: Network, accounts: int = 1_000, seed: int = 1) -> None:
        self.tip: BlockRef = network.genesis.ref
        self._network, self._random = network, random.Random(seed)
        self._keys = keys(network, accounts)
        self._balances = [0] * accounts
        self._nonces = [0] * accounts
        self._funded: list[int] = []

    def fork(self, seed: int) -> Maker:
        """One that goes another way from here."""
        other = copy.copy(self)
        other._random = random.Random(seed)
        other._balances, other._nonces = self._balances[:], self._nonces[:]
        other._funded = self._funded[:]
        return other

    def block(self, transactions: int) -> Block:
        """The next block. The first one pays nobody: nobody has anything yet."""
        count = transactions if self._funded else 0
        paid: list[tuple[int, int]] = []
        included = tuple(self._transfer(paid) for _ in range(count))
        for payee, amount in paid:
            self._credit(payee, amount)
        rewarded = self._random.randrange(len(self._keys))
        self._credit(rewarded, self._network.block_reward)
        coinbase = self._keys[rewarded].public
        block = make_block(self.tip.number + 1, 0, self.tip.hash, coinbase, included)
        self.tip = block.ref
        return block

    def blocks(self, count: int, transactions: int = BLOCK_TRANSACTIONS) -> list[Block]:
        return [self.block(transactions) for _ in range(count)]

    def _transfer(self, paid: list[tuple[int, int]]) -> Transaction:
        """Of what its payer had before the block: a pool takes it, too, in any order but its own."""
        payer = self._random.choice(self._funded)
        payee = self._random.randrange(len(self._keys))
        amount = self._balances[payer] // 20
        nonce, self._nonces[payer] = self._nonces[payer], self._nonces[payer] + 1
        self._balances[payer] -= amount
        paid.append((payee, amount))
        return pay(self._keys[payer], self._keys[payee].public, nonce, amount)

    def _credit(self, account: int, amount: int) -> None:
        if not self._balances[account] and amount:
            self._funded.append(account)
        self._balances[account] += amount


def batches(items: Iterable[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """The items in order, so many at a time."""
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, size)):
        yield batch


def write(data_dir: Path, network: Network, blocks: Iterable[Block]) -> BlockRef:
    """Blocks of our own, whose signatures need no look, into the chain of a data directory; its tip."""
    data_dir.mkdir(parents=True, exist_ok=True)
    store = Store.open(data_dir / CHAIN_FILE, network)
    importer = Importer(store, network)
    tip = store.tip()
    for batch in batches(blocks):
        signed = frozenset(tx.id for block in batch for tx in block.transactions)
        importer.add(batch, passed=signed)
        tip = max(tip, batch[-1].ref, key=lambda ref: ref.number)
    assert store.tip() == tip, "every block was valid"
    store.close()
    return tip


def duplicate(source: Path, target: Path) -> Path:
    """Another data directory with the chain of one that no process has open."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / CHAIN_FILE, target / CHAIN_FILE)
    return target
