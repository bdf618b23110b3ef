"""Real processes that catch up with each other over loopback, through falls and beside peers that stall."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from actors.chain import wire
from actors.chain.importer import Importer
from actors.chain.store import Store
from actors.ledger.network import Network, parse_network
from actors.ledger.types import Block
from tests.support.chains import ALICE, BOB, mine, transfer
from tests.support.process import EASY_TOML, NodeProcess
from tests.support.wire_client import REQUEST, RESPONSE, WireClient

BLOCKS = 3_000
"""Some two dozen batches."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network file, and a chain in the data directory ``a``."""
    folder = tmp_path_factory.mktemp("sync")
    (folder / "net.toml").write_text(EASY_TOML.replace("difficulty = 3", "difficulty = 1"))
    (folder / "a").mkdir()
    store = Store.open(folder / "a" / "chain.db", network_of(folder))
    Importer(store, network_of(folder)).add(paying_chain(network_of(folder)))
    assert store.tip().number == BLOCKS
    store.close()
    return folder


def network_of(folder: Path) -> Network:
    return parse_network(tomllib.loads((folder / "net.toml").read_text()))


def paying_chain(network: Network) -> list[Block]:
    chain: list[Block] = []
    parent = network.genesis.ref
    for nonce in range(BLOCKS):
        chain.append(
            mine(network, parent, transactions=[transfer(ALICE, BOB.public, nonce, nonce)])
        )
        parent = chain[-1].ref
    return chain


def run(folder: Path, name: str, *peers: NodeProcess) -> NodeProcess:
    bootstrap = [word for peer in peers for word in ("--peer", peer.listen_address)]
    return NodeProcess(folder / name, "--network-file", str(folder / "net.toml"), *bootstrap)


def test_a_node_that_is_killed_in_the_middle_of_a_sync_goes_on_with_what_it_has(
    folder: Path,
) -> None:
    with run(folder, "a") as a:
        with run(folder, "b", a) as b:
            b.await_height(1)
            b.kill()
        with run(folder, "b", a) as b:
            b.await_tip(a.tip_hash())
            bob = BOB.public.hex()
            assert b.account(bob) == a.account(bob) == (sum(range(BLOCKS)), 0)
            assert b.block_hash(BLOCKS // 2) == a.block_hash(BLOCKS // 2)


def test_a_peer_that_claims_the_most_and_never_answers_does_not_keep_a_node_from_the_chain(
    folder: Path,
) -> None:
    with run(folder, "a") as a, run(folder, "c") as c:
        host, _, port = c.listen_address.rpartition(":")
        with WireClient.connect(host, int(port)) as staller:
            assert staller.hello(staller.address).accepted
            claim_much(staller, network_of(folder))
            c.connect(a)
            c.await_tip(a.tip_hash())


def claim_much(staller: WireClient, network: Network) -> None:
    """Answer the question for the status, and no other; back when it was asked for blocks."""
    status = wire.Status(network.name, network.genesis.hash, 10**9, b"x" * 32, "troupe/liar")
    while (asked := staller.recv_message()).kind != wire.GET_BLOCKS_KIND:
        if (asked.type, asked.kind) == (REQUEST, wire.STATUS_KIND):
            staller.send_message(RESPONSE, asked.id, "", wire.encode_status(status))
