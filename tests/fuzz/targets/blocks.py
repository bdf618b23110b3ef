"""Blocks: whatever is decoded can be judged; a valid one moves money as the rules say and makes none."""

from __future__ import annotations

from collections.abc import Mapping

from actors.ledger.codec import decode_block, decode_transaction, make_block
from actors.ledger.network import Network
from actors.ledger.state import Applied, apply_block, check_header, touched_addresses
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
from tests.fuzz.draw import Draw
from tests.fuzz.money import NETWORKS, addresses, drawn_state, drawn_transfer
from tests.fuzz.targets.transactions import is_hex, is_integer
from tests.support.ledger import lookup

HASH_CHARS = 64


def one_input(data: bytes) -> None:
    draw = Draw(data)
    if draw.below(2):
        name = draw.pick(tuple(NETWORKS))
        accounts = drawn_state(draw, name)
        tip = NETWORKS[name].genesis.ref
        raw = built(draw, name, tip)
        if (at := draw.number(2)) < len(raw):  # now and then it is damaged
            raw = raw[:at] + draw.take(2) + raw[at + draw.below(3) :]
        judge(raw, NETWORKS[name], tip, accounts)
        return
    raw = draw.rest()
    for network in NETWORKS.values():
        judge(raw, network, network.genesis.ref, {})


def built(draw: Draw, name: str, tip: BlockRef) -> bytes:
    """A block on the tip, of transfers that may or may not be valid there."""
    coinbase = draw.pick(addresses(name))
    included = [drawn_transfer(draw, name) for _ in range(draw.below(13))]
    return make_block(tip.number + 1, draw.number(8), tip.hash, coinbase, included).raw


def judge(raw: bytes, network: Network, tip: BlockRef, accounts: Mapping[bytes, Account]) -> None:
    block = decode_block(raw)
    assert isinstance(block, Violation) is not is_canonical(raw)
    if isinstance(block, Violation):
        assert block.rule is Rule.MALFORMED
        return
    assert block.raw == raw
    fields = (block.number, block.nonce, block.parent_hash, block.coinbase, block.transactions)
    assert make_block(*fields) == block
    applied = apply_block(network, tip, lookup(accounts), block)
    assert check_header(network, block) is None or isinstance(applied, Violation)
    if isinstance(applied, Applied):
        agree(block, network, accounts, applied)


def agree(
    block: Block, network: Network, before: Mapping[bytes, Account], applied: Applied
) -> None:
    """A valid block's effect is that of the rules, a line each."""
    after = dict(before)
    for transaction in block.transactions:
        pay(after, transaction)
    miner = after.get(block.coinbase, EMPTY_ACCOUNT)
    after[block.coinbase] = Account(miner.balance + network.block_reward, miner.nonce)
    assert {**before, **applied.accounts} == after
    assert set(applied.accounts) <= touched_addresses(block)
    assert supply(after) == supply(before) + network.block_reward
    assert all(0 <= account.balance <= MAX_INTEGER for account in after.values())


def pay(accounts: dict[bytes, Account], transaction: Transaction) -> None:
    sender = accounts.get(transaction.sender, EMPTY_ACCOUNT)
    assert sender.nonce == transaction.nonce
    accounts[transaction.sender] = Account(sender.balance - transaction.amount, sender.nonce + 1)
    payee = accounts.get(transaction.recipient, EMPTY_ACCOUNT)
    accounts[transaction.recipient] = Account(payee.balance + transaction.amount, payee.nonce)
    assert sender.balance >= transaction.amount


def supply(accounts: Mapping[bytes, Account]) -> int:
    return sum(account.balance for account in accounts.values())


def is_canonical(raw: bytes) -> bool:
    """LEDGER: canonical form, field by field."""
    number, nonce, parent, coinbase, *transactions = [*raw.split(b":"), b"", b"", b"", b""][
        : max(4, raw.count(b":") + 1)
    ]
    return (
        is_integer(number, MAX_INTEGER)
        and is_integer(nonce, MAX_BLOCK_NONCE)
        and (len(parent) == HASH_CHARS and is_hex(parent) and is_hex(coinbase))
        and raw.count(b":") >= 3
        and not any(isinstance(decode_transaction(each), Violation) for each in transactions)
    )
