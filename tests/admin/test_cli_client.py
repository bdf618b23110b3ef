"""The client commands against a scripted node: real command lines, real gRPC."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from troupe.admin.v1 import (
    actor_service_pb2,
    chain_service_pb2,
    errors_pb2,
    event_pb2,
    event_service_pb2,
    ledger_pb2,
    mempool_service_pb2,
    miner_service_pb2,
    node_service_pb2,
    peer_service_pb2,
    wallet_service_pb2,
)

from admin.cli.exits import ExitCode
from admin.errors import Refusal
from tests.unit.cli.shell import Shell, shell_of_a_node

KEY = "ab" * 32
TX = ledger_pb2.Transaction(
    id="cd" * 32, sender=KEY, recipient="ef" * 32, nonce=3, amount=25, signature="00" * 64, raw=b"x"
)
TIP = ledger_pb2.BlockRef(number=12, hash="0a" * 32)
NETWORK = ledger_pb2.Network(name="dev", key_scheme="ed25519", difficulty=5)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


def test_peers_are_listed_over_all_pages(shell: Shell) -> None:
    def page(request: peer_service_pb2.ListPeersRequest) -> peer_service_pb2.ListPeersResponse:
        number = int(request.page_token or 0)
        peer = peer_service_pb2.Peer(address=f"127.0.0.1:{number}", initiated=True, height=number)
        last = number == 2
        return peer_service_pb2.ListPeersResponse(
            peers=[peer], next_page_token="" if last else str(number + 1)
        )

    shell.answers(ListPeers=page)
    assert [peer["height"] for peer in shell.data("peers")] == [0, 1, 2]
    assert len(shell("peers -o jsonl").stdout.splitlines()) == 3
    assert shell("peers").stdout.splitlines()[1].split()[:2] == ["127.0.0.1:0", "outbound"]


def test_no_peers_is_said(shell: Shell) -> None:
    shell.answers(ListPeers=peer_service_pb2.ListPeersResponse())
    assert shell("peers").stdout.startswith("No peers.")
    assert shell.data("peers") == []


def test_a_peer_is_connected_and_disconnected(shell: Shell) -> None:
    shell.answers(
        ConnectPeer=peer_service_pb2.ConnectPeerResponse(already_connected=True),
        DisconnectPeer=peer_service_pb2.DisconnectPeerResponse(),
    )
    assert "was connected already" in shell("peers connect 127.0.0.1:7").stdout
    assert shell.data("peers disconnect 127.0.0.1:7")["disconnected"] is True
    assert [request.address for _, request in shell.node.requests] == ["127.0.0.1:7"] * 2


def test_the_chain_is_shown_with_its_newest_blocks(shell: Shell) -> None:
    block = ledger_pb2.BlockSummary(number=12, hash=TIP.hash, coinbase=KEY, transaction_count=1)
    shell.answers(
        GetChain=chain_service_pb2.GetChainResponse(
            chain=chain_service_pb2.Chain(tip=TIP, network=NETWORK, supply=120_000)
        ),
        ListBlocks=chain_service_pb2.ListBlocksResponse(blocks=[block], next_page_token="more"),
    )
    assert "120,000" in shell("chain -n 1").stdout
    data = shell.data("chain -n 2 --from 12")
    assert [each["number"] for each in data["blocks"]] == [12, 12]
    asked = shell.node.asked("ListBlocks")
    assert (asked[0].page_size, asked[0].HasField("start_number")) == (1, False)
    assert (asked[-1].page_size, asked[-1].page_token, asked[-1].start_number) == (1, "more", 12)
    shell.node.requests.clear()
    assert shell.data("chain -n 0")["blocks"] == []
    assert shell.node.asked("ListBlocks") == []


def test_a_listing_asks_page_after_page_for_no_more_than_is_wanted(shell: Shell) -> None:
    def page(request: chain_service_pb2.ListBlocksRequest) -> chain_service_pb2.ListBlocksResponse:
        blocks = [ledger_pb2.BlockSummary(number=9)] * request.page_size
        return chain_service_pb2.ListBlocksResponse(blocks=blocks, next_page_token="more")

    shell.answers(ListBlocks=page)
    assert len(shell.data("chain blocks -n 2300 --from 9")) == 2_300
    asked = [(each.page_size, each.page_token) for each in shell.node.asked("ListBlocks")]
    assert asked == [(1_000, ""), (1_000, "more"), (300, "more")]
    assert {each.start_number for each in shell.node.asked("ListBlocks")} == {9}


def test_a_block_is_found_by_number_by_hash_and_as_the_tip(shell: Shell) -> None:
    block = ledger_pb2.Block(number=12, hash=TIP.hash, transactions=[TX], raw=b"12:5:ab", nonce=5)
    shell.answers(
        GetChain=chain_service_pb2.GetChainResponse(chain=chain_service_pb2.Chain(tip=TIP)),
        GetBlock=chain_service_pb2.GetBlockResponse(block=block, canonical=True, confirmations=1),
    )
    assert "canonical, 1 confirmation" in shell("block 12").stdout
    assert TX.id in shell(f"block {TIP.hash}").stdout
    assert shell.data("block tip")["block"]["raw"] == "12:5:ab"
    number, by_hash, tip = shell.node.asked("GetBlock")
    assert (number.number, by_hash.hash, tip.hash) == (12, TIP.hash, TIP.hash)


def test_a_block_that_is_not_there_is_not_found(shell: Shell) -> None:
    shell.answers(GetBlock=Refusal(errors_pb2.ERROR_REASON_BLOCK_NOT_FOUND, "no block 99"))
    assert shell("block 99").exit_code == ExitCode.NOT_FOUND


def test_without_an_address_the_account_is_the_nodes_own(shell: Shell) -> None:
    def account(
        request: chain_service_pb2.GetAccountRequest,
    ) -> chain_service_pb2.GetAccountResponse:
        found = ledger_pb2.Account(address=request.address, balance=2**63 - 1, nonce=1, at=TIP)
        return chain_service_pb2.GetAccountResponse(account=found)

    shell.answers(GetAddress=wallet_service_pb2.GetAddressResponse(address=KEY), GetAccount=account)
    assert shell.data("account")["address"] == KEY
    assert shell.data(f"account {'ef' * 32} --at 3")["balance"] == 2**63 - 1
    own, other = shell.node.asked("GetAccount")
    assert (own.HasField("at_number"), other.at_number) == (False, 3)


def test_a_payment_has_an_id_of_its_own_so_that_a_retry_is_safe(shell: Shell) -> None:
    shell.answers(
        Transfer=wallet_service_pb2.TransferResponse(
            transaction=TX, state=mempool_service_pb2.TRANSACTION_STATE_PENDING
        )
    )
    assert TX.id in shell(f"send {KEY} 25").stdout
    assert shell.data(f"send {KEY} 25")["state"] == "pending"
    assert shell.data(f"send {KEY} 25 --request-id rent")["request_id"] == "rent"
    first, second, named = [request.request_id for request in shell.node.asked("Transfer")]
    assert first
    assert first != second
    assert named == "rent"


def test_a_payment_without_an_answer_says_how_to_repeat_it(shell: Shell) -> None:
    shell.answers(Transfer=Refusal(errors_pb2.ERROR_REASON_ACTOR_TIMEOUT, "no answer"))
    result = shell(f"send {KEY} 25 --request-id rent")
    assert result.exit_code == ExitCode.TIMED_OUT
    assert "safe to repeat with --request-id rent" in result.stderr


def only_pooled(
    request: chain_service_pb2.GetTransactionRequest
    | mempool_service_pb2.MempoolServiceGetTransactionRequest,
) -> mempool_service_pb2.MempoolServiceGetTransactionResponse | Refusal:
    """What a node whose mempool holds one transaction says when either service is asked for one."""
    if isinstance(request, chain_service_pb2.GetTransactionRequest):
        return Refusal(errors_pb2.ERROR_REASON_TX_NOT_FOUND, "no block includes it")
    if request.id != TX.id:
        return Refusal(errors_pb2.ERROR_REASON_TX_NOT_IN_MEMPOOL, "the mempool does not hold it")
    pooled = mempool_service_pb2.PooledTransaction(
        transaction=TX, state=mempool_service_pb2.TRANSACTION_STATE_QUEUED
    )
    return mempool_service_pb2.MempoolServiceGetTransactionResponse(transaction=pooled)


def test_a_transaction_is_found_on_the_chain_or_in_the_mempool(shell: Shell) -> None:
    included = chain_service_pb2.GetTransactionResponse(
        transaction=TX, block=TIP, index=1, confirmations=4
    )
    shell.answers(GetTransaction=included)
    assert "included in block 12, 4 confirmations" in shell(f"tx {TX.id}").stdout
    shell.answers(GetTransaction=only_pooled)
    data = shell.data(f"tx {TX.id}")
    assert (data["state"], data["block"], data["confirmations"]) == ("queued", None, 0)
    assert "queued" in shell(f"tx {TX.id}").stdout
    result = shell(f"tx {'11' * 32}")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "neither the chain nor the mempool" in result.stderr


def test_both_kinds_of_transaction_have_the_same_keys(shell: Shell) -> None:
    shell.answers(
        GetTransaction=chain_service_pb2.GetTransactionResponse(transaction=TX, block=TIP)
    )
    included = shell.data(f"tx {TX.id}")
    shell.answers(GetTransaction=only_pooled)
    assert set(shell.data(f"tx {TX.id}")) == set(included)


def test_the_mempool_is_shown_with_its_transactions(shell: Shell) -> None:
    pooled = mempool_service_pb2.PooledTransaction(
        transaction=TX, state=mempool_service_pb2.TRANSACTION_STATE_PENDING
    )
    shell.answers(
        GetMempool=mempool_service_pb2.GetMempoolResponse(
            mempool=mempool_service_pb2.Mempool(pending_count=1, max_pending_count=5_000)
        ),
        ListTransactions=mempool_service_pb2.ListTransactionsResponse(transactions=[pooled]),
    )
    text = shell("mempool").stdout
    assert "1 of 5,000" in text
    assert TX.id in text
    data = shell.data(f"mempool --sender {KEY} -n 5")
    assert data["transactions"][0]["transaction"]["amount"] == 25
    asked = shell.node.asked("ListTransactions")[-1]
    assert (asked.sender, asked.page_size) == (KEY, 5)


def generated(count: int) -> list[miner_service_pb2.GenerateBlocksResponse]:
    return [
        miner_service_pb2.GenerateBlocksResponse(
            block=ledger_pb2.BlockRef(number=number, hash=f"{number:064x}"), done_count=number
        )
        for number in range(1, count + 1)
    ]


def test_blocks_are_mined_and_told(shell: Shell) -> None:
    shell.answers(GenerateBlocks=lambda request: generated(request.count))
    assert shell("mine 3").stdout.startswith("Mined 3 blocks; the newest is 3,")
    lines = [json.loads(line) for line in shell("mine 3 -o jsonl").stdout.splitlines()]
    assert [line["done_count"] for line in lines] == [1, 2, 3]


def test_a_network_that_does_not_allow_it_says_what_to_do(shell: Shell) -> None:
    refusal = Refusal(errors_pb2.ERROR_REASON_GENERATE_NOT_ALLOWED, "main does not allow it")
    shell.answers(GenerateBlocks=[refusal])
    result = shell("mine 3")
    assert result.exit_code == ExitCode.REJECTED
    assert "troupe miner start" in result.stderr


def event(number: int, **body: Any) -> event_service_pb2.WatchEventsResponse:
    (name,) = body
    kind = event_pb2.EventType.Value(f"EVENT_TYPE_{name.upper()}")
    said = event_pb2.Event(sequence=number, epoch="e", type=kind, **body)
    return event_service_pb2.WatchEventsResponse(event=said)


TOLD = [
    event(1, watch_started=event_pb2.WatchStarted()),
    event(2, tip_changed=event_pb2.TipChanged(tip=TIP, connected_count=2, disconnected_count=1)),
    event(3, transaction_added=event_pb2.TransactionAdded(transaction=TX, pending=True)),
    event(4, transaction_removed=event_pb2.TransactionRemoved(tx_id=TX.id, reason="expired")),
    event(5, peer_connected=event_pb2.PeerConnected(address="a:1", initiated=True)),
    event(6, peer_disconnected=event_pb2.PeerDisconnected(address="a:1")),
    event(7, mining_started=event_pb2.MiningStarted()),
    event(8, mining_stopped=event_pb2.MiningStopped()),
    event(9, node_stopping=event_pb2.NodeStopping()),
]
STOPPING = Refusal(errors_pb2.ERROR_REASON_STOPPING, "the node is stopping")


def test_events_are_followed_until_the_node_stops(shell: Shell) -> None:
    shell.answers(WatchEvents=[*TOLD, STOPPING])
    result = shell("events --type tip-changed --after 0")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == len(TOLD)
    assert "block 12 0a0a0a0a0a0a  +2 -1 (reorganisation)" in lines[1]
    (asked,) = shell.node.asked("WatchEvents")
    assert list(asked.types) == [event_pb2.EVENT_TYPE_TIP_CHANGED]
    assert asked.HasField("resume_after")
    assert [
        json.loads(line)["sequence"] for line in shell("events -o jsonl").stdout.splitlines()
    ] == [*range(1, 10)]


def test_events_that_fell_behind_are_resumed_without_loss(shell: Shell) -> None:
    slow = Refusal(errors_pb2.ERROR_REASON_SLOW_CONSUMER, "behind", sequence="2", epoch="e")

    def told(request: event_service_pb2.WatchEventsRequest) -> list[Any]:
        seen = request.resume_after.sequence
        return [*TOLD[seen:], STOPPING] if seen else [*TOLD[:2], slow]

    shell.answers(WatchEvents=told)
    result = shell("events -o jsonl")
    assert result.exit_code == 0
    assert [json.loads(line)["sequence"] for line in result.stdout.splitlines()] == [*range(1, 10)]
    assert shell.node.asked("WatchEvents")[1].resume_after.epoch == "e"


def test_events_that_end_for_another_reason_are_an_error(shell: Shell) -> None:
    shell.answers(WatchEvents=[*TOLD[:1], STOPPING])
    assert shell("events").exit_code == ExitCode.TRY_AGAIN


def test_actors_are_listed(shell: Shell) -> None:
    actor = actor_service_pb2.Actor(
        name="chain", state=actor_service_pb2.ACTOR_STATE_RUNNING, handled_count=7
    )
    shell.answers(ListActors=actor_service_pb2.ListActorsResponse(actors=[actor]))
    assert "chain  running" in shell("actors").stdout
    assert shell.data("actors")[0]["handled_count"] == 7


def test_a_node_is_stopped(shell: Shell) -> None:
    shell.answers(ShutdownNode=node_service_pb2.ShutdownNodeResponse())
    assert shell("stop").exit_code == 0
    assert len(shell.node.asked("ShutdownNode")) == 1


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (
            "submit tx",
            lambda: mempool_service_pb2.SubmitTransactionResponse(
                id=TX.id, state=mempool_service_pb2.TRANSACTION_STATE_PENDING
            ),
        ),
        (
            "submit block",
            lambda: chain_service_pb2.SubmitBlockResponse(
                hash=TIP.hash, outcome=chain_service_pb2.BLOCK_OUTCOME_CONNECTED
            ),
        ),
    ],
)
def test_what_was_made_elsewhere_is_submitted_without_its_line_end(
    shell: Shell, line: str, answer: Callable[[], Any]
) -> None:
    shell.answers(SubmitTransaction=answer(), SubmitBlock=answer())
    file = shell.directory / "raw.txt"
    file.write_bytes(b"the raw text\n")
    assert shell(f"{line} {file}").exit_code == 0
    assert shell(f"{line} --check {file}").exit_code == 0
    requests = [request for _, request in shell.node.requests]
    assert [request.raw for request in requests] == [b"the raw text"] * 2
    assert [request.validate_only for request in requests] == [False, True]
