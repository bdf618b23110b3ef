"""The report of ``simulate`` as a picture: how fast blocks spread, and how deep reorganisations went. SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from actors.simulation.report import Report

WIDTH: Final = 420
HEIGHT: Final = 240
MARGIN: Final = 50
GAP: Final = 80
MOST_POINTS: Final = 500
"""Of the curve: more of them are less than a pixel apart."""
MOST_BARS: Final = 12
TICKS: Final = 4
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#333}.axis{stroke:#333}.curve{fill:none;stroke:#1f77b4;"
    "stroke-width:2}.bar{fill:#ff7f0e}.title{font-size:14px;font-weight:bold}"
)


def plot(report: Report) -> str:
    """Both charts side by side, as the text of an SVG file."""
    width, height = 2 * WIDTH + 2 * MARGIN + GAP, HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(_caption(report))}</title><style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *_curve(report.delays_s, MARGIN),
        *_bars(report.reorgs, MARGIN + WIDTH + GAP),
        f'<text x="{MARGIN}" y="{height - 8}">{escape(_caption(report))}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _caption(report: Report) -> str:
    return (
        f"{report.nodes} nodes, seed {report.seed}, {report.height} blocks,"
        f" stale {100 * report.stale_rate:.1f} %, digest {report.digest}"
    )


def _curve(delays_s: Sequence[float], left: int) -> list[str]:
    """The share of all arrivals of blocks at nodes that took at most so long."""
    parts = _frame(left, "Arrivals of blocks at nodes, by delay (s)")
    if not delays_s:
        return parts
    longest_s = max(delays_s[-1], 0.001)
    step = max(1, len(delays_s) // MOST_POINTS)
    chosen = [*range(0, len(delays_s), step), len(delays_s) - 1]
    points = " ".join(
        f"{left + WIDTH * delays_s[index] / longest_s:.1f},"
        f"{MARGIN + HEIGHT * (1 - (index + 1) / len(delays_s)):.1f}"
        for index in chosen
    )
    parts.append(f'<polyline class="curve" points="{points}"/>')
    for tick in range(TICKS + 1):
        parts.append(_label(left + WIDTH * tick / TICKS, f"{longest_s * tick / TICKS:.2f}"))
        y = MARGIN + HEIGHT * (1 - tick / TICKS) + 4
        parts.append(
            f'<text x="{left - 6}" y="{y:.0f}" text-anchor="end">{100 * tick // TICKS} %</text>'
        )
    return parts


def _bars(reorgs: Sequence[tuple[int, int]], left: int) -> list[str]:
    """How often a node went back so many blocks; the last bar is of all that is deeper."""
    parts = _frame(left, "Reorganisations, by depth (blocks)")
    counts = dict(reorgs)
    last = min(MOST_BARS, max(counts, default=0))
    if not last:
        return parts
    bars = [counts.get(depth, 0) for depth in range(1, last)]
    bars.append(sum(times for depth, times in counts.items() if depth >= last))
    slot, most = WIDTH / last, max(bars)
    for index, times in enumerate(bars):
        tall = HEIGHT * 0.9 * times / most
        x, y = left + slot * (index + 0.1), MARGIN + HEIGHT - tall
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" width="{slot * 0.8:.1f}" height="{tall:.1f}"/>'
        )
        middle = left + slot * (index + 0.5)
        more = "+" if index + 1 == last and max(counts) > last else ""
        parts.append(_label(middle, f"{index + 1}{more}"))
        parts.append(f'<text x="{middle:.1f}" y="{y - 4:.1f}" text-anchor="middle">{times}</text>')
    return parts


def _frame(left: int, title: str) -> list[str]:
    bottom = MARGIN + HEIGHT
    return [
        f'<text class="title" x="{left}" y="{MARGIN - 16}">{escape(title)}</text>',
        f'<path class="axis" fill="none" d="M{left},{MARGIN}V{bottom}H{left + WIDTH}"/>',
    ]


def _label(x: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{MARGIN + HEIGHT + 16}" text-anchor="middle">{text}</text>'
