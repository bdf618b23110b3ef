"""Real nodes of ours among the nodes already in the field: what each does reaches the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from troupe.admin.v1 import node_service_pb2, peer_service_pb2, peer_service_pb2_grpc

from tests.support.field_ledger import FieldBlock, FieldKey, FieldNetwork, FieldTransaction, dig
from tests.support.field_node import (
    ANSWER,
    GET_PEERS,
    ID_BYTES,
    NEW_BLOCK,
    NEW_TX,
    SEARCH,
    FieldNode,
)
from tests.support.process import NodeProcess

NETWORK = FieldNetwork()
LONG = 30
NOWHERE = "127.9.9.9:1"
"""Nobody listens there: who says this in its hello cannot be dialed."""


@contextmanager
def run(folder: Path, *peers: str) -> Iterator[NodeProcess]:
    """A node of ours; in the end it must be sound, and if anything fails its log is shown."""
    bootstrap = [word for peer in peers for word in ("--peer", peer)]
    folder.mkdir(exist_ok=True)
    network = ("--network-file", str(NETWORK.file(folder)))
    with NodeProcess(folder / "data", *network, "--log-level", "debug", *bootstrap) as node:
        try:
            yield node
            assert node.node().state != node_service_pb2.NODE_STATE_DEGRADED
            assert not [line for line in node.output if " fell" in line or "Traceback" in line]
        finally:
            print(*node.output, sep="")  # noqa: T201 - pytest keeps it for a failure


def peer_stub(node: NodeProcess) -> peer_service_pb2_grpc.PeerServiceStub:
    return peer_service_pb2_grpc.PeerServiceStub(node.channel)


def dial(node: NodeProcess, address: str) -> None:
    node.call(peer_stub(node).ConnectPeer, peer_service_pb2.ConnectPeerRequest(address=address))


def peer_of(node: NodeProcess, address: str) -> peer_service_pb2.Peer | None:
    listed = node.call(peer_stub(node).ListPeers, peer_service_pb2.ListPeersRequest()).peers
    return next((peer for peer in listed if peer.address == address), None)


def connections(node: NodeProcess, address: str) -> list[int]:
    peer = peer_of(node, address)
    return [] if peer is None else list(peer.connection_ids)


# -- links ------------------------------------------------------------------------------------------


def test_the_same_hello_on_two_connections_is_accepted_and_both_are_kept(tmp_path: Path) -> None:
    with run(tmp_path) as node, FieldNode(NETWORK) as field:
        links = field.join(node.listen_address)
        assert len(connections(node, field.address)) == 2
        node.generate(1)
        field.await_tip(node.tip_hash())
        node.await_tip(field.mine().hash.hex())
        for link in links:
            assert field.request(link, GET_PEERS) == b""
        assert len(connections(node, field.address)) == 2


def test_a_hello_that_is_rejected_is_answered_at_once(tmp_path: Path) -> None:
    with run(tmp_path) as node, FieldNode(NETWORK, "lost", advertise="no address") as field:
        links = field.dial(node.listen_address)
        field.await_that(lambda: [link.answered for link in links] == [False, False])
        for link in links:
            assert field.request(link, GET_PEERS) == b""
        assert not connections(node, "no address")


def test_a_node_that_rejects_us_is_left_and_its_peers_are_tried(tmp_path: Path) -> None:
    with (
        run(tmp_path) as node,
        FieldNode(NETWORK, "other") as other,
        FieldNode(NETWORK, "full", accepting=False, listed=[other.address]) as full,
    ):
        with pytest.raises(grpc.RpcError, match="reject"):
            dial(node, full.address)
        full.await_that(lambda: full.links[0].closed)
        other.await_peer(node.listen_address)


def test_a_node_that_we_dial_and_that_knows_eighty_others_exchanges_blocks(tmp_path: Path) -> None:
    others = [f"127.9.{number}.9:1" for number in range(80)]
    with run(tmp_path) as node, FieldNode(NETWORK, listed=others) as field:
        dial(node, field.address)
        node.await_tip(field.mine().hash.hex())
        node.generate(1)
        field.await_tip(node.tip_hash())
        assert len(connections(node, field.address)) == 1


def test_two_nodes_that_dial_each_other_stay_connected(tmp_path: Path) -> None:
    with FieldNode(NETWORK) as field, run(tmp_path, field.address) as node:
        field.await_peer(node.listen_address)
        field.join(node.listen_address)
        assert len(connections(node, field.address)) == 3
        node.generate(1)
        field.await_tip(node.tip_hash())
        node.await_tip(field.mine().hash.hex())
        assert len(connections(node, field.address)) == 3


# -- chains -----------------------------------------------------------------------------------------


def test_a_long_chain_of_a_field_node_arrives_by_a_walk_back_from_its_tip(tmp_path: Path) -> None:
    with run(tmp_path) as node, FieldNode(NETWORK) as field:
        field.mine(LONG)
        field.join(node.listen_address)
        tip = field.mine()
        node.await_tip(tip.hash.hex())
        assert node.height() == LONG + 1
        searched = {each.payload[2 * ID_BYTES :] for each in field.heard if each.kind == SEARCH}
        assert searched == field.chain.blocks.keys() - {tip.hash, field.chain.genesis.hash}


def test_our_long_chain_reaches_a_field_node_that_joins_late(tmp_path: Path) -> None:
    with run(tmp_path) as node, FieldNode(NETWORK) as field:
        node.generate(LONG)
        field.join(node.listen_address)
        field.await_tip(node.tip_hash())
        assert [heard.kind for heard in field.heard].count(NEW_BLOCK) == 1
        peer = peer_of(node, field.address)
        assert peer is not None
        assert peer.kind == peer_service_pb2.PEER_KIND_LEGACY


def test_the_longer_branch_wins_on_either_side(tmp_path: Path) -> None:
    with run(tmp_path) as node, FieldNode(NETWORK) as field:
        node.generate(3)
        field.mine(2)
        field.join(node.listen_address)
        field.await_tip(node.tip_hash())
        fork = field.chain.blocks[bytes.fromhex(node.block_hash(1))]
        node.await_tip(field.mine(4, on=fork).hash.hex())
        assert node.height() == 5
        assert node.block_hash(1) == fork.hash.hex()


def test_two_nodes_of_ours_with_a_field_node_between_them_end_on_one_tip(tmp_path: Path) -> None:
    with (
        run(tmp_path / "a") as a,
        run(tmp_path / "b") as b,
        FieldNode(NETWORK, listed=()) as field,
    ):
        a.generate(3)
        b.generate(6)
        field.join(a.listen_address)
        field.join(b.listen_address)
        a.await_tip(b.tip_hash())
        for one, other in ((a, b), (b, a)):
            one.generate(1)
            other.await_tip(one.tip_hash())
        field.await_tip(a.tip_hash())
        assert not connections(a, b.listen_address)


# -- through a field node ---------------------------------------------------------------------------


def test_blocks_and_transactions_cross_a_field_node_both_ways(tmp_path: Path) -> None:
    with (
        run(tmp_path) as node,
        FieldNode(NETWORK, "near", listed=()) as near,
        FieldNode(NETWORK, "far", advertise=NOWHERE) as far,
    ):
        near.join(node.listen_address)
        far.join(near.address)
        node.generate(1)
        far.await_tip(node.tip_hash())
        node.await_tip(far.mine().hash.hex())
        sent = far.pay(bytes.fromhex(node.wallet_address()), 77)
        node.await_that(lambda: sent.id in node.pooled())
        received = node.transfer(far.key.public.hex(), 5)
        far.await_that(lambda: received in [pooled.id for pooled in far.pool.values()])
        node.generate(1)
        far.await_tip(node.tip_hash())
        assert node.account(far.key.public.hex()) == far.chain.account(far.key.public)
        assert far.chain.account(far.key.public) == (10_000 - 77 + 5, 1)


def test_searches_cross_a_field_node_that_forwards_answers_without_their_id(tmp_path: Path) -> None:
    with (
        run(tmp_path) as node,
        FieldNode(NETWORK, "near", listed=(), fetching=False) as near,
        FieldNode(NETWORK, "far", advertise=NOWHERE) as far,
    ):
        far.mine(LONG)
        near.join(node.listen_address)
        far.join(near.address)
        node.await_tip(far.mine().hash.hex())
        assert near.chain.tip is near.chain.genesis
        node.generate(1)
        far.await_tip(node.tip_hash())
        far.ask(far.chain.tip.hash)
        answer = far.chain.tip.text.encode()
        far.await_that(lambda: any(heard.payload == answer for heard in far.heard))
        assert {heard.kind for heard in far.heard if heard.payload == answer} == {ANSWER}


def test_a_transaction_of_either_side_is_mined_by_the_other(tmp_path: Path) -> None:
    with run(tmp_path) as node, FieldNode(NETWORK) as field:
        ours, theirs = bytes.fromhex(node.wallet_address()), field.key.public
        field.join(node.listen_address)
        node.generate(1)
        field.await_tip(node.tip_hash())
        paid = node.transfer(theirs.hex(), 1_234)
        field.await_that(lambda: paid in [pooled.id for pooled in field.pool.values()])
        node.await_tip(field.mine().hash.hex())
        assert node.included(paid)
        repaid = field.pay(ours, 234)
        node.await_that(lambda: repaid.id in node.pooled())
        node.generate(1)
        field.await_tip(node.tip_hash())
        assert node.included(repaid.id)
        assert node.account(ours.hex()) == field.chain.account(ours) == (2 * 10_000 - 1_000, 1)
        assert node.account(theirs.hex()) == field.chain.account(theirs) == (10_000 + 1_000, 1)


# -- what a liar wrote and an honest field node passes on -------------------------------------------


def too_many_transactions(key: FieldKey, parent: FieldBlock) -> str:
    many = [key.transfer(b"", nonce, 1) for nonce in range(NETWORK.max_transactions + 1)]
    return dig(NETWORK, parent, key.public, many).text


def a_bad_signature(key: FieldKey, parent: FieldBlock) -> str:
    forged = FieldTransaction(key.public, b"", 0, 1, bytes(48))
    return dig(NETWORK, parent, key.public, [forged]).text


def more_than_it_has(key: FieldKey, parent: FieldBlock) -> str:
    return dig(NETWORK, parent, key.public, [key.transfer(b"", 0, 10**12)]).text


def not_canonical(key: FieldKey, parent: FieldBlock) -> str:
    return "+0" + dig(NETWORK, parent, key.public).text


@pytest.mark.parametrize(
    "write", [too_many_transactions, a_bad_signature, more_than_it_has, not_canonical]
)
def test_an_invalid_block_is_not_blamed_on_the_node_that_relays_it(
    tmp_path: Path, write: Callable[[FieldKey, FieldBlock], str]
) -> None:
    with (
        run(tmp_path) as node,
        FieldNode(NETWORK, "honest", listed=()) as honest,
        FieldNode(NETWORK, "liar", advertise=NOWHERE) as liar,
    ):
        honest.join(node.listen_address)
        liar.join(honest.address)
        parent = liar.mine()
        node.await_tip(parent.hash.hex())
        before = connections(node, honest.address)
        news = write(liar.key, parent).encode()
        liar.gossip(NEW_BLOCK, news)
        honest.await_that(lambda: any(heard.payload.endswith(news) for heard in honest.heard))
        node.await_tip(honest.mine(on=parent).hash.hex())  # behind the liar's: that was read
        assert node.height() == 2
        assert connections(node, honest.address) == before


def test_a_block_in_other_words_arrives_when_its_child_does(tmp_path: Path) -> None:
    with (
        run(tmp_path) as node,
        FieldNode(NETWORK, "honest", listed=()) as honest,
        FieldNode(NETWORK, "liar", advertise=NOWHERE) as liar,
    ):
        honest.join(node.listen_address)
        liar.join(honest.address)
        block = dig(NETWORK, honest.chain.genesis, liar.key.public)
        liar.gossip(NEW_BLOCK, b"+0" + block.text.encode())
        honest.await_tip(block.hash.hex())
        node.await_tip(honest.mine().hash.hex())
        assert node.block_hash(1) == block.hash.hex()


@pytest.mark.parametrize("encoding", ["uncompressed", "raw"])
def test_a_sender_in_another_encoding_is_not_pooled_but_valid_in_a_block(
    tmp_path: Path, encoding: str
) -> None:
    with run(tmp_path) as node, FieldNode(NETWORK) as field:
        field.join(node.listen_address)
        key = FieldKey("old style")
        sender = key.uncompressed if encoding == "uncompressed" else key.uncompressed[1:]
        first = dig(NETWORK, field.chain.genesis, sender)
        field.chain.add(first)
        field.gossip(NEW_BLOCK, first.text.encode())
        transaction = key.transfer(field.key.public, 0, 77, sender)
        field.pool[transaction.text] = transaction
        field.gossip(NEW_TX, transaction.text.encode())
        node.await_tip(field.mine().hash.hex())
        assert field.chain.account(field.key.public) == (10_077, 0)
        assert node.account(field.key.public.hex()) == (10_077, 0)
        assert node.account(sender.hex()) == (10_000 - 77, 1)
        assert len(connections(node, field.address)) == 2
