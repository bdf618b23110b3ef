"""Canonical text: the one byte string of each transaction and block (LEDGER: canonical form).

The text is the serialization on the wire, on disk and under the hash. Reading checks the form
completely before it converts anything: `int()` and the hex decoders accept far more than
is canonical and are never the judge.

Must not live here: rules that need a key scheme, a network or a state.
"""

import re
from binascii import unhexlify
from collections.abc import Sequence
from hashlib import sha256

from actors.ledger.types import HASH_BYTES, MAX_BLOCK_NONCE, MAX_INTEGER, Block, Transaction
from actors.ledger.violation import Rule, Violation

# Digits are counted here so that int() never sees more than a machine word's worth. The classes are
# spelled out because they are then ASCII by construction. No field's class contains the separator
# behind it, so a match takes time linear in its input.
_INTEGER = rb"(0|[1-9][0-9]{0,18})"
_BLOCK_NONCE = rb"(0|[1-9][0-9]{0,19})"
_HASH = rb"([0-9a-f]{64})"
_HEX = rb"([0-9a-f]+)"
_HEX_OR_EMPTY = rb"([0-9a-f]*)"

_TRANSACTION = re.compile(b",".join((_HEX, _HEX_OR_EMPTY, _INTEGER, _INTEGER, _HEX)))
_HEADER = re.compile(b":".join((_INTEGER, _BLOCK_NONCE, _HASH, _HEX_OR_EMPTY)))
_COLON = b":"[0]


def signing_bytes(sender: bytes, recipient: bytes, nonce: int, amount: int) -> bytes:
    """The bytes that a transaction's signature is over: `sender,recipient,nonce,amount`.

    Raises:
        ValueError: A field that has no canonical text.
    """
    if not sender:
        message = "a transaction's sender is never empty"
        raise ValueError(message)
    _require_range("nonce", nonce, MAX_INTEGER)
    _require_range("amount", amount, MAX_INTEGER)
    return f"{sender.hex()},{recipient.hex()},{nonce},{amount}".encode()


def make_transaction(
    sender: bytes, recipient: bytes, nonce: int, amount: int, signature: bytes
) -> Transaction:
    """A transaction of these fields; neither keys nor signature are verified.

    Raises:
        ValueError: A field that has no canonical text; what is built always decodes.
    """
    if not signature:
        message = "a transaction's signature is never empty"
        raise ValueError(message)
    signed = signing_bytes(sender, recipient, nonce, amount)
    raw = b"%b,%b" % (signed, signature.hex().encode())
    return Transaction(sender, recipient, nonce, amount, signature, raw, sha256(raw).digest())


def make_block(
    number: int,
    nonce: int,
    parent_hash: bytes,
    coinbase: bytes,
    transactions: Sequence[Transaction],
) -> Block:
    """A block of these fields; its validity is `state.apply_block`'s to judge.

    Raises:
        ValueError: A field that has no canonical text; what is built always decodes.
    """
    _require_range("block nonce", nonce, MAX_BLOCK_NONCE)
    prefix, suffix = block_prefix_suffix(number, parent_hash, coinbase, transactions)
    raw = b"%b%d%b" % (prefix, nonce, suffix)
    digest = sha256(raw).digest()
    return Block(number, nonce, parent_hash, coinbase, tuple(transactions), raw, digest)


def block_prefix_suffix(
    number: int, parent_hash: bytes, coinbase: bytes, transactions: Sequence[Transaction]
) -> tuple[bytes, bytes]:
    """The bytes before and after the decimal block nonce: what a miner scans between.

    Raises:
        ValueError: A field that has no canonical text.
    """
    _require_range("block number", number, MAX_INTEGER)
    if len(parent_hash) != HASH_BYTES:
        message = f"a parent hash has {HASH_BYTES} bytes, not {len(parent_hash)}"
        raise ValueError(message)
    fields = [b"", parent_hash.hex().encode(), coinbase.hex().encode()]
    fields += [transaction.raw for transaction in transactions]
    return b"%d:" % number, b":".join(fields)


def decode_transaction(data: bytes) -> Transaction | Violation:
    """The transaction whose canonical text is exactly `data`, or `Rule.MALFORMED`.

    Keys and signature are any bytes: their scheme is the network's to know.
    """
    match = _TRANSACTION.fullmatch(data)
    transaction = _transaction(match) if match else None
    if transaction is None:
        return Violation(Rule.MALFORMED, "the transaction is not in canonical form")
    return transaction


def decode_block(data: bytes) -> Block | Violation:
    """The block whose canonical text is exactly `data`, or `Rule.MALFORMED`.

    Stops at the first transaction that is not canonical and names its index. A block of any size
    and any number of transactions decodes: the frame bounds the first, consensus the second.
    """
    header = _HEADER.match(data)
    if header is None:
        return Violation(Rule.MALFORMED, "the block's header is not in canonical form")
    number, nonce = int(header[1]), int(header[2])
    if number > MAX_INTEGER or nonce > MAX_BLOCK_NONCE or len(header[4]) % 2:
        return Violation(Rule.MALFORMED, "the block's header is not in canonical form")
    transactions: list[Transaction] = []
    position = header.end()
    while position < len(data):
        match = _TRANSACTION.match(data, position + 1) if data[position] == _COLON else None
        transaction = _transaction(match) if match else None
        if match is None or transaction is None:
            detail = "a transaction of the block is not in canonical form"
            return Violation(Rule.MALFORMED, detail, len(transactions))
        transactions.append(transaction)
        position = match.end()
    parent_hash, coinbase = unhexlify(header[3]), unhexlify(header[4])
    return Block(
        number, nonce, parent_hash, coinbase, tuple(transactions), data, sha256(data).digest()
    )


def _transaction(match: re.Match[bytes]) -> Transaction | None:
    """The transaction of a match; None when a number is too large or hex of odd length."""
    sender, recipient, nonce_digits, amount_digits, signature = match.groups()
    nonce, amount = int(nonce_digits), int(amount_digits)
    if nonce > MAX_INTEGER or amount > MAX_INTEGER:
        return None
    if (len(sender) | len(recipient) | len(signature)) % 2:
        return None
    raw = match[0]
    return Transaction(
        unhexlify(sender),
        unhexlify(recipient),
        nonce,
        amount,
        unhexlify(signature),
        raw,
        sha256(raw).digest(),
    )


def _require_range(name: str, value: int, maximum: int) -> None:
    """Refuse to build what would not decode: the caller's mistake, hence an exception."""
    if not 0 <= value <= maximum:
        message = f"{name} is {value}, outside 0 to {maximum}"
        raise ValueError(message)
