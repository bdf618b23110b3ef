"""Real processes: a miner outside of the node, signing apart from submitting, evictions, bans, the graph."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from troupe.admin.v1 import (
    chain_service_pb2,
    chain_service_pb2_grpc,
    mempool_service_pb2,
    mempool_service_pb2_grpc,
    miner_service_pb2,
    miner_service_pb2_grpc,
    peer_service_pb2,
    peer_service_pb2_grpc,
    wallet_service_pb2,
    wallet_service_pb2_grpc,
)

from actors.ledger.keys import ED25519
from tests.support.admin_stage import refusal_of
from tests.support.ledger import key
from tests.support.process import NodeProcess, easy_network_file

ELSEWHERE = key(ED25519, "elsewhere").public.hex()


@pytest.fixture
def network_file(tmp_path: Path) -> str:
    return str(easy_network_file(tmp_path))


def solve(template: miner_service_pb2.BlockTemplate) -> bytes:
    """What the contract tells a miner in any language to do."""
    for nonce in count():
        raw = template.prefix + str(nonce).encode() + template.suffix
        if hashlib.sha256(raw).hexdigest().startswith("0" * template.difficulty):
            return raw
    raise AssertionError


def submit(node: NodeProcess, raw: bytes) -> str:
    stub = mempool_service_pb2_grpc.MempoolServiceStub(node.channel)
    request = mempool_service_pb2.SubmitTransactionRequest(raw=raw)
    state = node.call(stub.SubmitTransaction, request).state
    return mempool_service_pb2.TransactionState.Name(state).removeprefix("TRANSACTION_STATE_")


def test_a_block_solved_outside_of_the_node_pays_its_miner(
    tmp_path: Path, network_file: str
) -> None:
    with NodeProcess(tmp_path / "node", "--network-file", network_file) as node:
        miner = miner_service_pb2_grpc.MinerServiceStub(node.channel)
        chain = chain_service_pb2_grpc.ChainServiceStub(node.channel)
        node.generate(1)
        payment = node.transfer(ELSEWHERE, 77)
        request = miner_service_pb2.GetBlockTemplateRequest(coinbase=ELSEWHERE)
        template = node.call(miner.GetBlockTemplate, request).template
        assert (template.number, template.parent.hash) == (2, node.tip_hash())
        assert [each.id for each in template.transactions] == [payment]
        block = chain_service_pb2.SubmitBlockRequest(raw=solve(template))
        answer = node.call(chain.SubmitBlock, block)
        assert answer.outcome == chain_service_pb2.BLOCK_OUTCOME_CONNECTED
        assert node.tip_hash() == answer.hash
        assert node.account(ELSEWHERE) == (10_000 + 77, 0)
        assert node.included(payment)


def test_what_is_signed_can_be_submitted_evicted_and_put_back(
    tmp_path: Path, network_file: str
) -> None:
    with NodeProcess(tmp_path / "node", "--network-file", network_file) as node:
        wallet = wallet_service_pb2_grpc.WalletServiceStub(node.channel)
        pool = mempool_service_pb2_grpc.MempoolServiceStub(node.channel)
        node.generate(1)
        requests = (
            wallet_service_pb2.SignTransactionRequest(recipient=ELSEWHERE, amount=5, nonce=nonce)
            for nonce in (0, 1)
        )
        first, second = (node.call(wallet.SignTransaction, each).transaction for each in requests)
        assert node.pooled() == set()
        assert [submit(node, each.raw) for each in (first, second)] == ["PENDING", "PENDING"]
        evict = mempool_service_pb2.EvictTransactionRequest(id=first.id)
        assert list(node.call(pool.EvictTransaction, evict).queued_ids) == [second.id]
        one = mempool_service_pb2.MempoolServiceGetTransactionRequest(id=second.id)
        state = node.call(pool.GetTransaction, one).transaction.state
        assert state == mempool_service_pb2.TRANSACTION_STATE_QUEUED
        assert submit(node, first.raw) == "PENDING"
        node.generate(1)
        assert node.included(first.id)
        assert node.included(second.id)


class Peers:
    """A node's peers, asked of it."""

    def __init__(self, node: NodeProcess) -> None:
        self._node = node
        self._stub = peer_service_pb2_grpc.PeerServiceStub(node.channel)

    def call(self, method: str, request: Any) -> Any:
        ask: Callable[..., Any] = getattr(self._stub, method)
        return self._node.call(ask, request)

    def addresses(self) -> set[str]:
        listed = self.call("ListPeers", peer_service_pb2.ListPeersRequest()).peers
        return {peer.address for peer in listed}

    def banned(self) -> list[str]:
        listed = self.call("ListBans", peer_service_pb2.ListBansRequest()).bans
        return [ban.target for ban in listed]


