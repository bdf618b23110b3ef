"""A real node that lets old versions of its accounts go, as its setting says, and what it says of that."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest
from troupe.admin.v1 import chain_service_pb2, chain_service_pb2_grpc

from actors.config import MIN_KEEP_HISTORY
from tests.support.admin_stage import refused
from tests.support.process import NodeProcess, easy_network_file, troupe

SHORT = ("--keep-history", str(MIN_KEEP_HISTORY))
BEYOND = 3
"""Blocks more than are kept."""


def history_start(node: NodeProcess) -> int:
    stub = chain_service_pb2_grpc.ChainServiceStub(node.channel)
    return node.call(stub.GetChain, chain_service_pb2.GetChainRequest()).chain.history_start_number


def test_a_history_is_shortened_when_the_setting_says_so_and_stays_so(tmp_path: Path) -> None:
    network_file = easy_network_file(tmp_path)
    network_file.write_text(network_file.read_text().replace("difficulty = 3", "difficulty = 0"))
    network, folder = ("--network-file", str(network_file)), tmp_path / "node"
    with NodeProcess(folder, *network) as node:
        owner = node.wallet_address()
        node.generate(MIN_KEEP_HISTORY + BEYOND)
        assert history_start(node) == 0
        before = [node.account(owner, number) for number in range(BEYOND + 1)]
        node.stop()
    with NodeProcess(folder, *network, *SHORT) as node:
        assert history_start(node) == BEYOND
        assert node.account(owner, BEYOND) == before[BEYOND] == (10_000 * BEYOND, 0)
        with pytest.raises(grpc.RpcError) as caught:
            node.account(owner, BEYOND - 1)
        seen = refused(caught.value)
        assert (seen.code, seen.reason) == (grpc.StatusCode.OUT_OF_RANGE, "HISTORY_PRUNED")
        assert seen.metadata == {"oldest": str(BEYOND)}
        node.generate(1)
        assert history_start(node) == BEYOND + 1
        node.stop()
    with NodeProcess(folder, *network) as node:
        node.generate(1)
        assert history_start(node) == BEYOND + 1, "what was deleted does not come back"
        verified = troupe("chain", "verify", "-o", "json", "--data-dir", str(folder))
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert json.loads(verified.stdout)["block_count"] == MIN_KEEP_HISTORY + BEYOND + 3
