"""Each lie by itself, told by one node of five all the time: the honest go on, agree, and ban no one of theirs."""

from __future__ import annotations

import pytest

from actors.simulation.lies import LIES
from actors.simulation.play import Play
from actors.simulation.report import Report
from actors.simulation.scenario import Scenario


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


def told(*lies: str, legacy: int = 0, seed: int = 3) -> tuple[Play, Report]:
    scenario = Scenario(
        seed=seed, minutes=1.5, block_every_s=4.0, liars=1, lies=lies, legacy=legacy
    )
    played = Play(scenario)
    return played, played.run()


@pytest.mark.parametrize("lie", sorted(LIES))
@pytest.mark.parametrize("legacy", [0, 1])
def test_a_lie_harms_nobody_honest(lie: str, legacy: int) -> None:
    _, report = told(lie, legacy=legacy)
    assert report.violation is None
    assert dict(report.lies)[lie] > 0, "it was told"
    assert report.height > 5
    assert report.blamed_honest == ()


def test_the_blocks_of_a_liar_are_its_own_in_the_report() -> None:
    played, report = told("search-lies")
    found = {line.node: line.blocks_found for line in report.node_lines}
    (liar,) = played.liars
    assert found[liar.node.index] > 0
    assert sum(found.values()) == report.height + report.stale


def test_who_gossips_invalid_blocks_is_banned_and_comes_back_under_another_address() -> None:
    played, report = told("invalid-blocks")
    assert dict(report.blamed_liars)["an invalid block"] >= 100
    assert dict(report.lies)["moved"] > 0
    assert any(node.bans.lines for node in played.world.nodes if node.is_honest)


def test_a_fake_branch_is_looked_at_and_refused() -> None:
    """Honest nodes ask for it and execute it: else nothing is shown."""
    played, report = told("fake-branch")
    liar = next(node for node in played.world.nodes if not node.is_honest)
    honest = played.world.nodes[0]
    assert report.blamed_liars
    assert liar.index not in played.honest
    (invalid,) = honest.store.connection.execute(
        "SELECT count(*) FROM blocks WHERE status = 2"
    ).fetchone()
    assert invalid > 0


def test_withheld_blocks_come_in_bursts_and_make_deep_reorganisations() -> None:
    selfish = Scenario(
        nodes=2, seed=5, minutes=5, block_every_s=4.0, liars=1, lies=("withheld",), power=(2.0, 3.0)
    )
    report = Play(selfish).run()
    assert report.violation is None
    assert report.stale > 0
    assert max(depth for depth, _ in report.reorgs) >= 2
