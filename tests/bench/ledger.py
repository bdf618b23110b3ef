"""The rules of the ledger: measured without a node."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from actors.ledger.codec import decode_block, decode_transaction, make_block
from actors.ledger.keys import ED25519, P192_SHA1, KeyScheme
from actors.ledger.network import Network
from actors.ledger.state import apply_block, check_transaction
from actors.ledger.types import Account, Block
from tests.bench.figure import Bench, Figure, median_s
from tests.support.ledger import EASY_MAIN, EASY_WORKSHOP, key, transfer

TRANSACTIONS = 10


def full_block(network: Network, scheme: KeyScheme) -> Block:
    payer, payee = key(scheme, "payer"), key(scheme, "payee").public
    transactions = [transfer(payer, payee, nonce, 1) for nonce in range(TRANSACTIONS)]
    return make_block(1, 0, network.genesis.hash, payee, tuple(transactions))


def ledger(bench: Bench) -> Iterator[Figure]:
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
            1e6 * median_s(partial(decode_transaction, transaction.raw), bench.size(2_000)),
            "us",
        )
        yield Figure(
            f"decode a block of 10, {name}",
            1e6 * median_s(partial(decode_block, block.raw), bench.size(500)),
            "us",
        )
        yield Figure(
            f"verify a transaction, {name}",
            1e6 * median_s(partial(check_transaction, network, transaction), bench.size(200)),
            "us",
        )
        yield Figure(
            f"apply a block of 10, verified before, {name}",
            1e6 * median_s(apply, bench.size(500)),
            "us",
        )
        yield Figure(
            f"apply a block of 10, {name}",
            1e3 * median_s(partial(apply, known=False), bench.size(10)),
            "ms",
        )
