"""What a soak of few nodes does: one of them may be alone for a while."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.soak import network
from tests.soak.fleet import Fleet
from tests.soak.traffic import mine
from tests.support.process import NodeProcess

ONLY: Any = object()


class Alone(Fleet):
    """All but one node are away."""

    asked: tuple[NodeProcess, ...] = ()

    @property
    def up(self) -> list[NodeProcess]:
        return [ONLY]

    def call(
        self, node: NodeProcess, _stub: Callable[..., Any], _method: str, _request: Any
    ) -> Any | None:
        self.asked += (node,)
        return None


def test_who_is_alone_makes_each_block_and_has_no_rival() -> None:
    fleet, chance = Alone(()), random.Random(1)
    for _ in range(100):
        mine(fleet, chance)
    assert fleet.asked == (ONLY,) * 100


@pytest.mark.parametrize("nodes", ["1", "0", "-1"])
def test_a_soak_of_fewer_than_two_nodes_is_refused(
    nodes: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["network", "--nodes", nodes])
    with pytest.raises(SystemExit) as ended:
        network.main()
    assert ended.value.code == 2
    assert "--nodes: at least 2" in capsys.readouterr().err
