"""The state transition: whether a block is valid, and which accounts it changes.

Everything here is LEDGER: state transition, in its order: what is cheap and needs no state first,
then each transaction in turn (signature, account, movement), the reward last. Changes are collected
in an `Overlay`; the state itself is only read, so an invalid block leaves no trace.

Must not live here: which of two valid blocks is canonical (`chain`), or what is stored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from actors.ledger.keys import KeyRules
from actors.ledger.network import Network
from actors.ledger.types import (
    MAX_INTEGER,
    Account,
    AccountLookup,
    Block,
    BlockRef,
    Transaction,
)
from actors.ledger.violation import Rule, Violation
from actors.ledger.work import has_work

MAX_STANDARD_TRANSACTION_BYTES = 1024
"""Policy: what a gossiped transaction may take; a canonical ed25519 one never comes near."""

SignatureKnown = Callable[[bytes], bool]
"""A transaction id to whether `check_transaction` passed before, on this same network."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A valid block's effect: the new value of every account that it touched, by address."""

    accounts: Mapping[bytes, Account]


class Overlay:
    """Account values on top of a state that is only read; each change is whole or not at all."""

    __slots__ = ("_accounts", "changed")

    def __init__(self, accounts: AccountLookup) -> None:
        """Start with no change to the state that `accounts` looks up."""
        self._accounts = accounts
        self.changed: dict[bytes, Account] = {}

    def account(self, address: bytes) -> Account:
        """The account's value with the changes so far."""
        changed = self.changed.get(address)
        return self._accounts(address) if changed is None else changed

    def transfer(
        self, transaction: Transaction, *, max_balance: int = MAX_INTEGER
    ) -> Violation | None:
        """Move the amount and raise the sender's nonce, or break a rule and change nothing.

        Args:
            transaction: Its signature is not looked at.
            max_balance: What the recipient's balance may become.
        """
        address, recipient, amount = transaction.sender, transaction.recipient, transaction.amount
        sender = self.account(address)
        violation = check_account(transaction, sender)
        if violation is not None:
            return violation
        if recipient == address:
            self.changed[address] = Account(sender.balance, sender.nonce + 1)
            return None
        violation = self.credit(recipient, amount, max_balance=max_balance)
        if violation is not None:
            return violation
        self.changed[address] = Account(sender.balance - amount, sender.nonce + 1)
        return None

    def credit(
        self, address: bytes, amount: int, *, max_balance: int = MAX_INTEGER
    ) -> Violation | None:
        """Add `amount` to a balance, or break `Rule.OVERFLOW` and change nothing."""
        account = self.account(address)
        balance = account.balance + amount
        if balance > max_balance:
            return Violation(Rule.OVERFLOW, f"a credit lifts a balance above {max_balance}")
        self.changed[address] = Account(balance, account.nonce)
        return None


def check_transaction(
    network: Network, transaction: Transaction, *, keys: KeyRules | None = None
) -> Violation | None:
    """Consensus checks that need no state: length of the recipient, sender's key, signature.

    The outcome never changes for the same bytes: it may be remembered by transaction id. ``keys`` are
    the rules of the network's scheme, with a memory perhaps.
    """
    scheme = network.scheme if keys is None else keys
    sender = transaction.sender
    if not scheme.is_address(transaction.recipient):
        length = len(transaction.recipient)
        return Violation(Rule.MALFORMED, f"a recipient of {length} bytes is none of {scheme.name}")
    # A valid signature implies a public key: the key is examined on its own only to name the fault,
    # so that the common case decodes it once.
    if scheme.verify(sender, transaction.signature, transaction.signed):
        return None
    if not scheme.is_sender(sender):
        return Violation(Rule.PUBLIC_KEY, f"the sender is no public key of {scheme.name}")
    return Violation(Rule.SIGNATURE, "the signature is not the sender's over this transaction")


