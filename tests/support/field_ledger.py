"""The ledger of a node in the field (see `field_node`): lenient codec, P-192 keys, chain and accounts.

Nothing here is ours or imports ours, so that each side checks the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import count
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_CURVE = ec.SECP192R1()
_ECDSA = ec.ECDSA(SHA1())
_HALF = 24

Account = tuple[int, int]
"""Balance and nonce."""
NOBODY: Account = (0, 0)


@dataclass(frozen=True)
class FieldNetwork:
    """A network of the field, as easy as a test wants it."""

    name: str = "field"
    difficulty: int = 2
    reward: int = 10_000
    max_transactions: int = 10
    genesis_coinbase: bytes = bytes(33)

    def file(self, folder: Path) -> Path:
        """The same network for ``--network-file``."""
        path = folder / f"{self.name}.toml"
        path.write_text(
            f'name = "{self.name}"\n'
            'key_scheme = "p192-sha1"\n'
            f"difficulty = {self.difficulty}\n"
            f"block_reward = {self.reward}\n"
            f"max_transactions_per_block = {self.max_transactions}\n"
            f'genesis_coinbase = "{self.genesis_coinbase.hex()}"\n'
            "allow_generate = true\n"
        )
        return path


@dataclass(frozen=True)
class FieldTransaction:
    """A transfer. Its text is made anew from its fields, however it was written (4)."""

    sender: bytes
    recipient: bytes
    nonce: int
    amount: int
    signature: bytes = b""

    @classmethod
    def parse(cls, text: str) -> FieldTransaction:
        """Leniently. Raises ValueError."""
        sender, recipient, nonce, amount, signature = text.split(",")
        return cls(
            bytes.fromhex(sender),
            bytes.fromhex(recipient),
            int(nonce),
            int(amount),
            bytes.fromhex(signature),
        )

    @property
    def signed(self) -> str:
        return f"{self.sender.hex()},{self.recipient.hex()},{self.nonce},{self.amount}"

    @property
    def text(self) -> str:
        return f"{self.signed},{self.signature.hex()}"

    @property
    def id(self) -> str:
        return sha256(self.text.encode()).hexdigest()

    def is_signed(self) -> bool:
        sender = b"\4" + self.sender if len(self.sender) == 2 * _HALF else self.sender
        r, s = (int.from_bytes(half) for half in (self.signature[:_HALF], self.signature[_HALF:]))
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, sender)
            key.verify(encode_dss_signature(r, s), self.signed.encode(), _ECDSA)
        except (InvalidSignature, ValueError):
            return False
        return True


class FieldKey:
    """A key made from a name; signs with random nonces, so its S is high as often as low."""

    def __init__(self, name: str) -> None:
        secret = int.from_bytes(sha256(name.encode()).digest()[:_HALF]) >> 1
        self._key = ec.derive_private_key(secret, _CURVE)
        self.public = self._public(PublicFormat.CompressedPoint)
        self.uncompressed = self._public(PublicFormat.UncompressedPoint)

    def transfer(
        self, recipient: bytes, nonce: int, amount: int, sender: bytes | None = None
    ) -> FieldTransaction:
        """A signed transfer, from another encoding of our key if ``sender`` says so."""
        unsigned = FieldTransaction(sender or self.public, recipient, nonce, amount)
        r, s = decode_dss_signature(self._key.sign(unsigned.signed.encode(), _ECDSA))
        signature = r.to_bytes(_HALF) + s.to_bytes(_HALF)
        return FieldTransaction(unsigned.sender, recipient, nonce, amount, signature)

    def _public(self, form: PublicFormat) -> bytes:
        return self._key.public_key().public_bytes(Encoding.X962, form)


@dataclass(frozen=True)
class FieldBlock:
    """A block, its text likewise made anew."""

    number: int
    nonce: int
    parent: bytes
    coinbase: bytes
    transactions: tuple[FieldTransaction, ...] = ()

    @classmethod
    def parse(cls, text: str) -> FieldBlock:
        """Leniently. Raises ValueError."""
        number, nonce, parent, coinbase, *transactions = text.split(":")
        return cls(
            int(number),
            int(nonce),
            bytes.fromhex(parent),
            bytes.fromhex(coinbase),
            tuple(map(FieldTransaction.parse, transactions)),
        )

    @cached_property
    def text(self) -> str:
        fields = [str(self.number), str(self.nonce), self.parent.hex(), self.coinbase.hex()]
        return ":".join(fields + [transaction.text for transaction in self.transactions])

    @cached_property
    def hash(self) -> bytes:
        return sha256(self.text.encode()).digest()

    def has_work(self, network: FieldNetwork) -> bool:
        return self.hash.hex().startswith("0" * network.difficulty)


def dig(
    network: FieldNetwork,
    parent: FieldBlock,
    coinbase: bytes,
    transactions: Iterable[FieldTransaction] = (),
) -> FieldBlock:
    """A block with its proof of work; what is in it is the digger's business."""
    included = tuple(transactions)
    return next(
        block
        for nonce in count()
        if (
            block := FieldBlock(parent.number + 1, nonce, parent.hash, coinbase, included)
        ).has_work(network)
    )


class FieldChain:
    """Connected blocks by hash, and the accounts after each; the longest valid branch wins."""

    def __init__(self, network: FieldNetwork) -> None:
        self.network = network
        self.genesis = self.tip = FieldBlock(0, 0, bytes(32), network.genesis_coinbase)
        self.blocks = {self.genesis.hash: self.genesis}
        self._accounts: dict[bytes, dict[bytes, Account] | None] = {self.genesis.hash: {}}

    def add(self, block: FieldBlock) -> None:
        """Take a block whose parent is known."""
        self.blocks[block.hash] = block
        accounts = self._accounts[block.hash] = self._execute(block)
        if accounts is not None and block.number > self.tip.number:
            self.tip = block

    def account(self, address: bytes) -> Account:
        accounts = self._accounts[self.tip.hash]
        assert accounts is not None, "a tip is valid"
        return accounts.get(address, NOBODY)

    def is_valid(self, block_hash: bytes) -> bool:
        return self._accounts[block_hash] is not None

    def choose(
        self, parent: FieldBlock, pool: Iterable[FieldTransaction]
    ) -> tuple[FieldTransaction, ...]:
        """What can go into a block on ``parent``, in the pool's order."""
        accounts = dict(self._accounts[parent.hash] or {})
        valid = [transaction for transaction in pool if _apply(accounts, transaction)]
        return tuple(valid[: self.network.max_transactions])

    def _execute(self, block: FieldBlock) -> dict[bytes, Account] | None:
        """The accounts after it; None: invalid. The number of transactions is not looked at (4)."""
        before = self._accounts[block.parent]
        if before is None or block.number != self.blocks[block.parent].number + 1:
            return None
        accounts = dict(before)
        if not all(_apply(accounts, transaction) for transaction in block.transactions):
            return None
        balance, nonce = accounts.get(block.coinbase, NOBODY)
        accounts[block.coinbase] = (balance + self.network.reward, nonce)
        return accounts


def _apply(accounts: dict[bytes, Account], transaction: FieldTransaction) -> bool:
    balance, nonce = accounts.get(transaction.sender, NOBODY)
    amount = transaction.amount
    if not 0 <= amount <= balance or nonce != transaction.nonce or not transaction.is_signed():
        return False
    accounts[transaction.sender] = (balance - amount, nonce + 1)
    credited, its_nonce = accounts.get(transaction.recipient, NOBODY)
    accounts[transaction.recipient] = (credited + amount, its_nonce)
    return True
