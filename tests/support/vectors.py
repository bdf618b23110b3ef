"""The workshop network's test vectors, typed: `tests/vectors/workshop.json`.

They come from an independent implementation of that network. Lives here: loading and types only;
what a vector means is for the test that uses it.
"""

import json
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

_VECTORS = Path(__file__).parent.parent / "vectors"


class GenesisVector(TypedDict):
    """Block 0."""

    serialized: str
    hash: str


class KeyVector(TypedDict):
    """A key pair; all hex."""

    private: str
    public: str
    public_uncompressed: str


class TransactionVector(TypedDict):
    """A correctly signed transaction by its fields."""

    serialized: str
    hash: str
    data_to_sign: str
    sender: str
    receiver: str
    nonce: int
    amount: int
    sig: str
    note: str


class StateVector(TypedDict):
    """A whole state: each account that exists, and each nonce that is not 0."""

    block_number: int
    block_hash: str
    balances: dict[str, int]
    nonces: dict[str, int]


class BlockVector(TypedDict):
    """A valid block of the chain and the state behind it."""

    difficulty: int
    leading_zero_hex_digits: int
    serialized: str
    hash: str
    number: int
    nonce: int
    parent_hash: str
    coinbase: str
    n_transactions: int
    state_after: StateVector


class ChainVector(TypedDict):
    """One chain on genesis."""

    blocks: list[BlockVector]


class FrameVector(TypedDict):
    """A frame of the peer protocol, hex, and what it says."""

    name: str
    frame: str
    fields: dict[str, object]


class CaseContext(TypedDict):
    """What the cases are judged on: a difficulty, a chain and its state."""

    difficulty: int
    base_blocks: list[str]
    state: StateVector


class Case(TypedDict):
    """Bytes, as text or (where they are no text) as hex, and the verdict on them."""

    case: str
    serialized: str | None
    raw_hex: str | None
    expect: str


class Vectors(TypedDict):
    """The whole file."""

    genesis: GenesisVector
    keys: list[KeyVector]
    transactions: list[TransactionVector]
    chain: ChainVector
    frames: list[FrameVector]
    cases_context: CaseContext
    block_cases: list[Case]
    transaction_cases: list[Case]


@cache
def workshop() -> Vectors:
    """The vectors of the `workshop` network; shared, so not to be modified."""
    text = (_VECTORS / "workshop.json").read_text(encoding="utf-8")
    return cast("Vectors", json.loads(text))


def case_bytes(case: Case) -> bytes:
    """The bytes that a case is about."""
    if case["raw_hex"] is not None:
        return bytes.fromhex(case["raw_hex"])
    assert case["serialized"] is not None
    return case["serialized"].encode()
