"""When what happens to a world: its troubles, drawn from the seed, and in order.

All of them are over after three quarters of the time, so that the last quarter shows how the nodes recover.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from actors.simulation.scenario import Scenario, Trouble, Window

FIRST_SHARE, LAST_SHARE = 0.10, 0.75
"""Of the time: before and after them nothing goes wrong."""
LEAST_S = 5.0
LENGTH_SHARE = 0.35
"""Of the time: the longest that is drawn."""


def draw_windows(
    scenario: Scenario, trouble: Trouble, honest: Sequence[int], rng: random.Random
) -> tuple[Window, ...]:
    """The troubles of one kind, with the nodes that they befall."""
    troubles, whole_s = scenario.of(trouble), scenario.minutes * 60.0
    windows, latest_s = [*troubles.windows], whole_s * LAST_SHARE
    for _ in range(troubles.drawn):
        start_s = whole_s * rng.uniform(FIRST_SHARE, LAST_SHARE - LENGTH_SHARE)
        longest_s = max(LEAST_S, whole_s * LENGTH_SHARE)
        end_s = start_s + rng.uniform(LEAST_S, longest_s)
        windows.append(Window(start_s, min(end_s, latest_s)))
    named = (_named(window, trouble, scenario.nodes, honest, rng) for window in windows)
    return tuple(sorted(named, key=lambda window: window.start_s))


def _named(
    window: Window, trouble: Trouble, nodes: int, honest: Sequence[int], rng: random.Random
) -> Window:
    """Draw whom it befalls: some for a partition, else one who is honest."""
    if window.nodes:
        return window
    if trouble is Trouble.PARTITION:
        some = rng.randint(1, max(1, nodes // 2))
        return Window(window.start_s, window.end_s, tuple(rng.sample(range(nodes), some)))
    return Window(window.start_s, window.end_s, (rng.choice(honest),))
