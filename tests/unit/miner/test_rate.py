import pytest

from actors.miner.rate import BUCKETS_PER_S, WINDOW_S, HashRate


def test_the_rate_is_what_was_tried_over_the_time_since_the_start() -> None:
    rate = HashRate()
    rate.restart(100.0)
    for tenth in range(1, 51):
        rate.add(1_000, 100.0 + tenth / 10)
    assert rate.per_second(105.0) == pytest.approx(10_000)


def test_only_the_window_counts() -> None:
    rate = HashRate()
    rate.restart(0.0)
    for second in range(100):
        rate.add(10 if second < 50 else 70, float(second))
    assert rate.per_second(99.0) == pytest.approx(70)


def test_the_rate_fades_when_nothing_is_tried() -> None:
    rate = HashRate()
    rate.restart(0.0)
    rate.add(900, 1.0)
    assert rate.per_second(WINDOW_S / 2) == pytest.approx(900 / (WINDOW_S / 2))
    assert rate.per_second(2.0 * WINDOW_S) == 0


def test_a_restart_forgets_what_was_counted() -> None:
    rate = HashRate()
    rate.add(900, 5.0)
    rate.restart(10.0)
    assert rate.per_second(10.0) == 0
    assert rate.per_second(11.0) == 0


def test_another_number_of_threads_shows_within_the_window() -> None:
    rate = HashRate()
    rate.restart(0.0)
    for quarter in range(1, 240):
        rate.add(10 if quarter < 100 else 30, quarter / 4)
    assert rate.per_second(100 / 4 + WINDOW_S) == pytest.approx(4 * 30)


def test_any_number_of_reports_is_kept_in_few_numbers() -> None:
    rate = HashRate()
    rate.restart(0.0)
    for report in range(50_000):
        rate.add(2, report / 2_500)
    assert rate.per_second(20.0) == pytest.approx(5_000, rel=0.03)
    assert len(rate._buckets) <= WINDOW_S * BUCKETS_PER_S
