"""The soak of a node under attack, in short: that it works, and what must hold however slow the machine is."""

from __future__ import annotations

import pytest

from tests.soak.hostile import Chosen, hold_out

MUST_HOLD = {
    "blocks made under attack",
    "blocks that did not arrive",
    "admin calls that failed",
    "memory of the node, most",
    "lines about falls, and reasons to be degraded",
}


@pytest.mark.parametrize("way", ["persistent", "polite"])
def test_a_node_under_attack_passes_every_block_on_and_answers_every_call(way: str) -> None:
    chosen = Chosen(seconds=2.0, connections=12, rate=200)._replace(**{way: True})
    figures = {figure.what: figure for figure in hold_out(chosen)}
    assert [what for what in MUST_HOLD if not figures[what].is_met] == []
    assert figures["hostile messages sent"].value > 0
