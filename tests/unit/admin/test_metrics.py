"""The metrics are OpenMetrics: read back by its own parser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from actors.chain.messages import SyncProgress, SyncState
from actors.config import TcpSettings
from actors.ledger.types import BlockRef
from actors.mempool.messages import PoolInfo
from actors.peers.messages import Slots
from actors.runtime.mailbox import MailboxReport
from actors.runtime.supervisor import ActorReport, ActorState
from actors.tcp.messages import CloseReason, ConnectionState, TransportInfo
from admin.counts import CallCounts
from admin.metrics import Observed, exposition
from tests.support.admin_stage import chain_info, miner_info
from tests.support.peer_infos import peer_info

BOX = MailboxReport(2, 1.5, 100, 3, 4, 1, 0.000_008, 0.001_024)
ACTORS = (
    ActorReport("chain", ActorState.RUNNING, 2, 5, 'it said "no"', ("chain",), BOX),
    ActorReport("tcp", ActorState.RESTARTING, 0, 0, None, ("tcp",), BOX),
)
TRANSPORT = TransportInfo(
    limits=TcpSettings(),
    connections=((ConnectionState.ESTABLISHED, 4),),
    dialing=1,
    accepting=True,
    accepted=7,
    dialed=8,
    refused=9,
    failed_dials=10,
    ended=((CloseReason.REMOTE, 11),),
    received_bytes=12,
    sent_bytes=13,
    received_frames=14,
    sent_frames=15,
    unsent_bytes=16,
    held_bytes=17,
)


def observed() -> Observed:
    counts = CallCounts()
    counts.end("/a.B/C", "OK")
    counts.end("/a.B/C", "OK")
    counts.end("/a.B/C", "NOT_FOUND")
    counts.open_streams["/a.B/Watch"] += 1
    return Observed(
        version="1.2.3",
        network="main",
        calls=counts,
        actors=ACTORS,
        transport=TRANSPORT,
        peers=(peer_info(7), replace(peer_info(8), initiated=False, score=41.5)),
        slots=Slots(1, 2, 20, 8, 40, 80, 3, 7),
        pool=PoolInfo(3, 2, 4, 1_234, 5_000, 1_000),
        chain=chain_info(BlockRef(7, bytes(32))),
        miner=replace(miner_info(), hash_rate=2.5, hashes=99),
    )


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families: Any = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_text_is_open_metrics_and_says_what_was_observed() -> None:
    text = exposition(observed())
    assert text.endswith("# EOF\n")
    seen = samples(text)
    chain = (("actor", "chain"),)
    expected = {
        ("troupe_build_info", (("network", "main"), ("version", "1.2.3"))): 1,
        ("troupe_actor_running", chain): 1,
        ("troupe_actor_running", (("actor", "tcp"),)): 0,
        ("troupe_actor_mailbox_depth", chain): 2,
        ("troupe_actor_mailbox_age_seconds", chain): 1.5,
        ("troupe_actor_handled_messages_total", chain): 100,
        ("troupe_actor_failed_messages_total", chain): 3,
        ("troupe_actor_dropped_messages_total", chain): 1,
        ("troupe_actor_lost_messages_total", chain): 4,
        ("troupe_actor_restarts_total", (*chain, ("cause", "failure"))): 2,
        ("troupe_actor_restarts_total", (*chain, ("cause", "request"))): 5,
        ("troupe_actor_handling_seconds", (*chain, ("quantile", "0.5"))): 0.000_008,
        ("troupe_actor_handling_seconds", (*chain, ("quantile", "0.99"))): 0.001_024,
        ("troupe_tcp_connections", (("state", "established"),)): 4,
        ("troupe_tcp_dialing", ()): 1,
        ("troupe_tcp_begun_connections_total", (("direction", "inbound"),)): 7,
        ("troupe_tcp_begun_connections_total", (("direction", "outbound"),)): 8,
        ("troupe_tcp_refused_connections_total", ()): 9,
        ("troupe_tcp_failed_dials_total", ()): 10,
        ("troupe_tcp_ended_connections_total", (("reason", "remote"),)): 11,
        ("troupe_tcp_received_bytes_total", ()): 12,
        ("troupe_tcp_sent_bytes_total", ()): 13,
        ("troupe_tcp_received_frames_total", ()): 14,
        ("troupe_tcp_sent_frames_total", ()): 15,
        ("troupe_tcp_unsent_bytes", ()): 16,
        ("troupe_tcp_held_bytes", ()): 17,
        ("troupe_peers", (("direction", "inbound"),)): 1,
        ("troupe_peers_worst_score", ()): 41.5,
        ("troupe_peers_wanted", ()): 20,
        ("troupe_peers_wanted_outbound", ()): 8,
        ("troupe_peers_limit", ()): 80,
        ("troupe_peers_dialing", ()): 3,
        ("troupe_peers_known_addresses", ()): 7,
        ("troupe_mempool_transactions", (("state", "pending"),)): 3,
        ("troupe_mempool_transactions", (("state", "queued"),)): 2,
        ("troupe_mempool_size_bytes", ()): 1_234,
        ("troupe_chain_height", ()): 7,
        ("troupe_chain_supply", ()): 50_000,
        ("troupe_chain_history_start", ()): 0,
        ("troupe_miner_hashes_per_second", ()): 2.5,
        ("troupe_miner_hashes_total", ()): 99,
        ("troupe_miner_found_blocks_total", ()): 4,
        ("troupe_miner_stale_blocks_total", ()): 1,
        ("troupe_admin_calls_total", (("code", "OK"), ("method", "/a.B/C"))): 2,
        ("troupe_admin_calls_total", (("code", "NOT_FOUND"), ("method", "/a.B/C"))): 1,
        ("troupe_admin_open_streams", (("method", "/a.B/Watch"),)): 1,
    }
    assert expected.items() <= seen.items()
    assert seen["process_threads", ()] >= 1


def syncing(left_s: float | None) -> dict[str, float]:
    chain = chain_info(BlockRef(7, bytes(32)), SyncState.DOWNLOADING)
    progress = SyncProgress(done=25, total=100, blocks_per_s=12.5, left_s=left_s)
    seen = samples(exposition(replace(observed(), chain=replace(chain, progress=progress))))
    return {name: value for (name, _), value in seen.items() if name.startswith("troupe_sync")}


def test_a_sync_says_how_far_it_is_and_an_idle_node_nothing() -> None:
    expected = {
        "troupe_sync_done_blocks": 25,
        "troupe_sync_total_blocks": 100,
        "troupe_sync_blocks_per_second": 12.5,
    }
    assert syncing(6.0) == expected | {"troupe_sync_left_seconds": 6.0}
    assert syncing(None) == expected
    assert "troupe_sync" not in exposition(observed())


def test_every_metric_has_a_help_and_a_type_once() -> None:
    lines = exposition(observed()).splitlines()
    for kind in ("HELP", "TYPE"):
        named = [line.split()[2] for line in lines if line.startswith(f"# {kind} ")]
        assert len(named) == len(set(named))
        for line in lines:
            if not line.startswith("#"):
                assert line.startswith(tuple(named)), line


def test_what_did_not_answer_is_left_out() -> None:
    silent = replace(
        observed(),
        actors=None,
        transport=None,
        peers=None,
        slots=None,
        pool=None,
        chain=None,
        miner=None,
    )
    names = {name for name, _ in samples(exposition(silent))}
    rooms = ("actor", "tcp", "peers", "mempool", "chain", "miner")
    assert not [name for name in names if name.startswith(tuple(f"troupe_{r}" for r in rooms))]
    assert "troupe_admin_calls_total" in names
