"""A real node under load, each of whose actors falls once: no connection is lost (the short `tests.soak.falls`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.falls import NAMES, play, table


@pytest.fixture(autouse=True)
def _quiet_falls() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_no_fall_costs_a_node_a_peer(tmp_path: Path) -> None:
    figures, agreed = play(1, 2, tmp_path)
    assert agreed
    assert [away.name for away in figures] == list(NAMES)
    assert not any(away.lost_connections or away.lost_peers for away in figures), table(figures)
