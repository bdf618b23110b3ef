"""Building: which transactions the next block takes, and the block to mine (LEDGER: `build_block`).

Must not live here: the mempool's order of preference (it hands the transactions in order), or the
nonce scan.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from actors.ledger.codec import make_block
from actors.ledger.network import Network
from actors.ledger.state import (
    Overlay,
    check_account,
    check_policy,
    check_transaction,
)
from actors.ledger.types import MAX_INTEGER, AccountLookup, Block, BlockRef, Transaction
from actors.ledger.violation import Rule, Violation

Vetted = Callable[[bytes], bool]
"""Whether the transaction of this id is known to be fit, but for the state that it meets."""

_PERMANENT = frozenset({Rule.MALFORMED, Rule.PUBLIC_KEY, Rule.SIGNATURE, Rule.POLICY})
"""Rules whose verdict depends on the transaction's bytes alone."""


@dataclass(frozen=True, slots=True)
class Built:
    """A selection.

    Attributes:
        transactions: What the block takes, in order.
        never_valid: The ids, each with its rule, that no later block of ours will take either:
            nonce used, bad signature or key, against policy. Evict them. Only those that were
            looked at: the search ends when the block is full.
    """

    transactions: tuple[Transaction, ...]
    never_valid: tuple[tuple[bytes, Violation], ...]


def select_transactions(
    network: Network,
    accounts: AccountLookup,
    coinbase: bytes,
    transactions: Iterable[Transaction],
    *,
    vetted: Vetted | None = None,
) -> Built:
    """The valid ones of `transactions`, in order, at most a block's worth.

    A later one may depend on an earlier one. What is only early, or not covered now, is passed over.

    Args:
        network: Whose rules apply.
        accounts: The state to build on; only read.
        coinbase: Of the block to be: its balance keeps room for the reward.
        transactions: Candidates; consumed no further than needed.
        vetted: Tells by its id whether a transaction has passed `check_policy` and `check_transaction`
            before, as all of a mempool have: neither is repeated (milliseconds for a full block).
    """
    overlay = Overlay(accounts)
    selected: list[Transaction] = []
    never_valid: list[tuple[bytes, Violation]] = []
    for transaction in transactions:
        violation = check_account(transaction, overlay.account(transaction.sender))
        if violation is None and not (vetted is not None and vetted(transaction.id)):
            violation = check_policy(network, transaction) or check_transaction(
                network, transaction
            )
        if violation is None:
            reserved = network.block_reward if transaction.recipient == coinbase else 0
            violation = overlay.transfer(transaction, max_balance=MAX_INTEGER - reserved)
        if violation is None:
            selected.append(transaction)
            if len(selected) == network.max_transactions_per_block:
                break
        elif _is_permanent(violation, transaction, accounts):
            never_valid.append((transaction.id, violation))
    return Built(tuple(selected), tuple(never_valid))


def build_block(
    network: Network,
    parent: BlockRef,
    accounts: AccountLookup,
    coinbase: bytes,
    transactions: Iterable[Transaction],
    *,
    vetted: Vetted | None = None,
) -> tuple[Block, Built]:
    """The block to mine on `parent`, at nonce 0 and even if empty, and the selection behind it.

    Valid on that state once a nonce gives it the proof of work. Whether `coinbase` is an address
    that can spend (`KeyScheme.is_standard_address`) is for its giver to check.
    """
    built = select_transactions(network, accounts, coinbase, transactions, vetted=vetted)
    block = make_block(parent.number + 1, 0, parent.hash, coinbase, built.transactions)
    return block, built


def _is_permanent(violation: Violation, transaction: Transaction, accounts: AccountLookup) -> bool:
    """Whether waiting is in vain: a nonce taken by this very selection may yet become free."""
    if violation.rule is Rule.NONCE_USED:
        return transaction.nonce < accounts(transaction.sender).nonce
    return violation.rule in _PERMANENT
