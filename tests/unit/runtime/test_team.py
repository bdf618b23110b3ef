"""Teams: the same results in the same order, whoever does the work; what the work raises comes through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing

import pytest

from actors.runtime.team import SHARE, Alone, Team, ThreadTeam

PATIENCE_S = 20.0


@pytest.fixture(params=["alone", "one thread", "three threads"])
def team(request: pytest.FixtureRequest) -> Iterator[Team]:
    if request.param == "alone":
        yield Alone()
        return
    with closing(ThreadTeam(1 if request.param == "one thread" else 3)) as threads:
        yield threads


def begun(team: Team, work: Callable[[int], int], items: range) -> list[int] | Exception:
    future: Future[list[int] | Exception] = Future()
    team.begin(work, items, future.set_result)
    return future.result(PATIENCE_S)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9, SHARE - 1, SHARE, SHARE + 1, 20 * SHARE + 3])
def test_the_results_are_those_of_a_plain_loop(team: Team, count: int) -> None:
    wanted = [n * n for n in range(count)]
    assert team.map(lambda n: n * n, range(count)) == wanted
    assert begun(team, lambda n: n * n, range(count)) == wanted


def test_what_the_work_raises_comes_through(team: Team) -> None:
    def work(n: int) -> int:
        return 1 // (n - 50)

    with pytest.raises(ZeroDivisionError):
        team.map(work, range(100))
    assert isinstance(begun(team, work, range(100)), ZeroDivisionError)
    assert team.map(abs, range(3)) == [0, 1, 2]


def test_the_caller_does_the_work_itself_where_all_threads_are_busy() -> None:
    free = threading.Event()
    with closing(ThreadTeam(1)) as team:
        try:
            team.begin(lambda _: free.wait(PATIENCE_S), [0], lambda _: None)
            assert team.map(abs, range(10 * SHARE)) == list(range(10 * SHARE))
        finally:
            free.set()


def test_even_few_items_are_shared() -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE_S)
    with closing(ThreadTeam(1)) as team:
        team.map(lambda n: meeting.wait() if n in (0, 4) else None, range(8))


def test_closing_finishes_what_is_under_way() -> None:
    results: list[object] = []
    begun, go_on = threading.Event(), threading.Event()

    def work(n: int) -> int:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return abs(n)

    team = ThreadTeam(2)
    with closing(team):
        team.begin(work, [-1], results.append)
        assert begun.wait(PATIENCE_S)  # what no thread has taken is not begun any more
        assert team.map(abs, [-2]) == [2]
        go_on.set()
    assert results == [[1]]
