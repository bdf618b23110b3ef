"""What is old news, and for how long."""

from hypothesis import given
from hypothesis import strategies as st

from actors.gossip.seen import RUN_SHARE, RUNS, SEEN_CAPACITY, SEEN_LIFETIME_S, SeenKeys


def test_a_key_is_new_once() -> None:
    seen = SeenKeys()
    assert seen.add(b"a", 0.0)
    assert not seen.add(b"a", 1.0)
    assert b"a" in seen
    assert b"b" not in seen


def test_a_key_is_forgotten_after_its_time_however_often_it_came() -> None:
    seen = SeenKeys()
    seen.add(b"a", 0.0)
    seen.add(b"a", 200.0)
    seen.expire(SEEN_LIFETIME_S - 0.1)
    assert b"a" in seen
    seen.expire(SEEN_LIFETIME_S)
    assert b"a" not in seen


def test_expiry_stops_at_the_first_young_key() -> None:
    seen = SeenKeys(lifetime_s=10.0)
    for at_s in range(10):
        seen.add(b"%d" % at_s, float(at_s))
    seen.expire(15.0)
    assert len(seen) == 4


def test_the_oldest_goes_for_want_of_room() -> None:
    seen = SeenKeys(capacity=2)
    for key in (b"a", b"b", b"c"):
        seen.add(key, 0.0)
    assert [key in seen for key in (b"a", b"b", b"c")] == [False, True, True]


def test_the_bounds_are_those_of_the_protocol() -> None:
    assert (SEEN_CAPACITY, SEEN_LIFETIME_S) == (65_536, 300.0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=60))
def test_it_agrees_with_a_plain_model(steps: list[tuple[int, int]]) -> None:
    capacity, lifetime_s = 4, 12.0
    seen = SeenKeys(capacity, lifetime_s)
    model: list[tuple[int, float]] = []
    now_s = 0.0
    for key, pause_s in steps:
        now_s += pause_s
        model = [(k, at_s) for k, at_s in model if at_s > now_s - lifetime_s]
        seen.expire(now_s)
        is_new = all(k != key for k, _ in model)
        assert seen.add(b"%d" % key, now_s) is is_new
        if is_new:
            model = [*model, (key, now_s)][-capacity:]
        assert len(seen) == len(model)


def test_a_full_set_forgets_a_small_part_of_its_oldest_keys_at_once() -> None:
    capacity = 2 * RUNS
    seen = SeenKeys(capacity)
    keys = [b"%d" % number for number in range(capacity + 1)]
    assert seen.add_all(keys, 0.0) == [True] * len(keys)
    assert [key for key in keys if key not in seen] == keys[:2]
    assert len(seen) == capacity - 1


def test_keys_that_came_together_are_forgotten_with_the_first_of_them() -> None:
    seen, soon_s = SeenKeys(), SEEN_LIFETIME_S / RUN_SHARE
    seen.add(b"a", 0.0)
    seen.add(b"b", 0.9 * soon_s)
    seen.add(b"c", soon_s)
    seen.expire(SEEN_LIFETIME_S)
    assert [key in seen for key in (b"a", b"b", b"c")] == [False, False, True]


def test_what_is_taken_back_is_news_again() -> None:
    seen = SeenKeys()
    seen.add(b"a", 0.0)
    seen.take_back(b"a")
    assert (b"a" in seen, len(seen)) == (False, 0)
    assert seen.add(b"a", 1.0)


def test_what_is_noted_and_taken_back_without_end_takes_no_more_room_than_a_full_set() -> None:
    capacity = 4 * RUNS
    seen = SeenKeys(capacity)
    for _ in range(10 * capacity):
        assert seen.add(b"a", 0.0)
        seen.take_back(b"a")
        assert sum(len(run.keys) for run in seen._runs) <= capacity


def test_a_stale_place_costs_a_key_its_time_at_most() -> None:
    seen = SeenKeys(lifetime_s=10.0)
    seen.add(b"a", 0.0)
    seen.take_back(b"a")
    seen.add(b"a", 5.0)
    seen.expire(10.0)
    assert b"a" not in seen
    assert seen.add(b"a", 10.0)
    seen.expire(15.0)
    assert b"a" not in seen
    assert len(seen) == 0
