"""The report of ``simulate`` as JSON-like data, and as tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Final

from actors.simulation.report import Report
from admin.cli.output import Columns, Data, Facts, View
from admin.cli.text import ABSENT, count, duration, plural, short

MOST_NODES: Final = 12
"""In a table; JSON has them all."""


def report_data(report: Report, command: str) -> Data:
    """All of it; ``replay`` is the command that plays it again. Without the single delays, of which the
    propagation is made.
    """
    data = asdict(report)
    del data["delays_s"]
    for key in ("faults", "lies", "deepest_mailboxes", "blamed_honest", "blamed_liars"):
        data[key] = dict(data[key])
    data["reorgs"] = [{"depth": depth, "times": times} for depth, times in report.reorgs]
    return {**data, "replay": command}


def report_views(report: Report) -> tuple[View, ...]:
    """What people want to know, most of all first."""
    views: list[View] = [_facts(report), _propagation(report), _nodes(report)]
    if report.reorgs:
        rows = tuple((count(depth), count(times)) for depth, times in report.reorgs)
        views.append(Columns((">REORG DEPTH", ">TIMES"), rows, ""))
    if report.healings:
        rows = tuple(
            (_seconds(each.at_s), _seconds(each.agreed_after_s)) for each in report.healings
        )
        views.append(Columns((">HEALED AT", ">AGREED AFTER"), rows, ""))
    if report.lies:
        rows = tuple((name, count(times)) for name, times in report.lies)
        views.append(Columns(("LIE", ">TOLD"), rows, ""))
    sent = tuple((each.kind, count(each.messages), count(each.bytes)) for each in report.traffic)
    views.append(Columns(("MESSAGE", ">SENT", ">BYTES"), sent, "Nothing was sent."))
    return tuple(views)


def _facts(report: Report) -> Facts:
    verdict = "all hold" if report.violation is None else report.violation
    return Facts(
        (
            ("invariants", verdict),
            ("seed", str(report.seed)),
            ("simulated", duration(report.simulated_s)),
            ("events", count(report.events)),
            ("digest", report.digest),
            ("height", count(report.height)),
            ("transactions", count(report.transactions)),
            ("forks", f"{count(report.forks)}, stale blocks {100 * report.stale_rate:.1f} %"),
            ("agreed in the end after", _seconds(report.settle_s)),
            ("faults", _counts(report.faults)),
            ("actor falls", count(report.actor_falls)),
            ("broken connections", count(report.broken_connections)),
            ("bans kept", count(report.bans)),
            ("longest mailboxes", _counts(report.deepest_mailboxes[:3])),
        )
    )


def _propagation(report: Report) -> Columns:
    rows = tuple(
        (
            f"{100 * each.share:.0f} %",
            _seconds(each.median_s),
            _seconds(each.p90_s),
            _seconds(each.worst_s),
        )
        for each in report.propagation
    )
    heads = (">A BLOCK REACHES", ">MEDIAN", ">P90", ">WORST")
    return Columns(heads, rows, "")


def _nodes(report: Report) -> Columns:
    rows: list[tuple[str, ...]] = [
        (
            count(each.node),
            each.address,
            each.role,
            count(each.height),
            short(each.tip),
            count(each.lives),
            count(each.blocks_found),
        )
        for each in report.node_lines[:MOST_NODES]
    ]
    if len(report.node_lines) > MOST_NODES:
        more = plural(len(report.node_lines) - MOST_NODES, "node")
        rows.append(("", f"{more} more", *[""] * 5))
    heads = (">NODE", "ADDRESS", "ROLE", ">HEIGHT", "TIP", ">LIVES", ">FOUND")
    return Columns(heads, tuple(rows), "")


def summary_data(reports: Sequence[Report]) -> Data:
    """Of many seeds: sums, and a line for each."""
    return {
        "seeds": len(reports),
        "violations": sum(report.violation is not None for report in reports),
        "events": sum(report.events for report in reports),
        "simulated_s": sum(report.simulated_s for report in reports),
        "blocks": sum(report.height for report in reports),
        "transactions": sum(report.transactions for report in reports),
        "faults": _added(report.faults for report in reports),
        "lies": _added(report.lies for report in reports),
        "actor_falls": sum(report.actor_falls for report in reports),
        "reorgs": _depths(reports),
        "worst_settle_s": max((report.settle_s or 0.0 for report in reports), default=0.0),
        "runs": [
            {
                "seed": report.seed,
                "violation": report.violation,
                "events": report.events,
                "digest": report.digest,
                "height": report.height,
                "settle_s": report.settle_s,
            }
            for report in reports
        ],
    }


def summary_views(reports: Sequence[Report]) -> tuple[View, ...]:
    """The sums alone."""
    data = summary_data(reports)
    depths = data["reorgs"]
    facts = Facts(
        (
            ("seeds", f"{reports[0].seed} to {reports[-1].seed}, {count(len(reports))} played"),
            ("violations", count(data["violations"])),
            ("simulated", duration(data["simulated_s"])),
            ("events", count(data["events"])),
            ("blocks", count(data["blocks"])),
            ("transactions", count(data["transactions"])),
            ("faults", _counts(data["faults"].items())),
            ("actor falls", count(data["actor_falls"])),
            ("lies", _counts(data["lies"].items())),
            (
                "reorgs",
                ", ".join(f"{each['times']:,} of {each['depth']}" for each in depths) or "none",
            ),
            ("longest way to agreement", _seconds(data["worst_settle_s"])),
        )
    )
    return (facts,)


def _added(counts: Iterable[tuple[tuple[str, int], ...]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(dict(each))
    return dict(sorted(total.items()))


def _depths(reports: Sequence[Report]) -> list[Data]:
    total: Counter[int] = Counter()
    for report in reports:
        total.update(dict(report.reorgs))
    return [{"depth": depth, "times": times} for depth, times in sorted(total.items())]


def _counts(items: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in items) or "none"


def _seconds(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3f} s"
