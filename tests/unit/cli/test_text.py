from __future__ import annotations

from typing import Any

import pytest

from admin.cli.text import (
    count,
    duration,
    hash_rate,
    local_time,
    plural,
    progress,
    short,
    yes_no,
)


def test_a_hash_rate_has_the_unit_that_fits_it() -> None:
    assert [hash_rate(rate) for rate in (None, 0, 999, 1_250, 2.5e6, 3e15)] == [
        "-", "0 H/s", "999 H/s", "1.25 kH/s", "2.50 MH/s", "3000.00 TH/s",
    ]  # fmt: skip


def test_a_duration_shows_its_two_largest_units() -> None:
    assert [duration(seconds) for seconds in (0.4, 59, 65, 3600, 93_784)] == [
        "0 s", "59 s", "1 min 5 s", "1 h 0 min", "1 d 2 h",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((12_345, 100_000, 2_300.4, 38.1), "12,345 of 100,000 blocks, 12 %, 2,300/s, 39 s left"),
        ((0, 1, 0.0, None), "0 of 1 block, 0 %"),
        ((99_999, 100_000, 0.0, None), "99,999 of 100,000 blocks, 99 %"),
        ((5, 5, 10.0, 0.0), "5 of 5 blocks, 100 %, 10/s, 0 s left"),
        ((0, 0, 0.0, None), "0 of 0 blocks"),
    ],
)
def test_a_progress_says_what_is_known(numbers: tuple[Any, ...], words: str) -> None:
    names = ("done_count", "total_count", "per_s", "remaining_s")
    assert progress(dict(zip(names, numbers, strict=True))) == words


def test_what_is_not_known_is_a_dash() -> None:
    assert [count(None), short(""), yes_no(None), local_time(None)] == ["-"] * 4


def test_one_of_a_kind_is_singular() -> None:
    assert [plural(1, "block"), plural(0, "block"), plural(1_000, "block")] == [
        "1 block", "0 blocks", "1,000 blocks",
    ]  # fmt: skip
