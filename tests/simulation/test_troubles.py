"""Troubles befall whom and when they are meant to, also where there are several at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.simulation.disk import DiskFault
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


def seen_at(played: Play, times: tuple[float, ...], look: Callable[[], object]) -> list[object]:
    """What there is to be seen at some times of a run that ends well."""
    seen: list[object] = []
    for at_s in times:
        played._at(played.begun_s + at_s, lambda: seen.append(look()))
    assert played.run().violation is None
    return seen


def test_the_end_of_a_disk_fault_does_not_repair_what_another_one_spoils() -> None:
    faults = Troubles(windows=(Window(5.0, 15.0, (1,)), Window(10.0, 30.0, (1,))))
    troubles = {Trouble.DISK_FAULT: faults}
    played = Play(Scenario(nodes=3, minutes=0.6, block_every_s=4.0, troubles=troubles))
    disk = played.world.nodes[1].disk
    seen = seen_at(played, (7.0, 17.0, 25.0, 33.0), lambda: disk.fault is not DiskFault.NONE)
    assert seen == [True, True, True, False]


def test_who_is_without_power_twice_at_once_is_so_until_both_are_over() -> None:
    cuts = Troubles(windows=(Window(5.0, 15.0, (1,)), Window(14.0, 30.0, (1,))))
    scenario = Scenario(nodes=3, minutes=0.6, block_every_s=2.0, troubles={Trouble.CRASH: cuts})
    played = Play(scenario)
    node = played.world.nodes[1]
    seen = seen_at(played, (4.0, 13.0, 18.0, 29.0), lambda: node.alive and not node.disk.awaits_cut)
    assert seen == [True, False, False, False]
    assert node.lives > 1


def test_what_is_planned_for_the_time_after_the_end_does_not_happen() -> None:
    report = parted(Window(35.0, 1_100.0, (1,)), minutes=0.5).run()
    assert report.violation is None
    assert report.faults == ()


def test_a_height_with_three_blocks_is_one_fork() -> None:
    report = parted(Window(5.0, 50.0, (1,)), Window(5.0, 50.0, (2,)), minutes=1.0).run()
    assert report.violation is None
    assert report.stale > report.forks > 0
    assert report.forks <= report.height
