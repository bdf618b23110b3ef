"""The node's metrics in the OpenMetrics text format: pure, from what the rooms said to the text.

Names and units are OpenMetrics': base units, counters that end in ``_total``. Must not live here: who is
asked (``services.diagnostics``), how calls are counted (``counts``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.openmetrics.exposition import generate_latest

from actors.chain.messages import ChainInfo, SyncProgress
from actors.mempool.messages import PoolInfo
from actors.miner.messages import MinerInfo
from actors.peers.messages import PeerInfo, Slots
from actors.runtime.supervisor import ActorReport, ActorState
from actors.tcp.messages import TransportInfo
from admin.counts import CallCounts

_PROCESS: Final = ProcessCollector(registry=None)
"""Reads /proc at each look; where there is none, a process has no metrics but its threads."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known at one moment; None: whoever knows it did not answer."""

    version: str
    network: str
    calls: CallCounts
    actors: Sequence[ActorReport] | None
    transport: TransportInfo | None
    peers: Sequence[PeerInfo] | None
    slots: Slots | None
    pool: PoolInfo | None
    chain: ChainInfo | None
    miner: MinerInfo | None


def exposition(observed: Observed) -> str:
    """All metrics as text, up to its "# EOF"."""
    families = _Families(tuple(_families(observed)))
    text: bytes = generate_latest(families)  # type: ignore[no-untyped-call]
    return text.decode("utf-8")


