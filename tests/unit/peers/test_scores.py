"""Points fade, are kept within bounds, and are told once in a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.peers.scores import (
    BAN_AT,
    CERTAIN_FROM,
    HALF_LIFE_S,
    LASTING_BAN_AT,
    MAX_CULPRITS,
    MAX_TOLD,
    TOLD_EVERY_S,
    Scores,
)


def test_whoever_did_nothing_has_no_points() -> None:
    assert Scores().of("10.0.0.2", 0.0) == 0.0


def test_points_add_up_and_halve_in_a_minute() -> None:
    scores = Scores()
    assert scores.add("a", 40, 0.0) == 40.0
    assert scores.add("a", 20, 0.0) == 60.0
    assert scores.of("a", HALF_LIFE_S) == pytest.approx(30.0)
    assert scores.add("a", 5, 2 * HALF_LIFE_S) == pytest.approx(20.0)
    assert scores.of("b", 0.0) == 0.0


def test_faded_points_are_none() -> None:
    scores = Scores()
    scores.add("a", 64, 0.0)
    assert scores.of("a", 6 * HALF_LIFE_S) == pytest.approx(1.0)
    assert scores.of("a", 6 * HALF_LIFE_S + 1.0) == 0.0


def test_what_was_dealt_with_is_forgotten() -> None:
    scores = Scores()
    scores.add("a", 100, 0.0)
    scores.pardon("a")
    scores.pardon("nobody")
    assert scores.of("a", 0.0) == 0.0


def test_a_flood_of_culprits_displaces_the_lightest() -> None:
    scores = Scores()
    scores.add("heavy", 90, 0.0)
    for number in range(3 * MAX_CULPRITS):
        scores.add(str(number), 5, 60.0)
        assert len(scores) <= MAX_CULPRITS
    assert scores.of("heavy", 60.0) == pytest.approx(45.0)


def test_the_same_is_told_once_in_a_while() -> None:
    scores = Scores()
    for culprit in ("a", "b"):
        scores.add(culprit, 5, 0.0)
    told = [scores.is_news("a", "x", now_s) for now_s in (0.0, 1.0, TOLD_EVERY_S - 0.1)]
    assert told == [True, False, False]
    assert scores.is_news("a", "y", 1.0)
    assert scores.is_news("b", "x", 1.0)
    assert scores.is_news("a", "x", TOLD_EVERY_S)


def test_the_reasons_remembered_have_a_limit() -> None:
    scores = Scores()
    scores.add("a", 5, 0.0)
    assert all(scores.is_news("a", str(number), 0.0) for number in range(MAX_TOLD + 1))
    assert not scores.is_news("a", "1", 0.0)
    assert scores.is_news("a", "0", 0.0)


@given(st.lists(st.tuples(st.integers(1, 100), st.floats(0, 120)), min_size=1, max_size=20))
def test_points_are_the_sum_of_what_is_left_of_each_misdeed(
    misdeeds: list[tuple[int, float]],
) -> None:
    scores, now_s, sum_ = Scores(), 0.0, 0.0
    for points, pause_s in misdeeds:
        now_s += pause_s
        sum_ = sum_ * 0.5 ** (pause_s / HALF_LIFE_S) + points
        assert scores.add("a", points, now_s) == pytest.approx(sum_)


# -- the slower memory ------------------------------------------------------------------------------


def misdeeds_until_enough(points: int, every_s: float, at_most: int) -> int | None:
    scores = Scores()
    for number in range(at_most):
        scores.add("a", points, number * every_s)
        if scores.is_enough("a", number * every_s):
            return number + 1
    return None


def test_a_hundred_at_once_is_enough() -> None:
    assert misdeeds_until_enough(BAN_AT, 1.0, 1) == 1
    assert misdeeds_until_enough(BAN_AT - 1, 1e9, 3) is None


def test_what_no_honest_node_does_adds_up_however_patiently_it_is_done() -> None:
    for every_s in (30.0, 60.0, 120.0):
        count = misdeeds_until_enough(CERTAIN_FROM, every_s, 200)
        assert count is not None
        assert LASTING_BAN_AT // CERTAIN_FROM < count < 2 * LASTING_BAN_AT // CERTAIN_FROM


def test_a_few_of_them_a_day_do_not() -> None:
    assert misdeeds_until_enough(CERTAIN_FROM, 600.0, 1_000) is None


def test_what_an_overloaded_node_does_for_days_is_never_enough() -> None:
    assert misdeeds_until_enough(10, 30.0, 10_000) is None


def test_a_patient_liar_is_not_forgotten_for_a_crowd_of_small_sinners() -> None:
    scores = Scores()
    for number in range(15):
        scores.add("patient", 20, number * 60.0)
    for number in range(3 * MAX_CULPRITS):
        scores.add(str(number), 20, 1_800.0)
    for number in range(15):
        scores.add("patient", 20, 1_800.0 + number * 60.0)
    assert scores.is_enough("patient", 2_640.0)


def test_nobody_is_enough_of_nothing() -> None:
    assert not Scores().is_enough("a", 0.0)
