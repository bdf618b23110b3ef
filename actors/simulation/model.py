"""The ledger once more, in its simplest form, beside the real one: what each block makes of the accounts.

Every valid block that a node of the world follows is executed here once, on a whole copy of the state of its
parent. Shared by all nodes: a branch is a chain of parents. Must not live here: any code of `ledger` that
moves money.
"""

from __future__ import annotations

from dataclasses import dataclass

from actors.ledger.codec import decode_block
from actors.ledger.network import Network
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block
from actors.ledger.work import has_work
from actors.simulation.violation import violated


@dataclass(frozen=True, slots=True)
class State:
    """After a block: the accounts, and those of them that the block changed. Value."""

    block: Block
    accounts: dict[bytes, Account]
    changed: tuple[bytes, ...]


class Model:
    """The states after all blocks that were ever followed, by hash."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._states = {network.genesis.hash: State(network.genesis, {}, ())}
        self._signed: set[bytes] = set()

    def __contains__(self, block_hash: bytes) -> bool:
        return block_hash in self._states

    def state(self, block_hash: bytes) -> State:
        """After a block that was taken."""
        return self._states[block_hash]

    def take(self, raw: bytes) -> State:
        """Execute a block that some node follows, on a parent that was taken.

        Raises:
            ViolationError: It breaks a rule, and a node follows it.
        """
        block = decode_block(raw)
        if not isinstance(block, Block):
            violated(f"a block that is none is followed: {block}")
        parent = self._states.get(block.parent_hash)
        if parent is None or block.number != parent.block.number + 1:
            violated(f"block {block.number} does not stand on one that is followed")
        if not has_work(block.hash, self._network.difficulty):
            violated(f"block {block.number} without proof of work is followed")
        if len(block.transactions) > self._network.max_transactions_per_block:
            violated(f"block {block.number} of too many transactions is followed")
        if not self._network.scheme.is_address(block.coinbase):
            violated(f"block {block.number} pays its reward to no address")
        accounts = dict(parent.accounts)
        changed = self._execute(block, accounts)
        state = State(block, accounts, changed)
        self._require_supply(state)
        self._states[block.hash] = state
        return state

    def _execute(self, block: Block, accounts: dict[bytes, Account]) -> tuple[bytes, ...]:
        """Move the money; no order of a set comes out of it."""
        changed: dict[bytes, None] = {}
        for transaction in block.transactions:
            sender = accounts.get(transaction.sender, EMPTY_ACCOUNT)
            if transaction.nonce != sender.nonce:
                violated(
                    f"block {block.number}: nonce {transaction.nonce} after {sender.nonce - 1}"
                )
            if transaction.amount < 0 or sender.balance < transaction.amount:
                violated(f"block {block.number} makes a balance negative")
            if transaction.id not in self._signed:
                if not self._network.scheme.verify(
                    transaction.sender, transaction.signature, transaction.signed
                ):
                    violated(f"block {block.number} moves money without a signature")
                self._signed.add(transaction.id)
            accounts[transaction.sender] = Account(
                sender.balance - transaction.amount, sender.nonce + 1
            )
            self._pay(accounts, transaction.recipient, transaction.amount)
            changed |= {transaction.sender: None, transaction.recipient: None}
        self._pay(accounts, block.coinbase, self._network.block_reward)
        changed[block.coinbase] = None
        return tuple(changed)

    @staticmethod
    def _pay(accounts: dict[bytes, Account], address: bytes, amount: int) -> None:
        account = accounts.get(address, EMPTY_ACCOUNT)
        accounts[address] = Account(account.balance + amount, account.nonce)

    def _require_supply(self, state: State) -> None:
        supply = sum(account.balance for account in state.accounts.values())
        due = self._network.block_reward * state.block.number
        if supply != due:
            violated(f"the supply at block {state.block.number} is {supply}, and not {due}")
