"""Whether the soak tells a leak from what the memory of a sound node does of itself, seeds of which were measured."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.soak.memory import (
    HOUR_S,
    MAX_MB_PER_HOUR,
    MB,
    Sample,
    each_window,
    figures,
    in_use_mb_per_hour,
    slope_mb_per_hour,
)

RUN_S, EVERY_S, WEIGHED_EVERY_S = 1_800.0, 2.0, 10.0
"""A soak of half an hour; its last half is measured."""
LEAK_MB_PER_HOUR = 1.5
IN_USE_MB, RESIDENT_MB, PAGES_MB = 53.0, 124.0, 20.0
DIP_MB, DIP_S = 3.8, 40.0
"""Measured: a reader's pages, dropped and given back, until it is asked for much again."""
CALL_MB = 2.0
"""A call under way, of the larger ones."""
SEEDS = range(20)


def life(
    leak_mb_per_hour: float,
    in_use_noise_mb: Callable[[float], float] = lambda _: 0.0,
    dip_at_s: float | None = None,
) -> list[Sample]:
    """A node's samples over a whole run; a leak goes where something was freed: it is not resident."""
    samples: list[Sample] = []
    in_use_mb = 0.0
    for number in range(int(RUN_S / EVERY_S)):
        at_s = number * EVERY_S
        if at_s % WEIGHED_EVERY_S == 0:
            in_use_mb = IN_USE_MB + leak_mb_per_hour * at_s / HOUR_S + in_use_noise_mb(at_s)
        dips = dip_at_s is not None and dip_at_s <= at_s < dip_at_s + DIP_S
        resident_mb = RESIDENT_MB - (DIP_MB if dips else 0)
        sizes = (round(resident_mb * MB), 29, 21, round(in_use_mb * MB), round(PAGES_MB * MB))
        samples.append(Sample(at_s, 0, 1, *sizes))
    return samples


def calls(seed: int) -> Callable[[float], float]:
    """At every third weight a call is under way."""
    chance = random.Random(seed)
    return lambda _: chance.uniform(0, CALL_MB) if chance.random() < 1 / 3 else 0.0


def verdict(samples: list[Sample], what: str) -> bool | None:
    found = {one.what: one for one in figures("it", samples, RUN_S / 2, is_long=True)}
    return found[f"it, {what}"].is_met


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_of_one_and_a_half_megabytes_an_hour_is_found(seed: int) -> None:
    leaking = life(LEAK_MB_PER_HOUR, calls(seed), dip_at_s=RUN_S / 2)
    assert verdict(leaking, "in use, slope of the last half") is False


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_whose_calls_come_and_go_does_not_leak(seed: int) -> None:
    sound = life(0.0, calls(seed), dip_at_s=RUN_S / 2)
    assert verdict(sound, "in use, slope of the last half") is True


@pytest.mark.parametrize("leak_mb_per_hour", [-3.0, 0.0, 0.5, 1.5, 40.0])
def test_the_slope_is_the_leak(leak_mb_per_hour: float) -> None:
    late = [each for each in life(leak_mb_per_hour) if each.at_s >= RUN_S / 2]
    assert in_use_mb_per_hour(late) == pytest.approx(leak_mb_per_hour, abs=0.02)


def test_a_leak_that_is_there_only_at_times_of_rest_is_found() -> None:
    """The least of a minute is taken: what grows there grows, whatever else goes down meanwhile."""
    fading = life(LEAK_MB_PER_HOUR, lambda at_s: 0.0 if at_s % 60 == 0 else 5 - at_s / 600)
    assert verdict(fading, "in use, slope of the last half") is False


def test_a_dip_of_what_is_resident_feigns_a_slope_and_the_most_of_each_minute_has_none() -> None:
    late = [each for each in life(0.0, dip_at_s=RUN_S / 2 + 10) if each.at_s >= RUN_S / 2]
    resident = [(each.at_s, each.memory_bytes) for each in late]
    assert slope_mb_per_hour(resident) > MAX_MB_PER_HOUR
    assert slope_mb_per_hour(each_window(resident, max)) == 0


def test_what_grows_in_residence_grows_in_the_most_of_each_minute() -> None:
    growing = [(at_s, round(at_s * LEAK_MB_PER_HOUR * MB / HOUR_S)) for at_s in range(900)]
    assert slope_mb_per_hour(each_window(growing, max)) == pytest.approx(LEAK_MB_PER_HOUR)


def test_more_pages_than_may_be_kept_are_missed() -> None:
    """They are left out of what is in use: so nothing may hide among them."""
    few = life(0.0)
    many = [*few, few[-1]._replace(page_bytes=round(1.5 * PAGES_MB * MB))]
    assert verdict(few, "pages of the database, most") is True
    assert verdict(many, "pages of the database, most") is False


def test_of_one_sample_there_is_no_slope() -> None:
    assert in_use_mb_per_hour(life(0.0)[:1]) == 0
