"""An actor killed at any letter, before or behind it, twice in a row, and in each of its hooks: the node is
whole again, no peer is lost, and nothing is lost that is not counted.

``TROUPE_KILLS=all`` kills at every letter of the scenario; otherwise a seeded sample is played.
"""

from __future__ import annotations

import logging
import os
import random
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest

from actors.assembly import START_ORDER
from actors.gossip.messages import GossipReceived
from actors.letters import AGAIN
from actors.messaging.messages import Received
from actors.runtime.supervisor import ActorState, ListActors, RestartActor
from actors.simulation.world import World
from actors.tcp.messages import FramesReceived
from tests.support.kills import NODES, VICTIM, Kills, Played, play, rigged

SEED = 11
SAMPLE = 3
"""Letters of each actor, of which each fells it before and behind: a quarter of a minute in all."""
SUPERVISOR = "supervisor"
ALL = (*START_ORDER, SUPERVISOR)
PATIENCE_S = 900
"""For each letter of an actor, of which messaging has some 150."""
REDONE = (*AGAIN, FramesReceived, Received, GossipReceived)


@pytest.fixture(autouse=True)
def _quiet_falls() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@cache
def heard() -> dict[str, int]:
    """How many letters each actor handles when nothing happens to it."""
    kills = [Kills(actor) for actor in ALL]
    play(SEED, *kills).assert_sound()
    return {each.actor: len(each.heard) for each in kills}


def letters(actor: str) -> list[int]:
    every = range(heard()[actor])
    if actor == SUPERVISOR:
        every = every[:-1]  # the last one is the test's own question
    if os.environ.get("TROUPE_KILLS") == "all" or len(every) <= SAMPLE:
        return list(every)
    return sorted(random.Random(actor).sample(every, SAMPLE))


def assert_recovered(played: Played, kills: Kills, *, falls: int) -> None:
    report = played.reports[kills.actor]
    assert len(kills.felled_by) == falls
    assert report.state is ActorState.RUNNING
    assert report.restarts >= falls
    played.assert_sound()
    played.assert_connected(kills)


def test_the_scenario_has_letters_for_everybody() -> None:
    assert all(heard()[actor] > SAMPLE for actor in ALL)


@pytest.mark.timeout(PATIENCE_S)
@pytest.mark.parametrize("actor", ALL)
def test_an_actor_that_falls_before_a_letter_handles_it_in_its_next_life(actor: str) -> None:
    for number in letters(actor):
        kills = Kills(actor, before=frozenset({number}))
        played = play(SEED, kills)
        assert_recovered(played, kills, falls=1)
        again = isinstance(kills.felled_by[0], REDONE)
        assert played.reports[actor].mailbox.lost == (0 if again else 1), kills.felled_by


@pytest.mark.timeout(PATIENCE_S)
@pytest.mark.parametrize("actor", ALL)
def test_an_actor_that_falls_behind_a_letter_may_handle_it_twice(actor: str) -> None:
    for number in letters(actor):
        kills = Kills(actor, behind=frozenset({number}))
        assert_recovered(play(SEED, kills), kills, falls=1)


@pytest.mark.timeout(PATIENCE_S)
@pytest.mark.parametrize("actor", ALL)
def test_an_actor_that_falls_twice_in_a_row_gives_the_letter_up_and_counts_it(actor: str) -> None:
    for number in letters(actor)[1::2]:
        kills = Kills(actor, before=frozenset({number, number + 1}))
        played = play(SEED, kills)
        assert_recovered(played, kills, falls=2)
        assert played.reports[actor].mailbox.lost >= 1


@pytest.mark.parametrize("hook", ["on_start", "on_crash"])
@pytest.mark.parametrize("actor", START_ORDER)
def test_an_actor_that_fails_as_it_falls_or_returns_comes_back(actor: str, hook: str) -> None:
    number = letters(actor)[-1]
    kills = Kills(actor, before=frozenset({number}), hooks=Counter({hook: 1}))
    played = play(SEED, kills)
    assert played.reports[actor].state is ActorState.RUNNING
    assert not kills.hooks[hook]
    played.assert_sound()


@pytest.mark.parametrize("actor", START_ORDER)
def test_an_actor_that_fails_as_it_stops_is_restarted_all_the_same(actor: str) -> None:
    kills = Kills(actor, hooks=Counter({"on_stop": 1}))
    with rigged(kills):
        world = World(3, nodes=2)
        NODES[VICTIM] = node = world.nodes[VICTIM]
        world.start()
        assert node.supervisor is not None
        assert node.host is not None
        before = list(node.host.ends.values())
        world.pump.ask(node.supervisor.address, RestartActor(actor))
        world.run_for(1.0)
        reports = world.pump.ask(node.supervisor.address, ListActors())
    assert not kills.hooks["on_stop"]
    assert {each.state for each in reports} == {ActorState.RUNNING}
    assert before == list(node.host.ends.values())
    assert before


@pytest.mark.parametrize("seed", range(10))
def test_several_actors_may_fall_in_one_life(seed: int) -> None:
    rng = random.Random(seed)
    kills = []
    for actor in rng.sample(START_ORDER, 5):
        before, behind = (frozenset(rng.sample(range(heard()[actor]), 1)) for _ in range(2))
        kills.append(Kills(actor, before=before, behind=behind))
    played = play(SEED, *kills)
    played.assert_sound()
    for each in kills:
        assert each.felled_by
        assert played.reports[each.actor].state is ActorState.RUNNING
        played.assert_connected(each)
