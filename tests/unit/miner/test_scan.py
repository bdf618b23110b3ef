import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.ledger.work import has_work
from actors.miner.engine import NONCES
from actors.miner.scan import Template, hash_bound, nonces_per_check, scan


def never() -> bool:
    return False


def solves(template: Template, nonce: int) -> bool:
    text = b"%b%d%b" % (template.prefix, nonce, template.suffix)
    return has_work(hashlib.sha256(text).digest(), template.difficulty)


@given(st.integers(0, 16), st.binary(min_size=32, max_size=32), st.integers(0, 32))
def test_a_digest_is_below_the_bound_exactly_when_it_has_the_work(
    difficulty: int, digest: bytes, zeros: int
) -> None:
    for candidate in (digest, bytes(zeros) + digest[zeros:]):
        assert (candidate < hash_bound(difficulty)) == has_work(candidate, difficulty)


@pytest.mark.parametrize("digest", [b"\xff" * 32, bytes(32)])
def test_at_difficulty_0_any_digest_is_below_the_bound(digest: bytes) -> None:
    assert digest < hash_bound(0)


@given(
    prefix=st.binary(max_size=80),
    suffix=st.binary(max_size=130),
    difficulty=st.integers(0, 2),
    start=st.sampled_from([0, 7, 95, 9_990, 10**18 - 3, NONCES - 400]),
    count=st.sampled_from([0, 1, 13, 400]),
)
def test_the_first_nonce_that_solves_is_found_with_the_true_count(
    prefix: bytes, suffix: bytes, difficulty: int, start: int, count: int
) -> None:
    template = Template(prefix, suffix, difficulty)
    expected = next((n for n in range(start, start + count) if solves(template, n)), None)
    tried = count if expected is None else expected - start + 1
    assert scan(template, start, count, never) == (expected, tried)


def test_a_cancelled_scan_stops_at_the_next_look_and_counts_what_it_tried() -> None:
    template = Template(b"1:", b":" + b"s" * 130, 16)
    looks = iter([False, False, True])
    tried = 2 * nonces_per_check(template)
    assert scan(template, 5, 10**9, lambda: next(looks)) == (None, tried)


def test_a_scan_that_is_cancelled_before_it_begins_tries_nothing() -> None:
    assert scan(Template(b"", b"", 0), 0, 10, lambda: True) == (None, 0)


def test_long_blocks_are_cancelled_as_quickly_as_short_ones() -> None:
    short = Template(b"1:", b"s" * 130, 7)
    long = Template(b"1:", b"s" * 300_000, 7)
    assert nonces_per_check(short) > nonces_per_check(long) >= 1
    assert nonces_per_check(Template(b"", b"s" * 10_000_000, 7)) == 1
