import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.miner.engine import NONCES
from actors.miner.ranges import NonceRange


def test_pieces_are_taken_in_order_and_the_last_one_is_what_is_left() -> None:
    nonces = NonceRange(10, 25)
    assert [nonces.take(10), nonces.take(10), nonces.take(10)] == [(10, 10), (20, 5), None]


def test_the_largest_nonce_of_all_is_handed_out() -> None:
    nonces = NonceRange(NONCES - 3, NONCES)
    assert nonces.take(2**32) == (NONCES - 3, 3)


def test_a_range_is_exhausted_when_all_is_taken_and_settled() -> None:
    nonces = NonceRange(0, 8)
    for _ in range(2):
        assert nonces.take(4) is not None
    nonces.settle(0, 4, 4)
    assert not nonces.exhausted
    nonces.settle(4, 4, 4)
    assert nonces.exhausted


def test_what_is_given_back_goes_to_the_next_who_asks() -> None:
    nonces = NonceRange(0, 100)
    nonces.take(10)
    nonces.settle(0, 10, 3)
    assert nonces.take(20) == (3, 7)
    assert nonces.take(20) == (10, 20)


def test_an_empty_range_is_exhausted_from_the_start() -> None:
    nonces = NonceRange(5, 5)
    assert nonces.exhausted
    assert nonces.take(1) is None


@pytest.mark.parametrize("tried", [-1, 5])
def test_nobody_settles_what_was_not_taken(tried: int) -> None:
    nonces = NonceRange(0, 10)
    nonces.take(4)
    with pytest.raises(AssertionError):
        nonces.settle(0, 4, tried)


@given(st.integers(0, 300), st.randoms(use_true_random=False))
def test_whoever_takes_and_gives_back_every_nonce_is_tried_once(
    size: int, dice: random.Random
) -> None:
    nonces = NonceRange(7, 7 + size)
    tried: list[int] = []
    out: list[tuple[int, int]] = []
    while not nonces.exhausted:
        taken = nonces.take(dice.randint(1, 40)) if dice.randint(0, 1) or not out else None
        if taken is not None:
            out.append(taken)
        elif out:
            first, count = out.pop(dice.randint(0, len(out) - 1))
            done = dice.randint(0, count)
            tried.extend(range(first, first + done))
            nonces.settle(first, count, done)
    assert sorted(tried) == list(range(7, 7 + size))
    assert out == []
