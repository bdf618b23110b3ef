"""``troupe wallet``, ``troupe mempool show|evict`` and ``troupe miner template``, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from troupe.admin.v1 import (
    errors_pb2,
    ledger_pb2,
    mempool_service_pb2,
    miner_service_pb2,
    wallet_service_pb2,
)

from admin.cli.exits import ExitCode
from admin.errors import Refusal
from tests.unit.cli.shell import Shell, shell_of_a_node

KEY, ID = "ab" * 32, "cd" * 32
TX = ledger_pb2.Transaction(
    id=ID, sender=KEY, recipient="ef" * 32, nonce=3, amount=25, signature="00" * 64, raw=b"a,b,3"
)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("line", ["wallet", "wallet address"])
def test_the_own_address_is_shown(shell: Shell, line: str) -> None:
    answer = wallet_service_pb2.GetAddressResponse(address=KEY, key_scheme="ed25519")
    shell.answers(GetAddress=answer)
    assert shell(line).stdout.split() == ["address", KEY, "key", "ed25519"]
    assert shell.data(line) == {"address": KEY, "key_scheme": "ed25519"}


def test_what_is_signed_is_printed_as_it_can_be_submitted(shell: Shell, tmp_path: Path) -> None:
    shell.answers(
        SignTransaction=wallet_service_pb2.SignTransactionResponse(transaction=TX),
        SubmitTransaction=mempool_service_pb2.SubmitTransactionResponse(
            id=ID, state=mempool_service_pb2.TRANSACTION_STATE_PENDING
        ),
    )
    signed = shell(f"wallet sign {KEY} 25").stdout
    assert signed == "a,b,3\n"
    (tmp_path / "signed.txt").write_text(signed)
    assert shell(f"submit tx {tmp_path / 'signed.txt'}").exit_code == ExitCode.OK
    assert shell.node.asked("SubmitTransaction")[0].raw == TX.raw
    assert shell.data(f"wallet sign {KEY} 25")["transaction"]["nonce"] == 3


def test_a_nonce_is_sent_where_one_is_given(shell: Shell) -> None:
    shell.answers(SignTransaction=wallet_service_pb2.SignTransactionResponse(transaction=TX))
    shell(f"wallet sign {KEY} 25")
    shell(f"wallet sign {KEY} 25 --nonce 0")
    next_one, first = shell.node.asked("SignTransaction")
    assert not next_one.HasField("nonce")
    assert (first.HasField("nonce"), first.nonce, first.amount) == (True, 0, 25)


def test_what_is_not_signed_says_why(shell: Shell) -> None:
    refusal = Refusal(errors_pb2.ERROR_REASON_TX_REJECTED, "too much", rule="balance")
    shell.answers(SignTransaction=refusal)
    result = shell(f"wallet sign {KEY} 25")
    assert result.exit_code == ExitCode.REJECTED
    assert "TX_REJECTED: balance" in result.stderr
    assert shell(f"wallet sign {KEY} -1").exit_code == ExitCode.USAGE


def test_one_transaction_of_the_mempool_is_shown(shell: Shell) -> None:
    pooled = mempool_service_pb2.PooledTransaction(
        transaction=TX, state=mempool_service_pb2.TRANSACTION_STATE_QUEUED
    )
    shell.answers(
        GetTransaction=mempool_service_pb2.MempoolServiceGetTransactionResponse(transaction=pooled)
    )
    assert "queued" in shell(f"mempool show {ID}").stdout
    assert shell.data(f"mempool show {ID}")["transaction"]["amount"] == 25
    assert shell.node.asked("GetTransaction")[0].id == ID


def test_an_eviction_says_what_became_of_the_others(shell: Shell) -> None:
    answer = mempool_service_pb2.EvictTransactionResponse(transaction=TX, queued_ids=["00", "11"])
    shell.answers(EvictTransaction=answer)
    assert "2 later ones of its sender queued" in shell(f"mempool evict {ID}").stdout
    assert shell.data(f"mempool evict {ID}")["transaction"]["raw"] == "a,b,3"
    shell.answers(EvictTransaction=mempool_service_pb2.EvictTransactionResponse(transaction=TX))
    assert shell(f"mempool evict {ID}").stdout == f"Transaction {ID} is evicted.\n"


@pytest.mark.parametrize("line", ["show", "evict"])
def test_a_transaction_that_is_not_there_is_not_found(shell: Shell, line: str) -> None:
    refusal = Refusal(errors_pb2.ERROR_REASON_TX_NOT_IN_MEMPOOL, "not there")
    shell.answers(GetTransaction=refusal, EvictTransaction=refusal)
    assert shell(f"mempool {line} {ID}").exit_code == ExitCode.NOT_FOUND
    assert shell(f"mempool {line} abc").exit_code == ExitCode.USAGE


def test_a_template_shows_the_text_around_the_nonce(shell: Shell) -> None:
    template = miner_service_pb2.BlockTemplate(
        parent=ledger_pb2.BlockRef(number=11, hash="0a" * 32),
        number=12,
        coinbase=KEY,
        transactions=[TX],
        difficulty=5,
        prefix=b"12:",
        suffix=b":rest",
    )
    shell.answers(GetBlockTemplate=miner_service_pb2.GetBlockTemplateResponse(template=template))
    text = shell("miner template").stdout
    for part in ("12:", ":rest", "5 zero hex digits", ID):
        assert part in text
    data = shell.data(f"miner template --coinbase {KEY}")
    assert (data["prefix"], data["suffix"], data["difficulty"]) == ("12:", ":rest", 5)
    bare, named = shell.node.asked("GetBlockTemplate")
    assert (bare.HasField("coinbase"), named.coinbase) == (False, KEY)
