"""Hex in, hex out."""

from __future__ import annotations

import pytest

from actors.chain.messages import digest_of
from actors.ledger.keys import ED25519
from admin import convert
from admin.errors import Refusal
from tests.support.ledger import EASY_MAIN, child, key, transfer


@pytest.mark.parametrize(
    "digits", ["", "ab", "A" * 64, "0x" + "0" * 62, "g" * 64, " " * 64, "0" * 66]
)
def test_only_sixty_four_lower_case_hex_digits_are_a_hash(digits: str) -> None:
    with pytest.raises(Refusal) as caught:
        convert.hash_bytes("id", digits)
    assert caught.value.field == "id"
    assert convert.hash_bytes("id", "ab" * 32) == b"\xab" * 32


@pytest.mark.parametrize("digits", ["", "a", "AB", "zz", "ab " * 2, "ab" * 513])
def test_an_address_is_lower_case_hex_of_even_length(digits: str) -> None:
    with pytest.raises(Refusal):
        convert.address_bytes("address", digits)
    assert convert.address_bytes("address", "ab01") == b"\xab\x01"


def test_a_block_shows_its_transactions_and_its_bytes() -> None:
    payer, payee = key(ED25519, "payer"), key(ED25519, "payee")
    tx = transfer(payer, payee.public, 4, 25)
    block = child(EASY_MAIN.genesis.ref, payer.public, [tx])
    shown = convert.whole_block(block)
    assert (shown.raw, shown.hash) == (block.raw, block.hash.hex())
    (one,) = shown.transactions
    assert (one.id, one.sender, one.recipient) == (
        tx.id.hex(),
        payer.public.hex(),
        payee.public.hex(),
    )
    assert (one.nonce, one.amount, one.signature, one.raw) == (4, 25, tx.signature.hex(), tx.raw)
    summary = convert.block_summary(digest_of(block))
    assert (summary.transaction_count, summary.size_bytes) == (1, len(block.raw))


def test_a_time_keeps_its_fraction() -> None:
    stamp = convert.timestamp(1_700_000_000.5)
    assert (stamp.seconds, stamp.nanos) == (1_700_000_000, 500_000_000)
