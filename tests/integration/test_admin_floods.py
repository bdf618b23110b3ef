"""Sixteen attackers at the admin port of a real node, for a moment each; the soak does so for longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.client import ClientProcess, Door, call_node
from tests.soak.door import MAX_LINES, PAUSE_S, flood_beside
from tests.support.process import NodeProcess
from tests.support.usage import held

MOMENT_S = 1.0
MAX_GROWTH_BYTES = 50 * 1024 * 1024
"""Windows that grow with what comes were seen to cost twice as much within the moment."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with NodeProcess(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("calls with an unknown token", {"UNAUTHENTICATED"}),
        ("messages without a token", {"UNAUTHENTICATED"}),
        ("streams never read", {"held", "RESOURCE_EXHAUSTED"}),
        ("calls reset at once", {"reset"}),
    ],
)
def test_a_flood_is_answered_as_it_must_and_others_are_served(
    node: NodeProcess, name: str, outcomes: set[str]
) -> None:
    before_bytes = held(node.process.pid).memory_bytes
    with ClientProcess(call_node, Door.of(node), 1, PAUSE_S) as calling:
        flooded = flood_beside(node, name, MOMENT_S, calling)
    assert flooded.beside.made > 0
    seen = {word for word in flooded.seen.replace(",", "").split() if not word.isdigit()}
    assert seen
    assert seen <= outcomes  # a slow machine does not come to all of them
    assert flooded.peak_bytes - before_bytes < MAX_GROWTH_BYTES
    assert node.height() == 0
    assert len(node.output) < MAX_LINES
