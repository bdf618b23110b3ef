"""Falls at any moment: an actor of the first node of a world raises at its k-th letter, before or behind it.

A scenario with everything that a node does: greeting, a sync, blocks, transactions, a search, somebody else's
sync, and silence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from actors.miner.messages import StartMining, StopMining
from actors.runtime.actor import NodeActor
from actors.runtime.address import ActorDownError
from actors.runtime.supervisor import ActorReport, ListActors
from actors.search.messages import SearchEnded, StartSearch
from actors.simulation.network import End
from actors.simulation.node import SimNode
from actors.simulation.stage import Stage
from actors.simulation.world import World, replay
from tests.support.probe import Probe

HEAD_START_S = 12.0
"""So long the others mine before the victim comes and has to catch up."""
TOGETHER_S = 15.0
VICTIM = 0


class Killed(Exception):  # noqa: N818 - a bug that somebody put there
    """Raised where a bug might be."""


@dataclass
class Kills:
    """Which letters fell an actor, counted from 0; and what else of it fails, how often."""

    actor: str
    before: frozenset[int] = frozenset()
    behind: frozenset[int] = frozenset()
    hooks: Counter[str] = field(default_factory=Counter)
    """``on_start`` (of another than the first), ``on_stop``, ``on_crash``."""
    heard: list[Any] = field(default_factory=list)
    felled_by: list[Any] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    """The connections of the victim that were established when it first fell."""
    starts: int = 0

    def rig(self, actor: NodeActor, node: SimNode) -> None:
        """Build the faults into an incarnation, before it begins."""
        plain, rigged = actor.on_receive, actor  # both are instance attributes from now on
        self.starts += 1

        def on_receive(message: Any) -> Any:
            number = len(self.heard)
            self.heard.append(message)
            if number in self.before:
                self._fall(message, node)
            answer = plain(message)
            if number in self.behind:
                self._fall(message, node)
            return answer

        rigged.on_receive = on_receive  # type: ignore[method-assign]
        for name in ("on_start", "on_stop", "on_crash"):
            self._rig_hook(actor, name)

    def _rig_hook(self, actor: NodeActor, name: str) -> None:
        plain, is_first = getattr(actor, name), self.starts == 1

        def hook() -> None:
            if self.hooks[name] and not (name == "on_start" and is_first):
                self.hooks[name] -= 1
                raise Killed(name)
            plain()

        setattr(actor, name, hook)

    def _fall(self, message: Any, node: SimNode) -> None:
        if not self.felled_by and node.host is not None:
            self.ends = [end for end in node.host.ends.values() if _is_up(end)]
        self.felled_by.append(message)
        raise Killed


@contextmanager
def rigged(*kills: Kills) -> Iterator[None]:
    """Build the faults into the victim's actors, whenever one begins."""

    class RiggedStage(Stage):
        def run(self, actor: NodeActor) -> None:
            for each in kills:
                if self._node == VICTIM and actor.box.name == each.actor:
                    each.rig(actor, NODES[VICTIM])
            super().run(actor)

    with patch("actors.simulation.node.Stage", RiggedStage):
        yield


NODES: dict[int, SimNode] = {}
"""Of the world that plays: a stage knows its node's number."""


@dataclass
class Played:
    """What came of a scenario."""

    world: World
    agreed: bool
    reports: dict[str, ActorReport]
    searched: list[Any]

    @property
    def victim(self) -> SimNode:
        return self.world.nodes[VICTIM]

    def assert_sound(self) -> None:
        """The world converged, and the victim's store and pool are what the ledger says."""
        assert self.agreed, [node.tip() for node in self.world.nodes]
        node = self.victim
        accounts = replay(self.world.network, node.blocks())
        assert sum(each.balance for each in accounts.values()) == (
            self.world.network.block_reward * node.tip().number
        )
        for address, account in accounts.items():
            assert node.store.account(address) == account
        assert self.searched  # twice, if the room fell behind the letter that asked for it

    def assert_connected(self, kills: Kills) -> None:
        """What was established when the actor first fell is open still, and everybody has all others."""
        host = self.victim.host
        assert host is not None
        assert all(end.open for end in kills.ends)
        for node in self.world.nodes:
            assert node.host is not None
            assert sum(_is_up(end) for end in node.host.ends.values()) >= 2


def play(seed: int, *kills: Kills) -> Played:
    """Play the scenario to its end."""
    with rigged(*kills):
        world = World(seed, nodes=4, mean_block_s=3.0)
        NODES[VICTIM] = victim = world.nodes[VICTIM]
        *others, late = world.nodes[1:]
        for node in others:
            node.start()
            node.mine()
        world.run_for(HEAD_START_S)
        victim.start()
        world.run_for(3.0)
        _ask_miner(victim, StartMining())
        others[0].pay(victim.key.public, 5)
        world.run_for(TOGETHER_S / 2)
        others[1].pay(victim.key.public, 7)
        probe = Probe(world.pump, "searcher")
        wanted = world.network.genesis.ref.hash
        victim.addresses.search.tell(StartSearch(7, "block", wanted, probe.address))
        late.bootstrap = (victim.name,)
        late.start()
        world.run_for(TOGETHER_S / 2)
        _ask_miner(victim, StopMining())
        for node in others:
            node.rest()
        world.run_for(35.0)  # past the searches and the longest silence
        agreed = world.run_until_agreed(20.0)
        if not agreed:  # the news of the last block was given up: it comes with the next one
            others[0].mine()
            world.run_for(10.0)
            others[0].rest()
            agreed = world.run_until_agreed(120.0)
        assert victim.supervisor is not None
        reports = world.pump.ask(victim.supervisor.address, ListActors())
        ended = [each for each in probe.take() if isinstance(each, SearchEnded)]
        return Played(world, agreed, {each.name: each for each in reports}, ended)


def _ask_miner(node: SimNode, question: Any) -> None:
    """An asker whose question fell with the actor asks again, as a person does."""
    for _ in range(3):
        with suppress(ActorDownError):
            node.world.pump.ask(node.addresses.miner, question)
            return


def _is_up(end: End) -> bool:
    return end.is_established and end.open
