"""Network definitions: the built-in ones, and what a user's table may say."""

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, replace

import pytest

from actors.ledger.keys import ED25519, P192_SHA1
from actors.ledger.network import (
    DEV,
    MAIN,
    NETWORKS,
    WORKSHOP,
    Network,
    NetworkError,
    parse_definition,
    parse_network,
)
from actors.ledger.types import MAX_INTEGER

_TABLE: Mapping[str, object] = {
    "name": "home-net",
    "key_scheme": "ed25519",
    "difficulty": 4,
    "block_reward": 50,
    "max_transactions_per_block": 20,
    "genesis_coinbase": "ab" * 32,
}


def _without(key: str) -> Mapping[str, object]:
    return {name: value for name, value in _TABLE.items() if name != key}


def test_a_table_is_read() -> None:
    assert parse_network(_TABLE) == Network(
        name="home-net",
        key_scheme="ed25519",
        difficulty=4,
        block_reward=50,
        max_transactions_per_block=20,
        genesis_coinbase=b"\xab" * 32,
        allow_generate=False,
    )


def test_generate_is_allowed_only_when_the_table_says_so() -> None:
    assert not parse_network(_TABLE).allow_generate
    assert parse_network({**_TABLE, "allow_generate": True}).allow_generate


@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda network: network.name)
def test_a_built_in_network_satisfies_the_rules_for_tables(network: Network) -> None:
    table = {
        "name": network.name,
        "key_scheme": network.key_scheme,
        "difficulty": network.difficulty,
        "block_reward": network.block_reward,
        "max_transactions_per_block": network.max_transactions_per_block,
        "genesis_coinbase": network.genesis_coinbase.hex(),
        "allow_generate": network.allow_generate,
    }
    assert parse_network(table) == network


@pytest.mark.parametrize("key", sorted(_TABLE))
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(NetworkError, match=rf"^{key}: "):
        parse_network(_without(key))


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(NetworkError, match=r"^dificulty: "):
        parse_network({**_TABLE, "dificulty": 3})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", ""),
        ("name", "Home"),
        ("name", "a" * 33),
        ("name", "a b"),
        ("name", "home\n"),
        ("name", 5),
        ("key_scheme", "rsa"),
        ("key_scheme", None),
        ("key_scheme", ["ed25519"]),
        ("difficulty", -1),
        ("difficulty", 17),
        ("difficulty", True),
        ("difficulty", 4.0),
        ("difficulty", "4"),
        ("block_reward", -1),
        ("block_reward", 10**12 + 1),
        ("max_transactions_per_block", 0),
        ("max_transactions_per_block", 1_001),
        ("genesis_coinbase", "AB" * 32),
        ("genesis_coinbase", "a"),
        ("genesis_coinbase", "zz" * 32),
        ("genesis_coinbase", "ab" * 32 + "\n"),
        ("genesis_coinbase", "ab" * 31),
        ("genesis_coinbase", b"ab"),
        ("allow_generate", 1),
        ("allow_generate", "true"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_by_its_key(key: str, value: object) -> None:
    with pytest.raises(NetworkError, match=rf"^{key}: "):
        parse_network({**_TABLE, key: value})


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("name", ("a", "a-0" * 10)),
        ("difficulty", (0, 16)),
        ("block_reward", (0, 10**12)),
        ("max_transactions_per_block", (1, 1_000)),
    ],
)
def test_a_range_includes_its_ends(key: str, values: tuple[object, object]) -> None:
    for value in values:
        assert getattr(parse_network({**_TABLE, key: value}), key) == value


def test_a_genesis_coinbase_of_p192_may_be_empty() -> None:
    table = {**_TABLE, "key_scheme": "p192-sha1", "genesis_coinbase": ""}
    assert parse_network(table).genesis_coinbase == b""


def test_genesis_is_block_zero_of_the_definition_s_coinbase() -> None:
    genesis = MAIN.genesis
    assert (genesis.number, genesis.nonce, genesis.parent_hash) == (0, 0, bytes(32))
    assert genesis.coinbase == MAIN.genesis_coinbase
    assert genesis.transactions == ()


def test_the_genesis_of_workshop_is_the_field_s() -> None:
    assert WORKSHOP.genesis.hash.hex() == (
        "d4522760c17a1462ecce5171f8f170e18bb6fddc0295eb493f6b0fd15cac03e9"
    )


def test_the_built_in_networks_have_different_genesis_blocks() -> None:
    assert len({network.genesis.hash for network in NETWORKS.values()}) == len(NETWORKS)


def test_a_replaced_coinbase_gives_another_genesis() -> None:
    other = replace(MAIN, genesis_coinbase=b"\x01" * 32)
    assert other.genesis.coinbase == b"\x01" * 32
    assert other.genesis != MAIN.genesis


def test_a_network_names_its_scheme() -> None:
    assert MAIN.scheme is ED25519
    assert WORKSHOP.scheme is P192_SHA1
    assert all(network.scheme.name == network.key_scheme for network in NETWORKS.values())


def test_only_dev_allows_generate() -> None:
    assert [network for network in NETWORKS.values() if network.allow_generate] == [DEV]


def test_a_definition_is_one_line() -> None:
    assert WORKSHOP.definition() == (
        "name=workshop key_scheme=p192-sha1 difficulty=7 block_reward=10000"
        " max_transactions_per_block=10 genesis_coinbase=" + "00" * 33 + " allow_generate=false"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda network: replace(network, name="other"),
        lambda network: replace(network, key_scheme="p192-sha1"),
        lambda network: replace(network, difficulty=6),
        lambda network: replace(network, block_reward=1),
        lambda network: replace(network, max_transactions_per_block=9),
        lambda network: replace(network, genesis_coinbase=b"\x01" * 32),
        lambda network: replace(network, allow_generate=True),
    ],
)
def test_every_key_is_part_of_the_definition(change: Callable[[Network], Network]) -> None:
    assert change(MAIN).definition() != MAIN.definition()


def test_a_network_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        MAIN.difficulty = 0  # type: ignore[misc]


def test_the_largest_reward_fits_a_balance_for_millions_of_blocks() -> None:
    assert MAX_INTEGER // 10**12 > 9_000_000


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
def test_a_definition_leads_back_to_its_network(network: Network) -> None:
    assert parse_definition(network.definition()) == network


@pytest.mark.parametrize("line", ["", "name=x", "nonsense", MAIN.definition() + " more=1"])
def test_a_line_that_is_no_definition_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever does not parse
        parse_definition(line)
