"""``troupe miner`` over the wire, and what ``troupe status`` says of mining."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from troupe.admin.v1 import miner_service_pb2, node_service_pb2

from admin.cli.exits import ExitCode
from tests.unit.cli.shell import Shell, shell_of_a_node

KEY = "ab" * 32
MINER = miner_service_pb2.Miner(
    mining=True,
    threads=2,
    coinbase=KEY,
    hashes_per_s=2_000_000,
    template_number=13,
    engine="hashlib",
    engine_note="there is no native scan",
)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("line", "method"),
    [
        ("miner", "GetMiner"),
        ("miner status", "GetMiner"),
        ("miner start --threads 2", "StartMining"),
        ("miner update --threads 2", "UpdateMiner"),
        ("miner stop", "StopMining"),
    ],
)
def test_the_miner_is_directed_and_shown(shell: Shell, line: str, method: str) -> None:
    shell.answers(
        GetMiner=miner_service_pb2.GetMinerResponse(miner=MINER),
        StartMining=miner_service_pb2.StartMiningResponse(miner=MINER),
        UpdateMiner=miner_service_pb2.UpdateMinerResponse(miner=MINER),
        StopMining=miner_service_pb2.StopMiningResponse(miner=MINER),
    )
    text = shell(line).stdout
    assert "mining block 13" in text
    assert "2.00 MH/s" in text
    assert "hashlib, not native: there is no native scan" in text
    assert shell.data(line)["threads"] == 2
    assert len(shell.node.asked(method)) == 2


def test_what_the_miner_keeps_is_not_sent(shell: Shell) -> None:
    shell.answers(StartMining=miner_service_pb2.StartMiningResponse(miner=MINER))
    shell("miner start")
    (asked,) = shell.node.asked("StartMining")
    assert not asked.HasField("threads")
    assert not asked.HasField("coinbase")


def test_an_update_sends_what_is_given(shell: Shell) -> None:
    shell.answers(UpdateMiner=miner_service_pb2.UpdateMinerResponse(miner=MINER))
    shell("miner update --threads 3")
    shell(f"miner update --coinbase {KEY}")
    threads, coinbase = shell.node.asked("UpdateMiner")
    assert (threads.threads, threads.HasField("coinbase")) == (3, False)
    assert (coinbase.HasField("threads"), coinbase.coinbase) == (False, KEY)


@pytest.mark.parametrize("line", ["", "--threads 0", "--threads 257", "--coinbase xy"])
def test_an_update_of_nothing_or_nonsense_is_not_sent(shell: Shell, line: str) -> None:
    assert shell(f"miner update {line}").exit_code == ExitCode.USAGE
    assert shell.node.asked("UpdateMiner") == []


def test_a_native_engine_is_shown_as_such(shell: Shell) -> None:
    native = miner_service_pb2.Miner(mining=True, engine="avx2", native=True)
    shell.answers(GetMiner=miner_service_pb2.GetMinerResponse(miner=native))
    assert "avx2, native" in shell("miner").stdout


def test_the_status_names_the_engine_and_why_it_is_no_faster_one(shell: Shell) -> None:
    slow = node_service_pb2.Node(
        mining=True, hashes_per_s=2e6, miner_engine="hashlib", miner_engine_note="no compiler"
    )
    shell.answers(GetNode=node_service_pb2.GetNodeResponse(node=slow))
    text = shell("status").stdout
    assert "2.00 MH/s, hashlib" in text
    assert "hashlib: no compiler" in text
    slow.miner_engine_note = ""
    shell.answers(GetNode=node_service_pb2.GetNodeResponse(node=slow))
    assert "engine" not in shell("status").stdout
