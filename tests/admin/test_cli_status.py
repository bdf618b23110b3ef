"""``troupe status`` and ``troupe chain`` of a node that is well, that syncs, or that is not well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from troupe.admin.v1 import chain_service_pb2, ledger_pb2, node_service_pb2

from admin.cli import views
from admin.cli.output import as_data
from tests.unit.cli.shell import Shell, shell_of_a_node

TIP = ledger_pb2.BlockRef(number=12, hash="0a" * 32)
NETWORK = ledger_pb2.Network(name="dev", key_scheme="ed25519", difficulty=5)
NODE = node_service_pb2.Node(
    name="troupe",
    version="0.1.0",
    network=NETWORK,
    state=node_service_pb2.NODE_STATE_DEGRADED,
    state_reasons=["the miner is down"],
    tip=TIP,
    best_known_height=20,
    peer_count=2,
    uptime_s=65.0,
    listen_address="127.0.0.1:18750",
    advertise_address="127.0.0.1:18750",
)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with shell_of_a_node(tmp_path) as opened:
        yield opened


def test_status_shows_the_node_three_ways(shell: Shell) -> None:
    shell.answers(GetNode=node_service_pb2.GetNodeResponse(node=NODE))
    text = shell("status").stdout
    for part in (
        "degraded; the miner is down",
        "dev (difficulty 5)",
        "best known  20",
        "1 min 5 s",
    ):
        assert part in text
    data = shell.data("status")
    assert data["state"] == "degraded"
    assert data["mining"] is None
    assert json.loads(shell("-o jsonl status").stdout) == data
    assert "advertised" not in text
    elsewhere = node_service_pb2.Node()
    elsewhere.CopyFrom(NODE)
    elsewhere.advertise_address = "a.example:1"
    shell.answers(GetNode=node_service_pb2.GetNodeResponse(node=elsewhere))
    assert "127.0.0.1:18750, advertised as a.example:1" in shell("status").stdout


def test_status_of_a_node_that_syncs_says_how_far_it_is(shell: Shell) -> None:
    syncing = node_service_pb2.Node()
    syncing.CopyFrom(NODE)
    syncing.state = node_service_pb2.NODE_STATE_SYNCING
    syncing.state_reasons[:] = ["at block 12 of 20 of the best chain known"]
    syncing.sync_progress.CopyFrom(
        chain_service_pb2.JobProgress(
            unit=chain_service_pb2.PROGRESS_UNIT_BLOCKS,
            done_count=12_345,
            total_count=100_000,
            per_s=2_300.2,
            remaining_s=37.9,
        )
    )
    words = "12,345 of 100,000 blocks, 12 %, 2,300/s, 38 s left"
    shell.answers(
        GetNode=node_service_pb2.GetNodeResponse(node=syncing),
        GetChain=chain_service_pb2.GetChainResponse(
            chain=chain_service_pb2.Chain(
                tip=TIP,
                network=NETWORK,
                sync_state=chain_service_pb2.SYNC_STATE_DOWNLOADING,
                sync_progress=syncing.sync_progress,
                import_progress=syncing.sync_progress,
                history_start_number=9_000,
            )
        ),
        ListBlocks=chain_service_pb2.ListBlocksResponse(),
    )
    assert shell("status").stdout.splitlines()[0] == f"state       syncing {words}"
    data = shell.data("status")["sync_progress"]
    assert (data["done_count"], data["unit"], data["remaining_s"]) == (12_345, "blocks", 37.9)
    assert f"downloading, {words}" in shell("chain").stdout
    assert "as of block 9,000 and later" in shell("chain").stdout
    assert f"import         {words}" in shell("chain").stdout
    assert views.node_line(as_data(syncing)).endswith(f"mining -  sync {words}")
    syncing.state = node_service_pb2.NODE_STATE_DEGRADED
    shell.answers(GetNode=node_service_pb2.GetNodeResponse(node=syncing))
    lines = shell("status").stdout.splitlines()
    assert lines[0].startswith("state       degraded; at block 12 of 20")
    assert lines[1] == f"sync        {words}"
