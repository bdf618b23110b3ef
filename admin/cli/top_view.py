"""What ``top`` shows: pure, from one sample of a node to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from admin.cli import peer_views, views
from admin.cli.output import Columns
from admin.cli.text import count, duration, hash_rate, plural, short

Data = Mapping[str, Any]

MISSING: Final = frozenset({"ACTOR_DOWN", "ACTOR_BUSY", "ACTOR_TIMEOUT"})
"""Reasons for which a part of the view is left out."""
FEW: Final = 8
"""Peers and events that are shown where the lines are not counted."""
_DOWN: Final = "no answer"


def frame(sample: Data, *, lines: int | None = None) -> str:
    """The whole view; with ``lines`` no more of them, the events giving way first, then the peers."""
    head = [_title(sample["node"]), *_facts(sample), "", *_actors(sample["actors"])]
    room = FEW if lines is None else max(1, (lines - len(head) - 5) // 2)
    peers = _peers(sample["peers"], room)
    left = FEW if lines is None else lines - len(head) - len(peers) - 3
    body = [*head, "", *peers, *_events(sample["events"], left)]
    return "\n".join(body if lines is None else body[:lines])


def _title(node: Data) -> str:
    network = node["network"] or {}
    words = (
        f"{node['name']} {node['version']}  {network.get('name')}  {node['state']}"
        f"  up {duration(node['uptime_s'])}  peers at {node['listen_address']}"
    )
    reasons = "".join(f"\n  {reason}" for reason in node["state_reasons"])
    return click.style(words, bold=True) + reasons


def _facts(sample: Data) -> list[str]:
    chain, miner, pool, slots = (sample[name] for name in ("chain", "miner", "mempool", "slots"))
    pairs = (
        ("chain", _DOWN if chain is None else _chain(chain)),
        ("miner", _DOWN if miner is None else _miner(miner)),
        ("mempool", _DOWN if pool is None else _mempool(pool)),
        ("peers", _DOWN if slots is None else peer_views.slots_line(slots)),
    )
    return [f"{click.style(name.ljust(8), bold=True)}{words}" for name, words in pairs]


def _chain(chain: Data) -> str:
    tip = chain["tip"]
    behind = chain["best_known_height"] - tip["number"]
    words = f"block {count(tip['number'])} {short(tip['hash'])}, sync {views.sync_words(chain)}"
    if behind > 0 and not chain["sync_progress"]:
        words += f", {plural(behind, 'block')} behind"
    return f"{words}, {count(chain['side_block_count'])} side, {plural(chain['orphan_count'], 'orphan')}"


def _miner(miner: Data) -> str:
    found = f"found {plural(miner['found_block_count'], 'block')}, {count(miner['stale_block_count'])} stale"
    if not miner["mining"]:
        return f"stopped, {found}"
    number = miner["template_number"]
    on = "" if number is None else f"block {count(number)}, "
    rate = hash_rate(miner["hashes_per_s"])
    return f"{on}{rate}, {plural(miner['threads'], 'thread')} of {miner['engine']}, {found}"


def _mempool(pool: Data) -> str:
    return (
        f"{count(pool['pending_count'])} of {count(pool['max_pending_count'])} pending,"
        f" {count(pool['queued_count'])} of {count(pool['max_queued_count'])} queued,"
        f" {plural(pool['sender_count'], 'sender')}, {count(pool['size_bytes'])} bytes"
    )


def _actors(actors: Sequence[Data] | None) -> list[str]:
    if actors is None:
        return [f"actors: {_DOWN}"]
    heads = ("ACTOR", "STATE", ">WAITING", ">OLDEST", ">HANDLED/S", ">HANDLED", ">FAILED")
    rows = tuple(
        (
            each["name"],
            each["state"],
            count(each["mailbox_depth"]),
            _milliseconds(each["mailbox_age_s"]),
            f"{each['handled_per_s']:,.1f}",
            count(each["handled_count"]),
            count(each["failed_count"]),
            count(each["restart_count"]),
            _milliseconds(each["handling_p50_s"]),
            _milliseconds(each["handling_p99_s"]),
        )
        for each in actors
    )
    return Columns((*heads, ">RESTARTS", ">P50 MS", ">P99 MS"), rows, "").text().split("\n")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"


def _peers(peers: Sequence[Data] | None, room: int) -> list[str]:
    if peers is None:
        return [f"peers: {_DOWN}"]
    if not peers:
        return ["No peers."]
    shown = views.peers(peers[:room]).text().split("\n")
    more = len(peers) - room
    return [*shown, *([f"and {count(more)} more"] if more > 0 else [])]


def _events(events: Sequence[Data], room: int) -> list[str]:
    if not events or room < 1:
        return []
    return ["", click.style("EVENTS", bold=True), *(views.event(each) for each in events[-room:])]
