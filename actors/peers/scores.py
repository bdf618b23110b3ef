"""What was done wrong of late, in points that fade (WIRE: limits, score).

Pure: times are arguments. Lives here: the points and how long they are kept. Must not live here: what is
worth how many of them (whoever sees it), or what follows from them (`warden`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

HALF_LIFE_S = 60.0
BAN_AT = 100
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
        record.points = _points(record, now_s) + points
        record.at_s = now_s
        return record.points

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
            self._records, key=lambda culprit: _points(self._records[culprit], now_s), reverse=True
        )
        for culprit in heaviest[MAX_CULPRITS // 2 :]:
            del self._records[culprit]


def _points(record: _Record, now_s: float) -> float:
    return record.points * math.pow(0.5, (now_s - record.at_s) / HALF_LIFE_S)
