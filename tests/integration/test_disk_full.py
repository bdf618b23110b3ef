"""A real node whose disk takes no more: it says so, goes on serving, and catches up when there is room."""

from __future__ import annotations

import resource
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner, Result
from troupe.admin.v1 import chain_service_pb2, chain_service_pb2_grpc, node_service_pb2
from troupe.admin.v1 import node_service_pb2_grpc as nodes

from admin.cli.exits import ExitCode
from admin.cli.main import cli
from tests.support.process import WAIT_TIMEOUT_S, NodeProcess, easy_network_file

DEGRADED = node_service_pb2.NODE_STATE_DEGRADED
READY = node_service_pb2.NODE_STATE_READY


def await_state(node: NodeProcess, *states: int) -> node_service_pb2.Node:
    """The node as soon as it is in one of these."""
    watch = nodes.NodeServiceStub(node.channel).WatchNode(
        node_service_pb2.WatchNodeRequest(interval_ms=100),
        metadata=node.credentials,
        timeout=WAIT_TIMEOUT_S,
    )
    for answer in watch:
        if answer.node.state in states:
            watch.cancel()  # type: ignore[no-untyped-call]
            return answer.node
    raise AssertionError


def here(command: str, node: NodeProcess) -> Result:
    """A command in this process, beside the node's."""
    return CliRunner().invoke(cli, [*command.split(), "--data-dir", str(node.data_dir)])


def leave_no_room(node: NodeProcess) -> None:
    """Let no file of the process grow beyond the log of its chain as it is: the disk says no to more."""
    size_bytes = (node.data_dir / "chain.db-wal").stat().st_size
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def make_room(node: NodeProcess) -> None:
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, unlimited)


def test_a_full_node_serves_blames_nobody_and_catches_up_by_itself(tmp_path: Path) -> None:
    words = ("--network-file", str(easy_network_file(tmp_path)))
    with (
        NodeProcess(tmp_path / "full", *words) as full,
        NodeProcess(tmp_path / "peer", *words, "--peer", full.listen_address) as peer,
    ):
        full.generate(3)
        peer.await_tip(full.tip_hash())
        leave_no_room(full)
        peer.generate(1)
        (reason,) = await_state(full, DEGRADED).state_reasons
        assert "cannot be written" in reason
        assert full.height() == 3
        assert full.account(full.wallet_address(), 3) == (30_000, 0)
        refuses_what_it_cannot_store(full, peer)
        peer.generate(40)
        assert full.node().peer_count == 1
        make_room(full)
        full.await_tip(peer.tip_hash())
        await_state(full, READY)
        full.generate(1)
        peer.await_tip(full.tip_hash())
        sound = here("verify", full)
        assert sound.exit_code == ExitCode.OK, sound.stdout


def refuses_what_it_cannot_store(full: NodeProcess, peer: NodeProcess) -> None:
    raw = raw_block(peer, 4)
    stub = chain_service_pb2_grpc.ChainServiceStub(full.channel)
    with pytest.raises(grpc.RpcError) as refused:
        full.call(stub.SubmitBlock, chain_service_pb2.SubmitBlockRequest(raw=raw))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    mined = here("mine 1", full)
    assert mined.exit_code == ExitCode.TRY_AGAIN
    assert "STORE_UNWRITABLE" in mined.stderr
    sent = here(f"send {peer.wallet_address()} 5", full)
    assert sent.exit_code == ExitCode.OK, sent.stderr  # a transaction needs no disk


def raw_block(node: NodeProcess, number: int) -> bytes:
    stub = chain_service_pb2_grpc.ChainServiceStub(node.channel)
    request = chain_service_pb2.GetBlockRequest(number=number)
    raw: bytes = node.call(stub.GetBlock, request).block.raw
    return raw


def test_a_node_that_mines_pauses_on_a_full_disk_and_mines_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    words = ("--network-file", str(easy_network_file(tmp_path)), "--threads", "1")
    with NodeProcess(tmp_path / "node", *words) as node:
        node.generate(5)
        leave_no_room(node)  # before it mines: its log must not begin anew meanwhile
        node.mine()
        height = await_state(node, DEGRADED).tip.number
        assert node.node().mining  # it was told to, and will
        assert node.height() == height == 5
        make_room(node)
        node.await_height(height + 5)
        assert await_state(node, READY).state == READY
        assert node.stop() == 0
