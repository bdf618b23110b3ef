"""What a fleet has to do: payments, questions, and one that watches the chain's tip."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from troupe.admin.v1 import (
    actor_service_pb2,
    actor_service_pb2_grpc,
    chain_service_pb2,
    chain_service_pb2_grpc,
    diagnostics_service_pb2,
    diagnostics_service_pb2_grpc,
    event_pb2,
    event_service_pb2,
    event_service_pb2_grpc,
    mempool_service_pb2,
    mempool_service_pb2_grpc,
    miner_service_pb2,
    miner_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
    peer_service_pb2,
    peer_service_pb2_grpc,
    wallet_service_pb2,
    wallet_service_pb2_grpc,
)

from actors.ledger.keys import ED25519
from tests.soak.fleet import Fleet
from tests.support.ledger import key
from tests.support.process import NodeProcess

MAX_AMOUNT = 100
RECIPIENTS = tuple(key(ED25519, f"payee {number}").public.hex() for number in range(100))
"""So that the accounts are as many at the end of a long run as of a short one."""
VERIFY_S = 300.0
FETCH_S, LOOK_EVERY_S = 600.0, 0.5
PAGE_BLOCKS = 100
COLLIDE = 0.4
"""The share of blocks that have a rival."""
FILL_BLOCK = 41
"""Payments between two blocks, each of which has room for more, and is made by another node than the last."""

_WHOSE = wallet_service_pb2.GetAddressRequest()

_QUESTIONS: tuple[tuple[Callable[[grpc.Channel], Any], str, Any], ...] = (
    (node_service_pb2_grpc.NodeServiceStub, "GetNode", node_service_pb2.GetNodeRequest()),
    (peer_service_pb2_grpc.PeerServiceStub, "ListPeers", peer_service_pb2.ListPeersRequest()),
    (actor_service_pb2_grpc.ActorServiceStub, "ListActors", actor_service_pb2.ListActorsRequest()),
    (chain_service_pb2_grpc.ChainServiceStub, "ListBlocks", chain_service_pb2.ListBlocksRequest()),
    (
        chain_service_pb2_grpc.ChainServiceStub,
        "ListAccounts",
        chain_service_pb2.ListAccountsRequest(page_size=1_000),
    ),
    (chain_service_pb2_grpc.ChainServiceStub, "ListTips", chain_service_pb2.ListTipsRequest()),
    (event_service_pb2_grpc.EventServiceStub, "ListEvents", event_service_pb2.ListEventsRequest()),
    (
        mempool_service_pb2_grpc.MempoolServiceStub,
        "ListTransactions",
        mempool_service_pb2.ListTransactionsRequest(page_size=1_000),
    ),
    (
        diagnostics_service_pb2_grpc.DiagnosticsServiceStub,
        "GetMetrics",
        diagnostics_service_pb2.GetMetricsRequest(),
    ),
)


def pay(fleet: Fleet, chance: random.Random) -> None:
    """One node pays another, or somebody. Who has nothing to pay with yet is refused, and counted so."""
    wallet = wallet_service_pb2_grpc.WalletServiceStub
    payee = fleet.call(fleet.some(chance), wallet, "GetAddress", _WHOSE)
    recipient = (
        chance.choice(RECIPIENTS) if payee is None or chance.random() < 0.5 else payee.address
    )
    amount = chance.randint(1, MAX_AMOUNT)
    request = wallet_service_pb2.TransferRequest(recipient=recipient, amount=amount)
    fleet.call(fleet.some(chance), wallet, "Transfer", request)


def mine(fleet: Fleet, chance: random.Random) -> None:
    """One node makes a block, and often another at the same time: they cannot know of each other's."""
    up = fleet.up
    count = min(2 if chance.random() < COLLIDE else 1, len(up))
    with ThreadPoolExecutor(count) as pool:
        for node in chance.sample(up, count):
            pool.submit(_mine_one, fleet, node)


def _mine_one(fleet: Fleet, node: NodeProcess) -> None:
    stub, request = miner_service_pb2_grpc.MinerServiceStub, miner_service_pb2.GenerateBlocksRequest
    fleet.call(node, stub, "GenerateBlocks", request(count=1))


def fetched(fleet: Fleet, height: int) -> None:
    """Wait until all have so many blocks, and have each of them read: so all pages that may be kept are."""
    until_s = time.monotonic() + FETCH_S
    while min(node.height() for node in fleet.up) < height:
        assert time.monotonic() < until_s, [node.height() for node in fleet.up]
        time.sleep(LOOK_EVERY_S)
    stub, request = chain_service_pb2_grpc.ChainServiceStub, chain_service_pb2.ListBlocksRequest
    for node in fleet.up:
        for start in range(height, 0, -PAGE_BLOCKS):
            page = request(start_number=start, page_size=PAGE_BLOCKS)
            assert fleet.call(node, stub, "ListBlocks", page) is not None, fleet.ended


def fill(fleet: Fleet, count: int) -> None:
    """So many payments as fast as they are taken: until each node knows as many signatures as it ever does."""
    payers = [member for member in fleet.members if member.steady and member.node is not None]
    nodes = [member.node for member in payers if member.node is not None]
    for node in nodes:
        node.generate(1)
        for other in fleet.up:  # two blocks of one height would part them: nobody gives way
            other.await_tip(node.tip_hash())
    wallet, request = wallet_service_pb2_grpc.WalletServiceStub, wallet_service_pb2.TransferRequest
    for number in range(count):
        node = nodes[number % len(nodes)]
        recipient = RECIPIENTS[number % len(RECIPIENTS)]
        sent = fleet.call(node, wallet, "Transfer", request(recipient=recipient, amount=1))
        if sent is None or number % FILL_BLOCK == 0:  # it has as many on the way as one may
            node.generate(1)
    fleet.ended.clear()


def ask(fleet: Fleet, chance: random.Random) -> None:
    """One node is asked something that only reads."""
    stub, method, request = chance.choice(_QUESTIONS)
    fleet.call(fleet.some(chance), stub, method, request)


@contextmanager
def follow(node: NodeProcess, on_reorg: Callable[[int], None]) -> Iterator[None]:
    """Hear of each reorganisation of a node, by how many blocks it undid, for as long as the context lasts."""
    stub: Any = event_service_pb2_grpc.EventServiceStub(node.channel)
    ended = threading.Event()

    def watch(stream: Any) -> None:
        for response in stream:
            event = response.event
            if event.HasField("tip_changed") and event.tip_changed.disconnected_count:
                on_reorg(event.tip_changed.disconnected_count)

    def watch_on() -> None:
        """Its events actor may be restarted, which ends the stream."""
        while not ended.is_set():
            request = event_service_pb2.WatchEventsRequest(types=[event_pb2.EVENT_TYPE_TIP_CHANGED])
            stream = stub.WatchEvents(request, metadata=node.credentials)
            streams[:] = [stream]
            if ended.is_set():  # since we looked: it may have come too late to be cancelled
                stream.cancel()
            try:
                watch(stream)
            except grpc.RpcError:
                ended.wait(1.0)

    streams: list[Any] = []
    watching = threading.Thread(target=watch_on, daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        for stream in streams:
            stream.cancel()
        watching.join()


def verify(node: NodeProcess) -> bool:
    """Whether the node's stored chain is what follows from its blocks."""
    stub: Any = chain_service_pb2_grpc.ChainServiceStub(node.channel)
    *_, last = node.call(stub.VerifyChain, chain_service_pb2.VerifyChainRequest(), VERIFY_S)
    return bool(last.report.sound)
