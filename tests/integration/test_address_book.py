"""Real nodes: what they know of others outlives them, and no damaged file keeps one from starting."""

from __future__ import annotations

from pathlib import Path

import pytest
from troupe.admin.v1 import peer_service_pb2, peer_service_pb2_grpc

from tests.support.process import NodeProcess


def peers(node: NodeProcess) -> set[str]:
    stub = peer_service_pb2_grpc.PeerServiceStub(node.channel)
    listed = node.call(stub.ListPeers, peer_service_pb2.ListPeersRequest()).peers
    return {peer.address for peer in listed}


def test_a_node_started_again_without_bootstrap_finds_its_peer(tmp_path: Path) -> None:
    with NodeProcess(tmp_path / "other", "--network", "dev") as other:
        with NodeProcess(tmp_path / "node", "--network", "dev") as node:
            node.connect(other)
            assert node.stop() == 0
        with NodeProcess(tmp_path / "node", "--network", "dev") as again:
            again.await_that(lambda: other.listen_address in peers(again))
            assert again.stop() == 0


@pytest.mark.parametrize("name", ["addresses", "bans", "mempool"])
def test_a_node_starts_without_a_list_that_cannot_be_read_and_names_it(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    with NodeProcess(tmp_path, "--network", "dev") as node:
        assert peers(node) == set()
        assert node.stop() == 0
        assert f"cannot read {tmp_path / name}" in "".join(node.output)


def test_a_node_starts_on_damaged_lists_and_says_so(tmp_path: Path) -> None:
    for name in ("addresses", "bans", "mempool"):
        (tmp_path / name).write_bytes(b"\xff\x00\n" * 3)
    with NodeProcess(tmp_path, "--network", "dev") as node:
        assert peers(node) == set()
        assert node.stop() == 0
        said = "".join(node.output)
    assert f"3 lines of {tmp_path / 'addresses'} make no sense" in said
    assert f"3 lines of {tmp_path / 'bans'} make no sense" in said
