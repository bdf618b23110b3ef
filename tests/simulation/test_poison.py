"""Poison: a frame that fells an actor is found in its batch, kept, refused, and its sender banned the second time."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any
from unittest.mock import patch

import pytest

from actors.chain.schema import StoreError
from actors.gossip.messages import GossipItem, GossipReceived
from actors.ledger.codec import make_transaction, signing_bytes
from actors.ledger.types import Transaction
from actors.mempool.messages import GetPooled
from actors.messaging.codec import Decoded, decode, encode
from actors.messaging.messages import MessageType
from actors.peers.messages import ListBans, ListPeers
from actors.runtime.actor import NodeActor
from actors.runtime.address import Address
from actors.runtime.quarantine import ClearQuarantine, Exhibit, ListQuarantine
from actors.runtime.supervisor import ActorReport, ListActors
from actors.search.routes import parts_of
from actors.simulation.node import SimNode
from actors.simulation.stage import Stage
from actors.simulation.world import World
from actors.tcp.messages import ConnId

POISON = b"poison"
VICTIM = 0
TX, GET_PEERS = "gossip:bc:new_tx", "p2p:get_peers"


@pytest.fixture(autouse=True)
def _quiet_falls() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class FragileStage(Stage):
    """On it each actor of the victim falls over whatever holds poison, once it is told so."""

    fragile = ""
    error: type[Exception] = ZeroDivisionError

    def run(self, actor: NodeActor) -> None:
        plain, name = actor.on_receive, actor.box.name

        def on_receive(message: Any) -> Any:
            if (
                self._node == VICTIM
                and name == FragileStage.fragile
                and POISON in repr(message).encode()
            ):
                raise FragileStage.error
            return plain(message)

        actor.on_receive = on_receive  # type: ignore[method-assign]
        super().run(actor)


@pytest.fixture
def world() -> Iterator[World]:
    FragileStage.fragile, FragileStage.error = "mempool", ZeroDivisionError
    with patch("actors.simulation.node.Stage", FragileStage):
        world = World(5, nodes=4, mean_block_s=3.0)
        world.start()
        world.nodes[1].mine()
        world.run_for(15.0)
        world.nodes[1].rest()
        assert world.run_until_agreed(60.0)
        yield world


def address(world: World, name: str) -> Address[Any]:
    found: Address[Any] = getattr(world.nodes[VICTIM].addresses, name)
    return found


def ask(world: World, name: str, question: Any) -> Any:
    return world.pump.ask(address(world, name), question)


def report(world: World, name: str) -> ActorReport:
    reports = ask(world, "supervisor", ListActors())
    found: ActorReport = next(each for each in reports if each.name == name)
    return found


def exhibits(world: World) -> tuple[Exhibit, ...]:
    kept: tuple[Exhibit, ...] = ask(world, "supervisor", ListQuarantine())
    return kept


def peers(world: World) -> set[str]:
    return {each.peer for each in ask(world, "peers", ListPeers())}


def rumour(payload: bytes, kind: str = TX) -> bytes:
    """Gossip under an id that nobody used before."""
    rumour.number += 1  # type: ignore[attr-defined]
    message_id = sha256(str(rumour.number).encode()).digest()[:16]  # type: ignore[attr-defined]
    return encode(MessageType.REGULAR, 9, kind, message_id + payload)


rumour.number = 0  # type: ignore[attr-defined]


def transfer(node: SimNode, nonce: int) -> Transaction:
    sender, recipient = node.key.public, node.world.nodes[VICTIM].key.public
    signature = node.key.sign(signing_bytes(sender, recipient, nonce, 1))
    return make_transaction(sender, recipient, nonce, 1, signature)


def question(text: bytes) -> bytes:
    """A search for a block under an id that nobody used before."""
    asked = sha256(rumour(b"")).digest()[:16] + sha256(text).digest()
    return rumour(asked + text, "gossip:search:block")


def tell(world: World, sender: int, *frames: bytes) -> None:
    """From one node to the victim, all at once, past its actors."""
    host = world.nodes[sender].host
    assert host is not None
    to_victim = [
        end
        for end in host.ends.values()
        if end.other is not None and end.other.host.name == world.nodes[VICTIM].name
    ]
    host.inject(tuple(frames), to_victim[:1])


def send(world: World, sender: int, *frames: bytes) -> None:
    """The same, and let it arrive."""
    tell(world, sender, *frames)
    world.run_for(1.0)


def test_in_a_batch_the_poison_alone_is_lost(world: World) -> None:
    good = [transfer(world.nodes[1], nonce) for nonce in range(2)]
    send(world, 2, rumour(good[0].raw), rumour(POISON), rumour(good[1].raw))
    assert all(ask(world, "mempool", GetPooled(each.id)) for each in good)
    seen = report(world, "mempool")
    assert (seen.restarts, seen.mailbox.lost) == (2, 1)
    (kept,) = exhibits(world)
    assert (kept.find.actor, kept.find.letter) == ("mempool", "GossipReceived")
    assert kept.find.peer == world.nodes[2].name
    assert [(frame.kind, frame.payload) for frame in kept.find.frames] == [(TX, POISON)]
    assert "ZeroDivisionError" in kept.find.error
    assert peers(world) == {node.name for node in world.nodes[1:]}


def test_what_is_in_quarantine_is_refused_whoever_passes_it_on(world: World) -> None:
    send(world, 2, rumour(POISON))
    before = report(world, "mempool").restarts
    send(world, 1, rumour(POISON))
    send(world, 3, rumour(POISON), rumour(POISON))
    assert report(world, "mempool").restarts == before
    assert len(exhibits(world)) == 1
    assert ask(world, "peers", ListBans()) == ()
    good = transfer(world.nodes[1], 0)
    send(world, 3, rumour(POISON), rumour(good.raw))
    assert ask(world, "mempool", GetPooled(good.id)) is not None


def test_whoever_sends_another_poison_is_banned_and_nobody_else(world: World) -> None:
    send(world, 2, rumour(POISON + b" one"))
    send(world, 3, rumour(POISON + b" one"))
    assert len(peers(world)) == 3
    send(world, 2, rumour(POISON + b" two"))
    banned = ask(world, "peers", ListBans())
    assert [each.target for each in banned] == [world.nodes[2].name.partition(":")[0]]
    assert banned[0].until_s - banned[0].created_s == pytest.approx(600.0)
    assert peers(world) == {world.nodes[1].name, world.nodes[3].name}


def test_to_leave_and_to_come_back_does_not_help(world: World) -> None:
    for number in range(2):
        send(world, 2, rumour(POISON + str(number).encode()))
        for end in tuple(world.nodes[2].host.ends.values()):  # type: ignore[union-attr]
            world.nodes[2].host.close(end.conn, None)  # type: ignore[union-attr, arg-type]
        world.run_for(20.0)
    assert [each.target for each in ask(world, "peers", ListBans())] == [
        world.nodes[2].name.partition(":")[0]
    ]


def test_of_much_poison_on_its_way_only_two_are_tried(world: World) -> None:
    sender = next(p for p in ask(world, "peers", ListPeers()) if p.peer == world.nodes[2].name)
    good, mempool = transfer(world.nodes[1], 0), address(world, "mempool")
    for number in range(40):
        item = GossipItem(
            number, "bc:new_tx", POISON + bytes((number,)), sender.peer, sender.conns[0]
        )
        mempool.tell(GossipReceived((item,)))
    send(world, 3, rumour(good.raw))
    seen = report(world, "mempool")
    assert (seen.restarts, seen.mailbox.lost, seen.state.value) == (4, 40, "running")
    assert ask(world, "mempool", GetPooled(good.id)) is not None
    assert peers(world) == {world.nodes[1].name, world.nodes[3].name}


def test_a_request_that_fells_the_peers_room_costs_nobody_a_connection(world: World) -> None:
    FragileStage.fragile = "peers"
    for sender in (2, 3):
        send(world, sender, encode(MessageType.REQUEST, 70 + sender, GET_PEERS, POISON))
    assert_only_the_first_was_let_in(world, "peers")


def test_a_frame_that_fells_messaging_costs_nobody_a_connection(world: World) -> None:
    FragileStage.fragile = ""

    def fragile(conn: ConnId, frames: Sequence[bytes]) -> Decoded:
        if any(POISON in frame for frame in frames):
            raise RecursionError
        return decode(conn, frames)

    with patch("actors.messaging.actor.decode", fragile):
        for sender in (2, 3):
            send(world, sender, encode(MessageType.REQUEST, 70 + sender, GET_PEERS, POISON))
    assert_only_the_first_was_let_in(world, "messaging")


def test_what_waits_for_gossip_when_it_falls_is_heard_by_its_next_incarnation(world: World) -> None:
    FragileStage.fragile = "gossip"
    good = [transfer(world.nodes[1], nonce) for nonce in range(2)]
    send(world, 2, rumour(good[0].raw), rumour(POISON), rumour(good[1].raw))
    assert (report(world, "gossip").restarts, report(world, "gossip").mailbox.lost) == (2, 1)
    assert all(ask(world, "mempool", GetPooled(each.id)) for each in good)


@pytest.mark.parametrize("asked_before", [0, 300], ids=["at once", "when its turn comes"])
def test_a_question_that_fells_search_is_kept_and_the_second_bans_who_asked(
    world: World, asked_before: int
) -> None:
    FragileStage.fragile = ""

    def fragile(item: GossipItem) -> tuple[str, bytes, bytes]:
        if POISON in item.payload:
            raise ZeroDivisionError
        return parts_of(item)

    with patch("actors.search.actor.parts_of", fragile):
        for number in range(2):
            for _ in range(asked_before):
                tell(world, 2, question(b"a block"))
            send(world, 2, question(POISON + str(number).encode()))
    assert (report(world, "search").restarts, report(world, "search").mailbox.lost) == (4, 2)
    assert len(exhibits(world)) == 2
    assert len(ask(world, "peers", ListBans())) == 1


def assert_only_the_first_was_let_in(world: World, actor: str) -> None:
    assert (report(world, actor).restarts, report(world, actor).mailbox.lost) == (2, 1)
    assert len(exhibits(world)) == 1
    assert len(peers(world)) == 3


def test_what_is_cleared_is_let_in_again(world: World) -> None:
    send(world, 2, rumour(POISON))
    assert ask(world, "supervisor", ClearQuarantine(None)) == 1
    assert exhibits(world) == ()
    before = report(world, "mempool").restarts
    send(world, 3, rumour(POISON))
    assert report(world, "mempool").restarts == before + 2


def test_much_poison_from_many_does_not_fill_the_quarantine_beyond_its_bound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.runtime.quarantine.MAX_EXHIBITS", 2)
    for number in range(3):
        send(world, 1 + number, rumour(POISON + str(number).encode()))
    assert [each.id for each in exhibits(world)] == [2, 3]
    assert report(world, "mempool").state.value == "running"


@pytest.mark.parametrize("error", [OSError, sqlite3.OperationalError, StoreError])
def test_the_disks_fault_is_nobodys_poison(world: World, error: type[Exception]) -> None:
    FragileStage.error = error
    send(world, 2, rumour(POISON))
    assert exhibits(world) == ()
    assert ask(world, "peers", ListBans()) == ()
    assert report(world, "mempool").mailbox.lost == 1
