"""What waits is taken by turns, some at a time."""

from __future__ import annotations

from collections import defaultdict, deque

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.rota import Rota


def test_who_has_little_waits_for_one_turn_of_each_other() -> None:
    rota = Rota[str, int]()
    rota.add("flood", range(1_000))
    rota.add("honest", [-1])
    rota.add("flood", range(1_000))
    assert [rota.take(10) for _ in range(3)] == [
        list(range(10)),
        [-1],
        list(range(10, 20)),
    ]


def test_nothing_waits_where_nothing_was_put() -> None:
    rota = Rota[str, int]()
    rota.add("bob", ())
    assert (rota.take(1), len(rota)) == ([], 0)


def test_what_waits_for_one_can_be_forgotten() -> None:
    rota = Rota[str, int]()
    rota.add("bob", [1, 2])
    rota.add("carol", [3])
    assert rota.forget("bob") == [1, 2]
    assert rota.forget("bob") == []
    assert (rota.take(5), rota.take(5), len(rota)) == ([3], [], 0)


def test_what_is_kept_of_one_keeps_its_turn() -> None:
    rota = Rota[str, int]()
    rota.add("bob", [1, 2, 3, 4])
    rota.add("carol", [5])
    assert rota.forget("bob", but=lambda item: item % 2 == 0) == [1, 3]
    assert (len(rota), rota.waiting("bob")) == (3, 2)
    assert (rota.take(5), rota.take(5)) == ([2, 4], [5])


steps = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 3), st.integers(0, 5)),
    st.tuples(st.just("take"), st.just(0), st.integers(1, 4)),
    st.tuples(st.just("forget"), st.integers(0, 3), st.just(0)),
)


@given(st.lists(steps, max_size=40))
def test_each_keeps_its_order_and_nothing_is_lost(script: list[tuple[str, int, int]]) -> None:
    rota, model, number = Rota[int, tuple[int, int]](), defaultdict[int, deque[int]](deque), 0
    for step, key, count in script:
        match step:
            case "add":
                numbers = range(number, number + count)
                number += count
                rota.add(key, [(key, each) for each in numbers])
                model[key].extend(numbers)
            case "take":
                taken = rota.take(count)
                assert len(taken) <= count
                assert len({key for key, _ in taken}) == (1 if any(model.values()) else 0)
                for whose, each in taken:
                    assert model[whose].popleft() == each
            case _:
                assert rota.forget(key) == [(key, each) for each in model.pop(key, ())]
        assert len(rota) == sum(map(len, model.values()))
        assert rota.waiting(key) == len(model[key])
