"""Network files and definitions: refused in a sentence, or a network whose definition says all of it."""

from __future__ import annotations

from contextlib import suppress

from actors.ledger.network import Network, parse_definition
from admin.cli.exits import CliError
from admin.cli.settings import Value, network_of
from admin.tuning import Source
from tests.fuzz.scratch import file_of


def one_input(data: bytes) -> None:
    path = file_of("network.toml", data)
    values = {
        "network": Value("network", "main", Source.DEFAULT),
        "network_file": Value("network_file", path, Source.FLAG),
    }
    with suppress(CliError):
        examine(network_of(values))
    with suppress(ValueError):
        examine(parse_definition(data.decode("utf-8", "replace")))


def examine(network: Network) -> None:
    assert parse_definition(network.definition()) == network
    assert network.genesis.number == 0
    network.scheme.is_standard_address(network.genesis_coinbase)
