"""Numbers and names as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

SHORT_DIGITS: Final = 12
"""48 bits: no two blocks that a person compares will look the same."""
ABSENT: Final = "-"

_RATES: Final = ("H/s", "kH/s", "MH/s", "GH/s", "TH/s")
_THOUSAND: Final = 1000
_PERCENT: Final = 100


def short(digits: str) -> str:
    """The beginning of a hash or an address."""
    return digits[:SHORT_DIGITS] if digits else ABSENT


def count(number: int | None) -> str:
    """12,345."""
    return ABSENT if number is None else f"{number:,}"


def plural(number: int, noun: str) -> str:
    """1 block, 2 blocks."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def hash_rate(hashes_per_s: float | None) -> str:
    """1.25 MH/s."""
    if hashes_per_s is None:
        return ABSENT
    value = hashes_per_s
    for unit in _RATES:
        if value < _THOUSAND or unit == _RATES[-1]:
            return f"{value:.0f} {unit}" if unit == _RATES[0] else f"{value:.2f} {unit}"
        value /= _THOUSAND
    raise AssertionError


def duration(seconds: float) -> str:
    """The two largest units: 2 d 3 h, 4 min 5 s."""
    whole = int(seconds)
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    parts: list[str] = []
    for size, name in units:
        number, whole = divmod(whole, size)
        if number or parts:
            parts.append(f"{number} {name}")
    return " ".join(parts[:2]) or "0 s"


def progress(data: Mapping[str, Any]) -> str:
    """How far a ``JobProgress`` of blocks is: 12,345 of 100,000 blocks, 12 %, 2,300/s, 38 s left."""
    done, total, left_s = data["done_count"], data["total_count"], data["remaining_s"]
    words = [f"{count(done)} of {plural(total, 'block')}"]
    if total:
        words.append(f"{_PERCENT * done // total} %")
    if data["per_s"]:
        words.append(f"{data['per_s']:,.0f}/s")
    if left_s is not None:
        words.append(f"{duration(math.ceil(left_s))} left")
    return ", ".join(words)


def local_time(moment: str | None) -> str:
    """A time of the data in the time zone of whoever reads it."""
    if moment is None:
        return ABSENT
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock_time(moment: str | None) -> str:
    """The time of day alone, to the millisecond."""
    if moment is None:
        return ABSENT
    return datetime.fromisoformat(moment).astimezone().strftime("%H:%M:%S.%f")[:-3]


def yes_no(value: bool | None) -> str:
    """A switch, or a dash where it is not known."""
    return ABSENT if value is None else "yes" if value else "no"
