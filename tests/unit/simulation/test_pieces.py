"""The small parts of a simulated run: trace, schedule, spread, team, engine room."""

from __future__ import annotations

import io
import random

import pytest

from actors.ledger.codec import make_transaction
from actors.ledger.types import Transaction
from actors.runtime.clock import FakeClock
from actors.simulation.scenario import Scenario, Trouble, Troubles, Window
from actors.simulation.schedule import LAST_SHARE, draw_windows
from actors.simulation.spread import Spread, quantile
from actors.simulation.team import SharedTeam
from actors.simulation.trace import CHUNK_LINES, Trace
from actors.simulation.world import World


@pytest.mark.parametrize("count", [0, 1, CHUNK_LINES, CHUNK_LINES + 1])
def test_a_trace_writes_and_hashes_every_line_once(count: int) -> None:
    sink = io.StringIO()
    trace, same = Trace(sink), Trace()
    for index in range(count):
        trace.note(f"event {index}")
        same.note(f"event {index}")
        if index % 100 == 0:
            same.digest()  # a look in between changes nothing
    assert trace.digest() == same.digest() == trace.digest()
    assert sink.getvalue().splitlines() == [f"event {index}" for index in range(count)]
    assert trace.events == count


def test_a_digest_depends_on_order() -> None:
    one, other = Trace(), Trace()
    for line in ("a", "b"):
        one.note(line)
    for line in ("b", "a"):
        other.note(line)
    assert one.digest() != other.digest()


@pytest.mark.parametrize("trouble", Trouble)
@pytest.mark.parametrize("seed", range(20))
def test_troubles_are_over_in_time_and_befall_whom_they_may(trouble: Trouble, seed: int) -> None:
    scenario = Scenario(minutes=2.0, troubles={trouble: Troubles(drawn=3)})
    windows = draw_windows(scenario, trouble, [0, 2, 4], random.Random(seed))
    assert len(windows) == 3
    for window in windows:
        assert 0 < window.start_s < window.end_s <= 120.0 * LAST_SHARE + 1e-9
        if trouble is Trouble.PARTITION:
            assert 1 <= len(window.nodes) <= 2
        else:
            assert set(window.nodes) <= {0, 2, 4}
            assert len(window.nodes) == 1
    assert list(windows) == sorted(windows, key=lambda window: window.start_s)


@pytest.mark.parametrize("trouble", Trouble)
def test_troubles_of_a_very_short_run_are_over_in_time_too(trouble: Trouble) -> None:
    scenario = Scenario(minutes=0.1, troubles={trouble: Troubles(drawn=20)})
    for window in draw_windows(scenario, trouble, [0, 2, 4], random.Random(1)):
        assert 0 < window.start_s < window.end_s <= 6.0 * LAST_SHARE


def test_a_trouble_with_its_time_and_nodes_is_left_as_it_is() -> None:
    window = Window(10.0, 20.0, (1, 3))
    scenario = Scenario(troubles={Trouble.CRASH: Troubles(windows=(window,))})
    assert draw_windows(scenario, Trouble.CRASH, [0], random.Random(1)) == (window,)
    assert draw_windows(scenario, Trouble.FALL, [0], random.Random(1)) == ()


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([3.0], 0.5, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([4.0, 3.0, 2.0, 1.0], 0.75, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 1.0, 4.0),
        (list(map(float, range(1, 101))), 0.9, 90.0),
        (list(map(float, range(1, 101))), 0.99, 99.0),
    ],
)
def test_a_quantile_is_the_least_value_that_so_many_do_not_exceed(
    values: list[float], share: float, expected: float | None
) -> None:
    assert quantile(values, share) == expected


def test_a_block_spreads_from_whoever_has_it_first_and_counts_each_node_once() -> None:
    clock = FakeClock()
    spread = Spread(clock)
    spread.has(b"block", 3)
    clock.advance(0.5)
    spread.has(b"block", 1)
    clock.advance(0.5)
    spread.has(b"block", 1)
    course = spread.courses[b"block"]
    assert (course.since_s, course.delays_s, course.nodes) == (1_000.0, [0.0, 0.5], {1, 3})


def transaction(nonce: int) -> Transaction:
    return make_transaction(b"\x01" * 32, b"\x02" * 32, nonce, 0, b"\x03" * 64)


def test_the_team_does_the_same_work_on_a_transaction_once() -> None:
    team, seen = SharedTeam(), list[int]()

    def work(item: Transaction) -> int:
        seen.append(item.nonce)
        return item.nonce

    one, other = transaction(1), transaction(2)
    assert team.map(work, [one, other, one]) == [1, 2, 1]
    done: list[list[int] | Exception] = []
    team.begin(work, [other], done.append)
    assert done == [[2]]
    assert seen == [1, 2]


def test_the_team_tells_other_work_apart_and_passes_on_what_it_raises() -> None:
    team = SharedTeam()
    assert team.map(lambda item: item.nonce, [transaction(1)]) == [1]
    assert team.map(str, [7]) == ["7"]

    def fails(_item: Transaction) -> int:
        raise ValueError

    done: list[object] = []
    team.begin(fails, [transaction(1)], done.append)
    assert isinstance(done[0], ValueError)


def test_few_nodes_are_told_of_all_and_many_of_some() -> None:
    few, many = World(1, nodes=4), World(1, nodes=30)
    assert {node.bootstrap for node in few.nodes} == {None}
    for node in many.nodes:
        assert node.bootstrap is not None
        assert len(set(node.bootstrap) - {node.name}) == 8


def test_every_node_has_an_address_of_its_own() -> None:
    nodes = World(1, nodes=300).nodes
    assert len({node.name for node in nodes}) == len({node.key.public for node in nodes}) == 300
