"""``troupe top``: what it asks for, what it shows, and when it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from typing import Any

import click
import pytest
from click.testing import CliRunner

from actors.chain.messages import GetChain, ListBlocks, SyncProgress, SyncState
from actors.miner.messages import MinerChanged
from actors.peers.messages import ListPeers
from admin.cli import top_view
from admin.cli.client import open_client
from admin.cli.exits import ExitCode
from admin.cli.main import cli
from admin.cli.options import Target
from admin.cli.top import Looker
from tests.support.admin_stage import AdminStage, chain_info
from tests.support.peer_infos import peer_info


def troupe(stage: AdminStage, *words: str) -> Any:
    return CliRunner().invoke(cli, [*words, "--data-dir", str(stage.data_dir)])


def fall(_message: object) -> None:
    raise RuntimeError


@pytest.fixture
def looker(stage: AdminStage) -> Any:
    with open_client(Target(data_dir=stage.data_dir)) as client:
        yield Looker(client)


def test_in_a_pipe_it_shows_the_node_once(stage: AdminStage) -> None:
    stage.peers.answer(ListPeers, (peer_info(7001),))
    stage.happen(MinerChanged(mining=True))
    shown = troupe(stage, "top")
    assert shown.exit_code == ExitCode.OK, shown.output
    lines = shown.output.splitlines()
    assert lines[0].startswith(f"troupe 0.0.0  {stage.network.name}  ready  up ")
    assert lines[1].startswith("chain   block 0 ")
    assert lines[2] == "miner   stopped, found 4 blocks, 1 stale"
    assert lines[3] == ("mempool 3 of 5,000 pending, 2 of 1,000 queued, 4 senders, 1,234 bytes")
    assert lines[4] == "peers   3 of 20 to 40 wanted, 1 of 8 outbound, 7 known"
    assert any(line.startswith("mempool     running") for line in lines)
    assert any(line.startswith("10.0.0.1:7001") for line in lines)
    assert "mining-started" in shown.output


def test_a_sync_is_shown_in_place_of_the_blocks_behind(stage: AdminStage) -> None:
    info = chain_info(stage.tip, SyncState.DOWNLOADING, best=90)
    stage.chain.answer(GetChain, info)
    assert ", sync downloading, 90 blocks behind, " in troupe(stage, "top").output
    progress = SyncProgress(done=12, total=90, blocks_per_s=2.6, left_s=30.0)
    stage.chain.answer(GetChain, replace(info, progress=progress))
    shown = troupe(stage, "top").output
    assert ", sync downloading, 12 of 90 blocks, 13 %, 3/s, 30 s left, 2 side" in shown


def test_frames_are_json_documents_when_asked_for(stage: AdminStage) -> None:
    shown = troupe(stage, "top", "--frames", "2", "--interval", "0.2", "-o", "jsonl")
    first, second = (json.loads(line) for line in shown.output.splitlines())
    assert list(first) == [
        "node",
        "chain",
        "mempool",
        "miner",
        "slots",
        "peers",
        "actors",
        "events",
    ]
    assert all(actor["handled_per_s"] == 0 for actor in first["actors"])
    assert any(actor["handled_per_s"] > 0 for actor in second["actors"])


def test_rates_are_letters_a_second_since_the_look_before(
    stage: AdminStage, looker: Looker
) -> None:
    stage.reader.answer(ListBlocks, ())
    before = looker.look(10.0)["actors"]
    for _ in range(5):
        troupe(stage, "chain")
    after = looker.look(12.0)["actors"]
    grown = {
        a["name"]: a["handled_count"] - b["handled_count"]
        for a, b in zip(after, before, strict=True)
    }
    assert grown["chain"] >= 5
    assert {a["name"]: a["handled_per_s"] for a in after} == {
        name: number / 2 for name, number in grown.items()
    }


def test_what_a_fallen_actor_would_say_is_left_out(stage: AdminStage) -> None:
    stage.chain.compute(GetChain, fall)
    shown = troupe(stage, "top")
    assert shown.exit_code == ExitCode.OK, shown.output
    assert "chain   no answer" in shown.output
    assert "degraded" in shown.output


def test_events_are_followed_from_look_to_look(stage: AdminStage, looker: Looker) -> None:
    stage.happen(MinerChanged(mining=True))
    assert len(looker.look(1.0)["events"]) == 1
    assert len(looker.look(2.0)["events"]) == 1
    stage.happen(MinerChanged(mining=True))
    assert len(looker.look(3.0)["events"]) == 2


def test_without_a_node_it_says_so(tmp_path: Any) -> None:
    shown = CliRunner().invoke(cli, ["top", "--data-dir", str(tmp_path)])
    assert shown.exit_code == ExitCode.FAILED
    assert "no node is running" in shown.output


def sample(peers: int, events: int) -> Any:
    numbers = count(1)
    node = {
        "name": "troupe",
        "version": "1",
        "network": {"name": "dev"},
        "state": "ready",
        "state_reasons": [],
        "uptime_s": 1.0,
        "listen_address": "127.0.0.1:1",
    }
    peer = {
        "initiated": True,
        "kind": "troupe",
        "height": 1,
        "score": 0.0,
        "agent": "x",
        "connect_time": None,
    }
    event = {"time": "2026-01-02T03:04:05.678+00:00", "type": "mining-started"}
    return {
        "node": node,
        "chain": None,
        "mempool": None,
        "miner": None,
        "slots": None,
        "actors": None,
        "peers": [{**peer, "address": f"peer-{next(numbers)}"} for _ in range(peers)],
        "events": [{**event, "mining_started": {}} for _ in range(events)],
    }


@pytest.mark.parametrize("lines", [12, 20, 30])
@pytest.mark.parametrize(("peers", "events"), [(0, 0), (50, 0), (0, 50), (50, 50)])
def test_a_frame_fits_the_terminal(lines: int, peers: int, events: int) -> None:
    shown = top_view.frame(sample(peers, events), lines=lines).splitlines()
    assert len(shown) <= lines
    assert click.unstyle(shown[0]).startswith("troupe 1  dev")


def test_peers_that_are_not_shown_are_counted() -> None:
    assert "and 42 more" in top_view.frame(sample(50, 0))
