"""Networks are data: the constants of one ledger (LEDGER: networks are data).

Lives here: the definition, the three built-in ones, and the reading of a user's table.

Must not live here: the file that the table comes from, or settings of a node (ports, limits).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, get_args

from actors.ledger.codec import make_block
from actors.ledger.keys import ED25519, P192_SHA1, KeyScheme
from actors.ledger.types import HASH_BYTES, Block

KeySchemeName = Literal["ed25519", "p192-sha1"]

MAX_DIFFICULTY = 16
"""Leading zero hex digits: 64 bits of work, all that a 64-bit nonce can be expected to find."""
MAX_BLOCK_REWARD = 10**12
"""Keeps the supply of nine million blocks below `MAX_INTEGER`."""
MAX_TRANSACTIONS_BOUND = 1_000
"""Bounds the work that one block can ask of a node, and the size of its gossip."""

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_HEX = re.compile(r"(?:[0-9a-f]{2})*")
_SCHEMES: Final[Mapping[KeySchemeName, KeyScheme]] = MappingProxyType(
    {"ed25519": ED25519, "p192-sha1": P192_SHA1}
)


class NetworkError(ValueError):
    """A network definition that cannot be used; the text is for its author and names the key."""


@dataclass(frozen=True, slots=True)
class Network:
    """The definition of one network. Nodes of equal definitions share a ledger.

    Attributes:
        name: What users call it, `[a-z0-9-]{1,32}`.
        key_scheme: Of its keys and signatures.
        difficulty: Leading zero hex digits of a block hash, 0 to 16.
        block_reward: Credited to each block's coinbase, 0 to 10^12.
        max_transactions_per_block: 1 to 1,000.
        genesis_coinbase: Of block 0; never credited.
        allow_generate: Whether an operator may ask for blocks at once.
        genesis: Block 0, derived from the rest.
    """

    name: str
    key_scheme: KeySchemeName
    difficulty: int
    block_reward: int
    max_transactions_per_block: int
    genesis_coinbase: bytes
    allow_generate: bool = False
    genesis: Block = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Derive genesis once: every handshake and every start of a chain asks for it."""
        genesis = make_block(0, 0, bytes(HASH_BYTES), self.genesis_coinbase, ())
        object.__setattr__(self, "genesis", genesis)

    @property
    def scheme(self) -> KeyScheme:
        """The rules of this network's keys."""
        return _SCHEMES[self.key_scheme]

    def definition(self) -> str:
        """The whole definition in one line: equal exactly when the definitions are.

        The store records it and refuses another (LEDGER: networks are data).
        """
        return (
            f"name={self.name} key_scheme={self.key_scheme} difficulty={self.difficulty}"
            f" block_reward={self.block_reward}"
            f" max_transactions_per_block={self.max_transactions_per_block}"
            f" genesis_coinbase={self.genesis_coinbase.hex()}"
            f" allow_generate={str(self.allow_generate).lower()}"
        )


_REQUIRED = frozenset(
    {
        "name",
        "key_scheme",
        "difficulty",
        "block_reward",
        "max_transactions_per_block",
        "genesis_coinbase",
    }
)
_OPTIONAL = frozenset({"allow_generate"})


def parse_network(table: Mapping[str, object]) -> Network:
    """The network that a table (as read from TOML) defines.

    Raises:
        NetworkError: A key is unknown, missing, of the wrong type or out of range.
    """
    unknown = sorted(table.keys() - _REQUIRED - _OPTIONAL)
    if unknown:
        message = f"{unknown[0]}: no such key in a network definition"
        raise NetworkError(message)
    missing = sorted(_REQUIRED - table.keys())
    if missing:
        message = f"{missing[0]}: missing from the network definition"
        raise NetworkError(message)
    scheme_name = _scheme_name(table)
    return Network(
        name=_text(table, "name", _NAME, "1 to 32 of the characters a-z, 0-9 and -"),
        key_scheme=scheme_name,
        difficulty=_integer(table, "difficulty", 0, MAX_DIFFICULTY),
        block_reward=_integer(table, "block_reward", 0, MAX_BLOCK_REWARD),
        max_transactions_per_block=_integer(
            table, "max_transactions_per_block", 1, MAX_TRANSACTIONS_BOUND
        ),
        genesis_coinbase=_coinbase(table, _SCHEMES[scheme_name]),
        allow_generate=_boolean(table, "allow_generate", default=False),
    )


def parse_definition(line: str) -> Network:
    """The network of a `Network.definition`: its inverse.

    Raises:
        ValueError: The line is no definition.
    """
    texts = dict(part.split("=", 1) for part in line.split(" "))
    table: dict[str, object] = {**texts, "allow_generate": texts.get("allow_generate") == "true"}
    for key in ("difficulty", "block_reward", "max_transactions_per_block"):
        table[key] = int(texts.get(key, ""))
    return parse_network(table)


def _scheme_name(table: Mapping[str, object]) -> KeySchemeName:
    value = table["key_scheme"]
    names: tuple[KeySchemeName, ...] = get_args(KeySchemeName)
    for name in names:
        if value == name:
            return name
    message = f"key_scheme: must be one of {', '.join(names)}, not {value!r}"
    raise NetworkError(message)


def _text(table: Mapping[str, object], key: str, form: re.Pattern[str], wanted: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not form.fullmatch(value):
        message = f"{key}: must be {wanted}, not {value!r}"
        raise NetworkError(message)
    return value


def _integer(table: Mapping[str, object], key: str, low: int, high: int) -> int:
    value = table[key]
    # A bool is an int to isinstance; `difficulty = true` is a mistake, not 1.
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        message = f"{key}: must be an integer from {low} to {high}, not {value!r}"
        raise NetworkError(message)
    return value


def _boolean(table: Mapping[str, object], key: str, *, default: bool) -> bool:
    value = table.get(key, default)
    if not isinstance(value, bool):
        message = f"{key}: must be true or false, not {value!r}"
        raise NetworkError(message)
    return value


def _coinbase(table: Mapping[str, object], scheme: KeyScheme) -> bytes:
    digits = _text(table, "genesis_coinbase", _HEX, "lower-case hex of even length")
    coinbase = bytes.fromhex(digits)
    if not scheme.is_address(coinbase):
        message = f"genesis_coinbase: {len(coinbase)} bytes is no length of {scheme.name}"
        raise NetworkError(message)
    return coinbase


MAIN: Final = Network(
    name="main",
    key_scheme="ed25519",
    difficulty=7,
    block_reward=10_000,
    max_transactions_per_block=10,
    genesis_coinbase=bytes(32),
)

WORKSHOP: Final = Network(
    name="workshop",
    key_scheme="p192-sha1",
    difficulty=7,
    block_reward=10_000,
    max_transactions_per_block=10,
    genesis_coinbase=bytes(33),
)
"""What the nodes already in the field speak: fixed, byte for byte."""

DEV: Final = Network(
    name="dev",
    key_scheme="ed25519",
    difficulty=5,
    block_reward=10_000,
    max_transactions_per_block=10,
    genesis_coinbase=b"dev".ljust(32, b"\0"),
    allow_generate=True,
)

NETWORKS: Final[Mapping[str, Network]] = MappingProxyType(
    {network.name: network for network in (MAIN, WORKSHOP, DEV)}
)
"""The built-in networks by name."""
