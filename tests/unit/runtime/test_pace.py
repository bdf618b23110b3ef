"""How fast a peer may ask."""

import pytest

from actors.runtime.pace import Bucket


def test_a_burst_is_there_at_once_and_then_the_rate() -> None:
    bucket = Bucket(rate=5, burst=50, now_s=0.0)
    assert sum(bucket.take(0.0) for _ in range(99)) == 50
    assert sum(bucket.take(1.0) for _ in range(99)) == 5


def test_no_more_than_a_burst_is_saved_up() -> None:
    bucket = Bucket(rate=5, burst=3, now_s=0.0)
    assert sum(bucket.take(1_000.0) for _ in range(99)) == 3


def test_a_debt_tells_how_long_it_lasts() -> None:
    bucket = Bucket(rate=10, burst=20, now_s=0.0)
    assert bucket.owe(20, 0.0) == 0.0
    assert bucket.owe(5, 0.0) == pytest.approx(0.5)
    assert bucket.owe(5, 0.0) == pytest.approx(1.0)
    assert bucket.owe(1, 2.0) == 0.0