def test_a_banned_node_is_kept_away_and_seen_through_others(
    tmp_path: Path, network_file: str
) -> None:
    arguments = ("--network-file", network_file)
    with (
        NodeProcess(tmp_path / "b", *arguments) as b,
        NodeProcess(tmp_path / "c", *arguments) as c,
    ):
        with NodeProcess(tmp_path / "a", *arguments) as a:
            ban = peer_service_pb2.CreateBanRequest(target=c.listen_address, duration_s=3600)
            Peers(a).call("CreateBan", ban)
            a.connect(b)
            c.connect(b)
            b.await_that(lambda: Peers(b).addresses() == {a.listen_address, c.listen_address})
            connect = peer_service_pb2.ConnectPeerRequest(address=c.listen_address)
            assert refusal_of(lambda: Peers(a).call("ConnectPeer", connect)).reason == "PEER_BANNED"
            backwards = peer_service_pb2.ConnectPeerRequest(address=a.listen_address)
            refused = refusal_of(lambda: Peers(c).call("ConnectPeer", backwards))
            assert refused.reason == "PEER_REJECTED"
            graph = Peers(a).call(
                "GetTopology", peer_service_pb2.GetTopologyRequest(dial_others=True)
            )
            assert {(node.address, node.distance, node.state) for node in graph.nodes} == {
                (a.listen_address, 0, peer_service_pb2.TOPOLOGY_STATE_SELF),
                (b.listen_address, 1, peer_service_pb2.TOPOLOGY_STATE_ANSWERED),
                (c.listen_address, 2, peer_service_pb2.TOPOLOGY_STATE_UNSPECIFIED),
            }
            edges = {(edge.from_address, edge.to_address) for edge in graph.edges}
            assert (b.listen_address, c.listen_address) in edges
            assert not graph.truncated
            assert a.stop() == 0
        with NodeProcess(tmp_path / "a", *arguments) as a:
            assert Peers(a).banned() == [c.listen_address]
            lift = peer_service_pb2.DeleteBanRequest(target=c.listen_address)
            Peers(a).call("DeleteBan", lift)
            a.connect(c)
            assert c.listen_address in Peers(a).addresses()


def test_a_crawl_dials_a_node_that_is_no_peer_and_leaves_it_one(
    tmp_path: Path, network_file: str
) -> None:
    """The middle one wants no more peers than it has been given, and neither do the ends."""
    arguments = ("--network-file", network_file, "--max-peers", "2")
    with (
        NodeProcess(tmp_path / "a", *arguments) as a,
        NodeProcess(tmp_path / "b", *arguments) as b,
        NodeProcess(tmp_path / "c", *arguments) as c,
    ):
        a.connect(b)
        c.connect(b)
        request = peer_service_pb2.GetTopologyRequest(dial_others=True)
        graph = Peers(a).call("GetTopology", request)
        states = {node.address: (node.distance, node.state) for node in graph.nodes}
        assert states[c.listen_address] == (2, peer_service_pb2.TOPOLOGY_STATE_ANSWERED)
        edges = {(edge.from_address, edge.to_address) for edge in graph.edges}
        assert (c.listen_address, b.listen_address) in edges
        assert Peers(a).addresses() == {b.listen_address}
        with pytest.raises(grpc.RpcError):
            Peers(a).call("GetPeer", peer_service_pb2.GetPeerRequest(address=c.listen_address))
