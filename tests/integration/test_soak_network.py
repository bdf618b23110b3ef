"""The soak of a whole network, in seconds: nodes that come and go end on one tip, with chains that verify."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.network import soak

MINUTES = 0.2
NODES = 3


@pytest.mark.timeout(300)
def test_nodes_that_come_and_go_end_on_one_tip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # its samples go to the directory that it is run in
    said: list[str] = []
    figures = soak(MINUTES, NODES, 1, said.append)
    missed = [figure.line() for figure in figures if figure.is_met is False]
    assert not missed, (missed, said)
    assert (tmp_path / "build" / "soak_network.jsonl").read_text().count("\n") > NODES
