"""What falls together stands up together, in the composition that every node is built by."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from actors.assembly import START_ORDER, STATE_ROOMS
from actors.chain.checkup import FoundDamaged
from actors.ledger.types import HASH_BYTES
from actors.letters import STALE_S
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.supervisor import (
    MAX_RESTARTS,
    RESTART_WINDOW_S,
    RETRY_S,
    ActorReport,
    ActorState,
    GetDegraded,
    ListActors,
    RestartActor,
)
from actors.search.messages import StartSearch
from actors.search.routes import BLOCK
from actors.simulation.node import SimNode
from actors.simulation.world import World
from tests.support.probe import Probe

POISON = "no message of any room"


@pytest.fixture(autouse=True)
def _quiet_falls() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def members(node: SimNode) -> tuple[ActorReport, ...]:
    """All but the supervisor, which reports itself last."""
    assert node.supervisor is not None
    return node.world.pump.ask(node.supervisor.address, ListActors())[:-1]


def restarts(node: SimNode) -> dict[str, int]:
    return {report.name: report.restarts for report in members(node)}


def requested_restarts(node: SimNode) -> dict[str, int]:
    return {report.name: report.requested_restarts for report in members(node)}


def restart(node: SimNode, name: str) -> tuple[ActorReport, ...]:
    """Let an operator restart an actor."""
    assert node.supervisor is not None
    answer = node.world.pump.ask(node.supervisor.address, RestartActor(name))
    assert answer is not None
    return answer


def fell(node: SimNode, name: str) -> None:
    """Make an actor fall over a message that nobody sends."""
    address: Address[object] = getattr(node.addresses, name)
    address.tell(POISON)
    node.world.run_for(1.0)


GROUPS = [
    ("chain", STATE_ROOMS),
    ("reader", ("reader",)),
    ("mempool", ("mempool",)),
    ("miner", ("miner",)),
    ("gossip", ("gossip",)),
    ("search", ("search",)),
    ("events", ("events",)),
    ("peers", ("peers",)),
    ("messaging", ("messaging",)),
    ("tcp", ("tcp",)),
]


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_a_fall_restarts_the_rooms_that_belong_together(name: str, group: tuple[str, ...]) -> None:
    world = World(3, nodes=2)
    world.start()
    fell(world.nodes[0], name)
    assert restarts(world.nodes[0]) == {each: int(each in group) for each in START_ORDER}


@pytest.mark.parametrize("name", START_ORDER)
def test_a_node_goes_on_with_its_peers_after_any_fall(name: str) -> None:
    world = World(5, nodes=3, mean_block_s=5.0)
    world.start()
    for node in world.nodes:
        node.mine()
    world.run_for(30.0)
    fell(world.nodes[0], name)
    before = world.nodes[0].tip().number
    world.run_for(60.0)
    for node in world.nodes[1:]:
        node.rest()
    assert world.run_until_agreed(120.0)
    assert world.nodes[0].tip().number > before


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_an_operator_restarts_an_actor_with_its_group_and_no_failure_is_counted(
    name: str, group: tuple[str, ...]
) -> None:
    world = World(3, nodes=2)
    world.start()
    reports = restart(world.nodes[0], name)
    assert [report.name for report in reports] == list(group)
    assert {report.state for report in reports} == {ActorState.RUNNING}
    counted = {each: int(each in group) for each in START_ORDER}
    assert requested_restarts(world.nodes[0]) == counted
    assert not any(restarts(world.nodes[0]).values())


@pytest.mark.parametrize("name", START_ORDER)
def test_a_node_goes_on_with_its_peers_after_an_operator_restarted_an_actor(name: str) -> None:
    world = World(7, nodes=3, mean_block_s=5.0)
    world.start()
    for node in world.nodes:
        node.mine()
    world.run_for(30.0)
    restart(world.nodes[0], name)
    before = world.nodes[0].tip().number
    world.run_for(60.0)
    for node in world.nodes[1:]:
        node.rest()
    assert world.run_until_agreed(120.0)
    assert world.nodes[0].tip().number > before
    assert not any(restarts(world.nodes[0]).values())


@pytest.mark.parametrize("name", START_ORDER)
def test_an_actor_that_keeps_failing_degrades_the_node_which_goes_on_and_recovers(
    name: str,
) -> None:
    world = World(9, nodes=3, mean_block_s=5.0)
    world.start()
    node = world.nodes[0]
    assert node.supervisor is not None
    address: Address[object] = getattr(node.addresses, name)
    for _ in range(MAX_RESTARTS + 1):
        address.tell(POISON)
    world.run_for(1.0)
    states = {report.name: report.state for report in members(node)}
    assert {each for each in states if states[each] is not ActorState.RUNNING} == {name}
    told = world.pump.ask(node.supervisor.address, GetDegraded())
    assert f"{name}: AssertionError" in "\n".join(told)
    world.run_for(RETRY_S + 1.0)
    assert {report.state for report in members(node)} == {ActorState.RUNNING}
    world.run_for(RESTART_WINDOW_S)
    assert world.pump.ask(node.supervisor.address, GetDegraded()) == ()
    for each in world.nodes:
        each.mine()
    world.run_for(20.0)
    for each in world.nodes:
        each.rest()
    assert world.run_until_agreed(120.0)
    assert node.tip().number > 0


@pytest.fixture
def busy() -> World:
    """The second of three nodes mines, and the first is to have trouble."""
    world = World(9, nodes=3, mean_block_s=2.0)
    world.start()
    world.nodes[1].mine()
    world.run_for(20.0)
    return world


def go_on(world: World) -> None:
    """Payments, searches and blocks for some minutes."""
    _, payer, payee = world.nodes
    asker = Probe(world.pump, "asker")
    for number in range(20):
        payer.pay(payee.key.public, 1)
        question = StartSearch(number, BLOCK, bytes([number]) * HASH_BYTES, asker.address)
        payer.addresses.search.tell(question)
        world.run_for(10.0)


@pytest.mark.parametrize("name", ["events", "mempool", "miner", "reader"])
def test_what_is_sent_to_an_actor_that_stays_down_does_not_gather(
    monkeypatch: pytest.MonkeyPatch, busy: World, name: str
) -> None:
    node = busy.nodes[0]
    assert node.supervisor is not None
    build = node.supervisor._members[name].build

    def stillborn() -> NodeActor:
        actor = build()
        monkeypatch.setattr(actor, "on_start", lambda: 1 // 0)
        return actor

    node.supervisor.enlist(name, stillborn)
    fell(node, name)
    go_on(busy)
    mailbox = next(each.mailbox for each in members(node) if each.name == name)
    assert mailbox.depth > 0
    assert mailbox.lost > 0
    assert mailbox.age_s <= STALE_S + RETRY_S


def test_nor_does_what_is_sent_to_those_who_rest_with_one_that_cannot_be_built(busy: World) -> None:
    def unbuildable() -> NodeActor:
        raise OSError

    node = busy.nodes[0]
    assert node.supervisor is not None
    node.supervisor.enlist("chain", unbuildable, group=STATE_ROOMS)
    fell(node, "chain")
    go_on(busy)
    mailbox = next(each.mailbox for each in members(node) if each.name == "mempool")
    assert mailbox.depth > 0
    assert mailbox.lost > mailbox.depth


def test_a_node_whose_file_is_damaged_stays_degraded_when_its_reader_begins_anew() -> None:
    world = World(2, nodes=1)
    world.start()
    (node,) = world.nodes
    assert node.supervisor is not None
    assert world.pump.ask(node.supervisor.address, GetDegraded()) == ()
    node.addresses.reader.tell(FoundDamaged("page 7 is damaged"))
    found = ("reader: page 7 is damaged",)
    world.run_for(1.0)
    assert world.pump.ask(node.supervisor.address, GetDegraded()) == found
    restart(node, "reader")
    world.run_for(1.0)
    assert world.pump.ask(node.supervisor.address, GetDegraded()) == found
    fell(node, "reader")
    world.run_for(1.0)
    assert restarts(node)["reader"] == 1
    assert world.pump.ask(node.supervisor.address, GetDegraded()) == found