def check_policy(
    network: Network, transaction: Transaction, *, keys: KeyRules | None = None
) -> Violation | None:
    """Policy that needs no state (LEDGER: keys): what is valid in a block, but unwelcome alone.

    Says nothing about consensus: a transaction must pass `check_transaction` too.
    """
    scheme = network.scheme if keys is None else keys
    size_bytes = len(transaction.raw)
    if size_bytes > MAX_STANDARD_TRANSACTION_BYTES:
        detail = f"{size_bytes} bytes are more than {MAX_STANDARD_TRANSACTION_BYTES}"
        return Violation(Rule.POLICY, detail)
    if not scheme.is_standard_sender(transaction.sender):
        return Violation(Rule.POLICY, "the sender is not in the standard encoding of a public key")
    if not scheme.is_standard_address(transaction.recipient):
        return Violation(Rule.POLICY, "the recipient is not the standard encoding of a public key")
    return None


def check_account(transaction: Transaction, account: Account) -> Violation | None:
    """Whether the sender's account allows the transaction now.

    The nonce goes first, so that a used one, which can never become valid, is reported as such
    whatever the balance (LEDGER: eviction by `build_block`).
    """
    nonce = transaction.nonce
    if nonce < account.nonce:
        return Violation(Rule.NONCE_USED, f"nonce {nonce} is used; the next is {account.nonce}")
    if nonce > account.nonce:
        return Violation(Rule.NONCE_GAP, f"nonce {nonce} is early; the next is {account.nonce}")
    if transaction.amount > account.balance:
        detail = f"amount {transaction.amount} exceeds the balance {account.balance}"
        return Violation(Rule.BALANCE, detail)
    return None


def check_header(network: Network, block: Block) -> Violation | None:
    """What needs no state: proof of work, number of transactions, length of the coinbase.

    Not for genesis, which is exempt from the difficulty rule.
    """
    if not has_work(block.hash, network.difficulty):
        detail = f"the hash has fewer than {network.difficulty} leading zero digits"
        return Violation(Rule.WORK, detail)
    count, limit = len(block.transactions), network.max_transactions_per_block
    if count > limit:
        detail = f"{count} transactions are more than {limit}"
        return Violation(Rule.TOO_MANY_TRANSACTIONS, detail)
    if not network.scheme.is_address(block.coinbase):
        length = len(block.coinbase)
        detail = f"a coinbase of {length} bytes is none of {network.scheme.name}"
        return Violation(Rule.MALFORMED, detail)
    return None


def apply_block(
    network: Network,
    parent: BlockRef,
    accounts: AccountLookup,
    block: Block,
    *,
    signature_known: SignatureKnown | None = None,
) -> Applied | Violation:
    """The accounts that a block changes on a state, or the first rule that it breaks there.

    Args:
        network: Whose rules apply.
        parent: The tip of the state.
        accounts: The state as of `parent`; only read.
        block: Any block but genesis.
        signature_known: Whether a transaction passed `check_transaction` before, by id (the mempool
            knows): its signature is then not verified again.
    """
    violation = _check_link(parent, block) or check_header(network, block)
    if violation is not None:
        return violation
    overlay = Overlay(accounts)
    for index, transaction in enumerate(block.transactions):
        violation = None
        if signature_known is None or not signature_known(transaction.id):
            violation = check_transaction(network, transaction)
        if violation is None:
            violation = overlay.transfer(transaction)
        if violation is not None:
            return replace(violation, transaction_index=index)
    violation = overlay.credit(block.coinbase, network.block_reward)
    return Applied(overlay.changed) if violation is None else violation


def touched_addresses(block: Block) -> set[bytes]:
    """The accounts that a valid block changes, known without its execution."""
    touched = {block.coinbase}
    for transaction in block.transactions:
        touched.add(transaction.sender)
        touched.add(transaction.recipient)
    return touched


def _check_link(parent: BlockRef, block: Block) -> Violation | None:
    if block.number != parent.number + 1:
        detail = f"number {block.number} does not follow {parent.number}"
        return Violation(Rule.NUMBER, detail)
    if block.parent_hash != parent.hash:
        return Violation(Rule.PARENT, "the parent hash is not the hash of the tip")
    return None
