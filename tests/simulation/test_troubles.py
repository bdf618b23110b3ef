"""Troubles befall whom and when they are meant to, also where there are several at once."""

from __future__ import annotations

import pytest

from actors.simulation.play import Play
from actors.simulation.scenario import Scenario, Trouble, Troubles, Window


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def parted(*windows: Window, minutes: float) -> Play:
    cuts = {Trouble.PARTITION: Troubles(windows=windows)}
    return Play(Scenario(nodes=3, minutes=minutes, block_every_s=4.0, troubles=cuts))


def test_the_end_of_a_partition_does_not_heal_another_one() -> None:
    played = parted(Window(5.0, 25.0, (1,)), Window(10.0, 15.0, (2,)), minutes=0.6)
    wire, (zero, one, two) = played.world.wire, [node.name for node in played.world.nodes]
    seen: dict[float, tuple[bool, bool]] = {}

    def look(at_s: float) -> None:
        seen[at_s] = wire.reachable(zero, one), wire.reachable(zero, two)

    for at_s in (7.0, 12.0, 20.0, 30.0):
        played._at(played.begun_s + at_s, lambda at_s=at_s: look(at_s))  # type: ignore[misc]
    report = played.run()
    assert report.violation is None
    assert seen == {
        7.0: (False, True),
        12.0: (False, False),
        20.0: (False, True),
        30.0: (True, True),
    }
    assert [healing.at_s for healing in report.healings] == [25.0], "it is healed when all are"


def test_what_is_planned_for_the_time_after_the_end_does_not_happen() -> None:
    report = parted(Window(35.0, 1_100.0, (1,)), minutes=0.5).run()
    assert report.violation is None
    assert report.faults == ()


def test_a_height_with_three_blocks_is_one_fork() -> None:
    report = parted(Window(5.0, 50.0, (1,)), Window(5.0, 50.0, (2,)), minutes=1.0).run()
    assert report.violation is None
    assert report.stale > report.forks > 0
    assert report.forks <= report.height