@dataclass(frozen=True, slots=True)
class _Families:
    """What the library calls a registry."""

    families: Sequence[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


def _families(observed: Observed) -> Iterator[Metric]:
    build = {"version": observed.version, "network": observed.network}
    yield InfoMetricFamily("troupe_build", "The software, and the network that it is on.", build)
    if observed.actors is not None:
        yield from _actors(observed.actors)
    if observed.transport is not None:
        yield from _transport(observed.transport)
    if observed.peers is not None:
        yield from _peers(observed.peers)
    if observed.slots is not None:
        yield from _slots(observed.slots)
    if observed.pool is not None:
        yield from _pool(observed.pool)
    if observed.chain is not None:
        yield from _chain(observed.chain)
    if observed.miner is not None:
        yield from _miner(observed.miner)
    yield from _calls(observed.calls)
    yield from _PROCESS.collect()
    yield GaugeMetricFamily("process_threads", "Threads of Python.", threading.active_count())


def _actors(reports: Sequence[ActorReport]) -> Iterator[Metric]:
    name = ("actor",)
    running = GaugeMetricFamily("troupe_actor_running", "1: the actor is at work.", labels=name)
    depth = GaugeMetricFamily(
        "troupe_actor_mailbox_depth", "Messages that wait in the mailbox.", labels=name
    )
    age = GaugeMetricFamily(
        "troupe_actor_mailbox_age",
        "Age of the oldest message that is not handled yet.",
        labels=name,
        unit="seconds",
    )
    handled = CounterMetricFamily("troupe_actor_handled_messages", "Messages handled.", labels=name)
    failed = CounterMetricFamily(
        "troupe_actor_failed_messages", "Messages whose handling failed.", labels=name
    )
    dropped = CounterMetricFamily(
        "troupe_actor_dropped_messages", "Messages refused by an actor that ended.", labels=name
    )
    lost = CounterMetricFamily(
        "troupe_actor_lost_messages",
        "Messages given up because the actor failed over them.",
        labels=name,
    )
    restarts = CounterMetricFamily(
        "troupe_actor_restarts",
        "Restarts, by what caused them: a failure, or a request.",
        labels=("actor", "cause"),
    )
    for report in reports:
        box, label = report.mailbox, (report.name,)
        running.add_metric(label, report.state is ActorState.RUNNING)
        depth.add_metric(label, box.depth)
        age.add_metric(label, box.age_s)
        handled.add_metric(label, box.handled)
        failed.add_metric(label, box.failed)
        dropped.add_metric(label, box.dropped)
        lost.add_metric(label, box.lost)
        restarts.add_metric((report.name, "failure"), report.restarts)
        restarts.add_metric((report.name, "request"), report.requested_restarts)
    yield from (running, depth, age, handled, failed, dropped, lost, restarts, _handling(reports))


def _handling(reports: Sequence[ActorReport]) -> Metric:
    handling = SummaryMetricFamily(
        "troupe_actor_handling",
        "Time to handle a message, rounded up to a power of two of microseconds.",
        labels=("actor",),
        unit="seconds",
    )
    for report in reports:
        box = report.mailbox
        for quantile, value_s in (("0.5", box.handling_p50_s), ("0.99", box.handling_p99_s)):
            labels = {"actor": report.name, "quantile": quantile}
            handling.add_sample(handling.name, labels, value_s)
    return handling


def _transport(info: TransportInfo) -> Iterator[Metric]:
    connections = GaugeMetricFamily(
        "troupe_tcp_connections", "Connections to peers, by state.", labels=("state",)
    )
    for state, number in info.connections:
        connections.add_metric((state.value,), number)
    yield connections
    begun = CounterMetricFamily(
        "troupe_tcp_begun_connections", "Connections that came up.", labels=("direction",)
    )
    begun.add_metric(("inbound",), info.accepted)
    begun.add_metric(("outbound",), info.dialed)
    yield begun
    ended = CounterMetricFamily(
        "troupe_tcp_ended_connections", "Connections that ended, by reason.", labels=("reason",)
    )
    for reason, number in info.ended:
        ended.add_metric((reason.name.lower(),), number)
    yield ended
    yield _gauge("troupe_tcp_dialing", "Connections that are being dialed.", info.dialing)
    yield _counter(
        "troupe_tcp_refused_connections", "Connections not let in for a limit.", info.refused
    )
    yield _counter("troupe_tcp_failed_dials", "Dials that came to nothing.", info.failed_dials)
    received, sent = info.received_bytes, info.sent_bytes
    yield _counter("troupe_tcp_received_bytes", "Bytes received.", received, unit="bytes")
    yield _counter("troupe_tcp_sent_bytes", "Bytes sent.", sent, unit="bytes")
    yield _counter("troupe_tcp_received_frames", "Messages received.", info.received_frames)
    yield _counter("troupe_tcp_sent_frames", "Messages queued to be sent.", info.sent_frames)
    unsent = info.unsent_bytes
    yield _gauge("troupe_tcp_unsent_bytes", "Bytes queued and not yet sent.", unsent, unit="bytes")
    held = "Bytes that connections hold: unhandled input and output of their own."
    yield _gauge("troupe_tcp_held_bytes", held, info.held_bytes, unit="bytes")


def _peers(peers: Sequence[PeerInfo]) -> Iterator[Metric]:
    family = GaugeMetricFamily("troupe_peers", "Peers, by who dialed.", labels=("direction",))
    outbound = sum(peer.initiated for peer in peers)
    family.add_metric(("inbound",), len(peers) - outbound)
    family.add_metric(("outbound",), outbound)
    yield family
    worst = max((peer.score for peer in peers), default=0.0)
    yield _gauge(
        "troupe_peers_worst_score", "Points of the worst peer; at 100 it is banned.", worst
    )


def _slots(slots: Slots) -> Iterator[Metric]:
    wanted, outbound = slots.wanted, slots.wanted_outbound
    yield _gauge("troupe_peers_wanted", "Peers below which more are sought.", wanted)
    yield _gauge("troupe_peers_wanted_outbound", "The same, of those that we dialed.", outbound)
    yield _gauge("troupe_peers_limit", "Peers above which nobody is accepted.", slots.limit)
    yield _gauge("troupe_peers_dialing", "Dials under way.", slots.dialing)
    yield _gauge("troupe_peers_known_addresses", "Addresses in the book.", slots.known)


def _pool(info: PoolInfo) -> Iterator[Metric]:
    transactions = GaugeMetricFamily(
        "troupe_mempool_transactions", "Transactions in the mempool.", labels=("state",)
    )
    transactions.add_metric(("pending",), info.pending)
    transactions.add_metric(("queued",), info.queued)
    yield transactions
    yield _gauge("troupe_mempool_senders", "Senders of those transactions.", info.senders)
    yield _gauge("troupe_mempool_size_bytes", "Bytes of them.", info.bytes, unit="bytes")


def _chain(info: ChainInfo) -> Iterator[Metric]:
    yield _gauge("troupe_chain_height", "Number of the newest canonical block.", info.tip.number)
    best = info.best_known_height
    yield _gauge("troupe_chain_best_known_height", "Highest number that a peer has told of.", best)
    yield _gauge("troupe_chain_side_blocks", "Stored blocks beside the chain.", info.side_blocks)
    yield _gauge("troupe_chain_orphans", "Blocks kept whose parent is not known.", info.orphans)
    yield _gauge("troupe_chain_supply", "Sum of all balances.", info.supply)
    oldest = info.history_start
    yield _gauge("troupe_chain_history_start", "Oldest block whose accounts are kept.", oldest)
    if info.progress is not None:
        yield from _sync(info.progress)


def _sync(progress: SyncProgress) -> Iterator[Metric]:
    """Absent while nothing is fetched; the time left also where it cannot be said."""
    done, total = progress.done, progress.total
    yield _gauge("troupe_sync_done_blocks", "Blocks fetched since this sync began.", done)
    yield _gauge("troupe_sync_total_blocks", "Those, and the ones known to be missing.", total)
    rate = progress.blocks_per_s
    yield _gauge("troupe_sync_blocks_per_second", "Over the last seconds.", rate)
    if progress.left_s is not None:
        left = progress.left_s
        yield _gauge("troupe_sync_left_seconds", "Time left at that rate.", left, unit="seconds")


def _miner(info: MinerInfo) -> Iterator[Metric]:
    yield _gauge("troupe_miner_mining", "1: it scans for blocks.", info.mining)
    yield _gauge("troupe_miner_threads", "Threads that it scans with.", info.threads)
    rate = info.hash_rate
    yield _gauge("troupe_miner_hashes_per_second", "Hash rate, a moving average.", rate)
    yield _counter("troupe_miner_hashes", "Hashes computed.", info.hashes)
    yield _counter("troupe_miner_found_blocks", "Blocks found.", info.blocks_found)
    yield _counter("troupe_miner_stale_blocks", "Blocks found too late.", info.blocks_stale)


def _calls(counts: CallCounts) -> Iterator[Metric]:
    calls = CounterMetricFamily(
        "troupe_admin_calls", "Calls of this API that ended.", labels=("method", "code")
    )
    for (method, code), number in sorted(counts.ended.items()):
        calls.add_metric((method, code), number)
    yield calls
    streams = GaugeMetricFamily(
        "troupe_admin_open_streams", "Streams of this API that are open.", labels=("method",)
    )
    for method, number in sorted(counts.open_streams.items()):
        streams.add_metric((method,), number)
    yield streams


def _gauge(name: str, text: str, value: float, unit: str = "") -> Metric:
    return GaugeMetricFamily(name, text, value, unit=unit)


def _counter(name: str, text: str, value: float, unit: str = "") -> Metric:
    return CounterMetricFamily(name, text, value, unit=unit)
