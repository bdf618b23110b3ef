from __future__ import annotations

from admin.cli.text import count, duration, hash_rate, local_time, plural, short, yes_no


def test_a_hash_rate_has_the_unit_that_fits_it() -> None:
    assert [hash_rate(rate) for rate in (None, 0, 999, 1_250, 2.5e6, 3e15)] == [
        "-", "0 H/s", "999 H/s", "1.25 kH/s", "2.50 MH/s", "3000.00 TH/s",
    ]  # fmt: skip


def test_a_duration_shows_its_two_largest_units() -> None:
    assert [duration(seconds) for seconds in (0.4, 59, 65, 3600, 93_784)] == [
        "0 s", "59 s", "1 min 5 s", "1 h 0 min", "1 d 2 h",
    ]  # fmt: skip


def test_what_is_not_known_is_a_dash() -> None:
    assert [count(None), short(""), yes_no(None), local_time(None)] == ["-"] * 4


def test_one_of_a_kind_is_singular() -> None:
    assert [plural(1, "block"), plural(0, "block"), plural(1_000, "block")] == [
        "1 block", "0 blocks", "1,000 blocks",
    ]  # fmt: skip
