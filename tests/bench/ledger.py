"""The rules of the ledger, and the store: measured without a node."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from actors.chain.importer import Importer
from actors.chain.store import Store
from actors.ledger.codec import decode_block, decode_transaction, make_block
from actors.ledger.keys import ED25519, P192_SHA1, KeyScheme
from actors.ledger.network import Network
from actors.ledger.state import apply_block, check_transaction
from actors.ledger.types import Account, Block
from tests.bench.figure import Figure, median_s
from tests.support.ledger import EASY_MAIN, EASY_WORKSHOP, key, transfer

TRANSACTIONS = 10


def full_block(network: Network, scheme: KeyScheme) -> Block:
    payer, payee = key(scheme, "payer"), key(scheme, "payee").public
    transactions = [transfer(payer, payee, nonce, 1) for nonce in range(TRANSACTIONS)]
    return make_block(1, 0, network.genesis.hash, payee, tuple(transactions))


def ledger() -> Iterator[Figure]:
    for network, scheme in ((EASY_MAIN, ED25519), (EASY_WORKSHOP, P192_SHA1)):
        block = full_block(network, scheme)
        transaction = block.transactions[0]

        def apply(
            network: Network = network, block: Block = block, *, known: bool = True
        ) -> object:
            return apply_block(
                network,
                network.genesis.ref,
                lambda _address: Account(1_000),
                block,
                signature_known=lambda _id: known,
            )

        name = network.key_scheme
        yield Figure(
            f"decode a transaction, {name}",
            1e6 * median_s(partial(decode_transaction, transaction.raw), 2_000),
            "us",
        )
        yield Figure(
            f"decode a block of 10, {name}",
            1e6 * median_s(partial(decode_block, block.raw), 500),
            "us",
        )
        yield Figure(
            f"verify a transaction, {name}",
            1e6 * median_s(partial(check_transaction, network, transaction), 200),
            "us",
        )
        yield Figure(
            f"apply a block of 10, verified before, {name}", 1e6 * median_s(apply, 500), "us"
        )
        yield Figure(
            f"apply a block of 10, {name}",
            1e3 * median_s(partial(apply, known=False), 10),
            "ms",
        )


def store(folder: Path) -> Iterator[Figure]:
    payer = key(ED25519, "payer")
    with_store = Store.open(folder / "bench.db", EASY_MAIN)
    importer = Importer(with_store, EASY_MAIN)
    tip = EASY_MAIN.genesis.ref
    taken = []
    for height in range(60):
        first = TRANSACTIONS * (height - 1)
        transactions = (
            tuple(
                transfer(payer, key(ED25519, str(n)).public, n, 1)
                for n in range(first, first + TRANSACTIONS)
            )
            if height
            else ()
        )
        block = make_block(tip.number + 1, 0, tip.hash, payer.public, transactions)
        begun_s = time.perf_counter()
        importer.add((block,))
        taken.append(time.perf_counter() - begun_s)
        tip = block.ref
    assert with_store.tip() == tip, "every block was valid"
    with_store.close()
    yield Figure(
        "verify, apply and commit a block of 10 at the tip",
        1e3 * statistics.median(taken[1:]),
        "ms",
    )
