"""Forged blocks and transactions: well-formed, with proof of work where that helps, and wrong.

A liar's proof of work is for free, which no real one's is: forged blocks are therefore never valid and long.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from actors.ledger.codec import make_block, make_transaction, signing_bytes
from actors.ledger.keys import ED25519, PrivateKey
from actors.ledger.network import Network
from actors.ledger.types import MAX_INTEGER, Account, Block, BlockRef, Transaction
from actors.ledger.work import has_work

KEY_BYTES = 32
BAD_SIGNATURE = bytes(64)
ODD_ADDRESS = bytes(31)


class Flaw(Enum):
    """What is wrong with a block."""

    OVERDRAWN = "overdrawn"
    NONCE_GAP = "nonce-gap"
    NONCE_TWICE = "nonce-twice"
    BAD_SIGNATURE = "bad-signature"
    ODD_COINBASE = "odd-coinbase"
    TOO_MANY = "too-many"
    FAR_NUMBER = "far-number"
    NO_WORK = "no-work"


@dataclass(frozen=True, slots=True)
class Forger:
    """Forges in the name of one key.

    Attributes:
        key: Whose blocks and transfers these are.
        account: What the chain has for that key now.
    """

    network: Network
    rng: random.Random
    key: PrivateKey
    account: Account

    def transfer(self, nonce: int, amount: int, *, signature: bytes | None = None) -> Transaction:
        """To a key that nobody has."""
        sender, recipient = self.key.public, self.stranger().public
        signature = signature or self.key.sign(signing_bytes(sender, recipient, nonce, amount))
        return make_transaction(sender, recipient, nonce, amount, signature)

    def stranger(self) -> PrivateKey:
        """A key that was never seen."""
        return ED25519.generate(self.rng.getrandbits(8 * KEY_BYTES).to_bytes(KEY_BYTES, "big"))

    def block(
        self,
        parent: BlockRef,
        transactions: Sequence[Transaction] = (),
        *,
        number: int | None = None,
        coinbase: bytes | None = None,
        work: bool = True,
    ) -> Block:
        """With proof of work, or surely without."""
        nonce = self.rng.getrandbits(40)
        while True:
            block = make_block(
                parent.number + 1 if number is None else number,
                nonce,
                parent.hash,
                self.key.public if coinbase is None else coinbase,
                tuple(transactions),
            )
            if has_work(block.hash, self.network.difficulty) is work:
                return block
            nonce += 1

    def flawed(self, parent: BlockRef, flaw: Flaw) -> Block:
        """A block on ``parent`` that no honest node may follow."""
        nonce, most = self.account.nonce, self.account.balance
        match flaw:
            case Flaw.OVERDRAWN:
                return self.block(parent, [self.transfer(nonce, most + 1)])
            case Flaw.NONCE_GAP:
                return self.block(parent, [self.transfer(nonce + 1, 0)])
            case Flaw.NONCE_TWICE:
                return self.block(parent, [self.transfer(nonce, 0), self.transfer(nonce, 0)])
            case Flaw.BAD_SIGNATURE:
                return self.block(parent, [self.transfer(nonce, 0, signature=BAD_SIGNATURE)])
            case Flaw.ODD_COINBASE:
                return self.block(parent, coinbase=ODD_ADDRESS)
            case Flaw.TOO_MANY:
                limit = self.network.max_transactions_per_block
                return self.block(parent, [self.transfer(nonce + i, 0) for i in range(limit + 1)])
            case Flaw.FAR_NUMBER:
                return self.block(
                    parent, number=self.rng.choice((0, parent.number + 7, MAX_INTEGER))
                )
            case Flaw.NO_WORK:
                if not self.network.difficulty:
                    return self.flawed(parent, Flaw.OVERDRAWN)
                return self.block(parent, work=False)

    def branch(self, fork: BlockRef, length: int) -> list[Block]:
        """A branch whose first block no honest node may follow, and whose others look well."""
        blocks = [self.flawed(fork, self.rng.choice((Flaw.OVERDRAWN, Flaw.NONCE_GAP)))]
        while len(blocks) < length:
            blocks.append(self.block(blocks[-1].ref))
        return blocks
