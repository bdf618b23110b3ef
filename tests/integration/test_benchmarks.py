"""Every benchmark runs to its end, in a size that says nothing about speed."""

from __future__ import annotations

import math
import queue
from pathlib import Path

import pytest

from tests.bench.__main__ import PARTS
from tests.bench.figure import Bench
from tests.support.process import NodeProcess

SHARE = 0.005


@pytest.mark.parametrize("part", PARTS)
def test_a_part_yields_figures(part: str, tmp_path: Path) -> None:
    measured = list(PARTS[part](Bench(tmp_path, SHARE)))
    assert measured
    names = [figure.what for figure in measured]
    assert len(set(names)) == len(names)
    assert all(math.isfinite(figure.value) for figure in measured)
    assert part in WITHOUT_TARGETS or any(figure.target for figure in measured)


WITHOUT_TARGETS = {"machine", "ledger", "pow", "admin", "streams"}
"""What these tell is not in the list of figures that must be reached."""


def test_a_node_that_does_not_come_up_in_time_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[NodeProcess] = []

    def wait_in_vain(node: NodeProcess) -> str:
        begun.append(node)
        raise queue.Empty

    monkeypatch.setattr(NodeProcess, "_await_admin", wait_in_vain)
    with pytest.raises(queue.Empty):
        NodeProcess(tmp_path / "node")
    assert [node.process.poll() is None for node in begun] == [False]
