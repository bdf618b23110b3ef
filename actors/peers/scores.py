"""What was done wrong, in points that fade: the score (WIRE: limits), and beside it a slower memory.

The score alone has a price list for patience: 20 points every 30 s never add up to 100. Hence what no honest
node does is remembered for hours as well. What an overloaded one may do counts in the score alone, so that
its faults, which go on for as long as its load, do not add up to a ban.

Pure: times are arguments. Lives here: the points and how long they are kept. Must not live here: what is
worth how many of them (whoever sees it), or what follows from them (`warden`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

HALF_LIFE_S = 60.0
BAN_AT = 100
CERTAIN_FROM = 20
"""So many points at once are for what no honest node does (WIRE: limits, score)."""
LASTING_HALF_LIFE_S = 3_600.0
LASTING_BAN_AT = 400
"""Twenty certain misdeeds in about an hour: a fault of ours in judging one would have to be made that often."""
FORGOTTEN_BELOW = 1.0
"""Seven half-lives of the most that there can be; the least misdeed is worth 5."""
MAX_CULPRITS = 4_096
"""Twice the peers that a node of ``max_peers`` 1,000 may have: who left is not forgiven at once."""
TOLD_EVERY_S = 60.0
"""One line for a flood of the same."""
MAX_TOLD = 16
"""Reasons remembered for one culprit: more than our rooms know."""


@dataclass(slots=True)
class _Record:
    points: float
    at_s: float
    lasting: float = 0.0
    """The certain ones among them, which fade slowly."""
    told_s: dict[str, float] = field(default_factory=dict)


class Scores:
    """At most `MAX_CULPRITS` records; the lightest are forgotten first."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}

    def __len__(self) -> int:
        return len(self._records)

    def of(self, culprit: str, now_s: float) -> float:
        """Its points now; 0 when they have faded."""
        record = self._records.get(culprit)
        points = 0.0 if record is None else _points(record, now_s)
        return points if points >= FORGOTTEN_BELOW else 0.0

    def add(self, culprit: str, points: int, now_s: float) -> float:
        """Count a misdeed; the points now."""
        record = self._records.get(culprit)
        if record is None:
            if len(self._records) >= MAX_CULPRITS:
                self._forget_lightest(now_s)
            record = self._records[culprit] = _Record(0.0, now_s)
        certain = points if points >= CERTAIN_FROM else 0
        record.lasting = _lasting(record, now_s) + certain
        record.points = _points(record, now_s) + points
        record.at_s = now_s
        return record.points

    def is_enough(self, culprit: str, now_s: float) -> bool:
        """Whether what it did of late, or again and again, is worth a ban."""
        record = self._records.get(culprit)
        return record is not None and _weight(record, now_s) >= 1.0

    def is_news(self, culprit: str, reason: str, now_s: float) -> bool:
        """Whether nobody was told of this lately, who is told now. It has a record."""
        told_s = self._records[culprit].told_s
        if now_s - told_s.get(reason, now_s - TOLD_EVERY_S) < TOLD_EVERY_S:
            return False
        if len(told_s) >= MAX_TOLD and reason not in told_s:
            del told_s[next(iter(told_s))]
        told_s[reason] = now_s
        return True

    def pardon(self, culprit: str) -> None:
        """Forget what it did: it has been dealt with."""
        self._records.pop(culprit, None)

    def _forget_lightest(self, now_s: float) -> None:
        """Half of them at once, so that a flood of culprits costs one look at all for many of it."""
        heaviest = sorted(
            self._records, key=lambda culprit: _weight(self._records[culprit], now_s), reverse=True
        )
        for culprit in heaviest[MAX_CULPRITS // 2 :]:
            del self._records[culprit]


def _points(record: _Record, now_s: float) -> float:
    return record.points * math.pow(0.5, (now_s - record.at_s) / HALF_LIFE_S)


def _lasting(record: _Record, now_s: float) -> float:
    return record.lasting * math.pow(0.5, (now_s - record.at_s) / LASTING_HALF_LIFE_S)


def _weight(record: _Record, now_s: float) -> float:
    """In bans; to the nearest point, since five times 20 within a moment are 99.99."""
    points, lasting = round(_points(record, now_s)), round(_lasting(record, now_s))
    return max(points / BAN_AT, lasting / LASTING_BAN_AT)
