"""The commands about branches and accounts against a scripted node: real command lines, real gRPC."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from troupe.admin.v1 import chain_service_pb2 as pb
from troupe.admin.v1 import errors_pb2, ledger_pb2

from admin.cli.exits import ExitCode
from admin.errors import Refusal
from tests.unit.cli.shell import Shell, shell_of_a_node

HASH = "0a" * 32
TIP = ledger_pb2.BlockRef(number=1_012, hash=HASH)
FORK = ledger_pb2.BlockRef(number=1_000, hash="0f" * 32)
BLOCK = ledger_pb2.BlockSummary(number=1_012, hash=HASH, coinbase="ab" * 32)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


def account(index: int) -> ledger_pb2.Account:
    return ledger_pb2.Account(address=f"{index:064x}", balance=1_000 * index, nonce=index, at=TIP)


def account_page(request: pb.ListAccountsRequest) -> pb.ListAccountsResponse:
    """Seven accounts, two at a time at most; the second page is empty."""
    first = int(request.page_token or 0)
    if first == 2 and request.page_token == "2":
        return pb.ListAccountsResponse(next_page_token="02")
    last = min(first + min(request.page_size, 2), 7)
    return pb.ListAccountsResponse(
        accounts=map(account, range(first, last)), next_page_token=str(last) if last < 7 else ""
    )


def test_tips_are_shown_with_their_state_and_fork(shell: Shell) -> None:
    tips = [
        pb.Tip(block=TIP, status=pb.TIP_STATUS_INVALIDATED, fork=FORK, branch_length=12),
        pb.Tip(block=FORK, status=pb.TIP_STATUS_CANONICAL, fork=FORK),
    ]
    shell.answers(ListTips=pb.ListTipsResponse(tips=tips))
    head, first, second = shell("chain tips").stdout.splitlines()
    assert head.split()[:4] == ["NUMBER", "HASH", "STATUS", "LENGTH"]
    assert first.split() == ["1,012", HASH, "invalidated", "12", "1,000", "0f" * 6]
    assert second.split()[2:4] == ["canonical", "-"]
    data = shell.data("chain tips")
    assert (data[0]["status"], data[0]["branch_length"]) == ("invalidated", 12)
    lines = shell("chain tips -o jsonl").stdout.splitlines()
    assert [json.loads(each) for each in lines] == data


def test_accounts_are_listed_over_all_pages_or_up_to_a_limit(shell: Shell) -> None:
    shell.answers(ListAccounts=account_page)
    assert [each["balance"] for each in shell.data("chain accounts --all")] == [
        1_000 * n for n in range(7)
    ]
    assert len(shell.data("chain accounts -n 3")) == 3
    assert "6,000" in shell("chain accounts --all").stdout
    shell.data("chain accounts --at 7 -n 1")
    assert shell.node.asked("ListAccounts")[-1].at_number == 7
    assert not shell.node.asked("ListAccounts")[0].HasField("at_number")


def test_accounts_that_are_not_kept_are_a_wrong_use_with_the_oldest_that_are(shell: Shell) -> None:
    refusal = Refusal(
        errors_pb2.ERROR_REASON_HISTORY_PRUNED, "accounts are kept as of block 9 and later only"
    )
    shell.answers(ListAccounts=refusal, GetAccount=refusal)
    for words in ("chain accounts --at 7", "account abcd --at 7"):
        result = shell(words)
        assert result.exit_code == ExitCode.USAGE
        assert "as of block 9 and later only [HISTORY_PRUNED]" in result.stderr


def test_no_account_is_a_sentence(shell: Shell) -> None:
    shell.answers(ListAccounts=pb.ListAccountsResponse(at=TIP))
    assert shell("chain accounts").stdout == "No accounts.\n"
    assert shell.data("chain accounts") == []


def test_invalidate_says_what_moved_and_where_the_node_stands(shell: Shell) -> None:
    shell.answers(
        InvalidateBlock=pb.InvalidateBlockResponse(
            tip=FORK, changed=True, disconnected_count=12, connected_count=1
        )
    )
    text = shell(f"chain invalidate {HASH}").stdout
    assert f"Block {HASH} is invalidated." in text
    assert "12 blocks disconnected, 1 connected; the tip is 1,000" in text
    data = shell.data(f"chain invalidate {HASH}")
    assert (data["hash"], data["tip"]["number"], data["changed"]) == (HASH, 1_000, True)
    shell.answers(InvalidateBlock=pb.InvalidateBlockResponse(tip=FORK))
    text = shell(f"chain invalidate {HASH}").stdout
    assert "was invalid already" in text
    assert "The tip stays at 1,000" in text


def test_reconsider_says_what_moved_and_where_the_node_stands(shell: Shell) -> None:
    shell.answers(
        ReconsiderBlock=pb.ReconsiderBlockResponse(tip=TIP, changed=True, connected_count=12)
    )
    text = shell(f"chain reconsider {HASH}").stdout
    assert f"Block {HASH} is invalidated no more." in text
    assert "0 blocks disconnected, 12 connected; the tip is 1,012" in text
    assert shell.node.asked("ReconsiderBlock")[0].hash == HASH
    shell.answers(ReconsiderBlock=pb.ReconsiderBlockResponse(tip=TIP))
    assert "was not invalidated" in shell(f"chain reconsider {HASH}").stdout


@pytest.mark.parametrize("command", ["invalidate", "reconsider"])
def test_what_is_no_hash_is_refused_before_the_node_is_asked(shell: Shell, command: str) -> None:
    for argument in ("tip", "12", HASH.upper(), HASH[2:]):
        result = shell(f"chain {command} {argument}")
        assert result.exit_code == ExitCode.USAGE
    assert shell.node.requests == []


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (errors_pb2.ERROR_REASON_GENESIS_FIXED, ExitCode.REJECTED),
        (errors_pb2.ERROR_REASON_REORG_TOO_DEEP, ExitCode.REJECTED),
        (errors_pb2.ERROR_REASON_BLOCK_NOT_FOUND, ExitCode.NOT_FOUND),
    ],
)
def test_a_refusal_is_one_sentence_and_an_exit_code(
    shell: Shell, reason: errors_pb2.ErrorReason.ValueType, code: ExitCode
) -> None:
    shell.answers(InvalidateBlock=Refusal(reason, "it cannot be done"))
    result = shell(f"chain invalidate {HASH}")
    assert result.exit_code == code
    assert result.stderr.startswith("Error: it cannot be done")
    assert len(result.stderr.splitlines()) == 1


def test_the_chain_and_its_blocks_are_shown_each_alone(shell: Shell) -> None:
    network = ledger_pb2.Network(name="dev", difficulty=5)
    shell.answers(
        GetChain=pb.GetChainResponse(chain=pb.Chain(tip=TIP, network=network, supply=7)),
        ListBlocks=pb.ListBlocksResponse(blocks=[BLOCK]),
    )
    assert "dev (difficulty 5)" in shell("chain show").stdout
    assert "blocks" not in shell.data("chain show")
    assert shell.data("chain blocks -n 1 --from 1012")[0]["hash"] == HASH
    assert shell.node.asked("ListBlocks")[0].start_number == 1_012
    assert HASH in shell("chain blocks").stdout
