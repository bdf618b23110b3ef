"""The values of the ledger: transaction, block, account, and their bounds.

Must not live here: how they are written or read (`codec`), or what makes them valid (`state`). The
codec alone constructs transactions and blocks, so `raw`, the fields and the hash always agree.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

MAX_INTEGER = 2**63 - 1
"""Of every integer but the block nonce, and of every balance: what SQLite's INTEGER holds."""

MAX_BLOCK_NONCE = 2**64 - 1
"""What a miner scans in one machine word (LEDGER: canonical form)."""

HASH_BYTES = 32
"""SHA-256, of transactions and blocks alike."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed transfer; two are equal when their bytes are.

    Attributes:
        sender: Public key of the payer, and its address; never empty.
        recipient: Address of the payee; may be empty where the key scheme allows it.
        nonce: The sender's count of earlier transactions.
        amount: What moves, in the smallest unit; 0 is allowed.
        signature: The sender's, over `signed`; never empty.
        raw: The canonical text (LEDGER: transaction).
        id: SHA-256 of `raw`.
    """

    sender: bytes = field(compare=False)
    recipient: bytes = field(compare=False)
    nonce: int = field(compare=False)
    amount: int = field(compare=False)
    signature: bytes = field(compare=False)
    raw: bytes = field(repr=False)
    id: bytes = field(compare=False)

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is over: all fields but the signature itself."""
        return self.raw.rpartition(b",")[0]


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by name: its number (height) and its hash."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block with all its transactions; two are equal when their bytes are.

    Attributes:
        number: Height; genesis is 0.
        nonce: What the miner varied, at most `MAX_BLOCK_NONCE`.
        parent_hash: Hash of the block before, `HASH_BYTES` bytes.
        coinbase: Address that the reward is credited to.
        transactions: In the order of their execution.
        raw: The canonical text (LEDGER: block).
        hash: SHA-256 of `raw`.
    """

    number: int = field(compare=False)
    nonce: int = field(compare=False)
    parent_hash: bytes = field(compare=False)
    coinbase: bytes = field(compare=False)
    transactions: tuple[Transaction, ...] = field(compare=False)
    raw: bytes = field(repr=False)
    hash: bytes = field(compare=False)

    @property
    def ref(self) -> BlockRef:
        """The block by number and hash."""
        return BlockRef(self.number, self.hash)


@dataclass(frozen=True, slots=True)
class Account:
    """What the state knows of an address: its balance, and the nonce that it must use next."""

    balance: int = 0
    nonce: int = 0


EMPTY_ACCOUNT = Account()
"""The account of every address that was never seen."""

AccountLookup = Callable[[bytes], Account]
"""An address to its account; `EMPTY_ACCOUNT` when it was never seen."""
