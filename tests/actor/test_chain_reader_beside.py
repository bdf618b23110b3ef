"""The reader beside a chain actor, each on a thread of its own, over one file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import pytest

from actors.chain import wire
from actors.chain.actor import ChainActor
from actors.chain.messages import (
    BlockOutcome,
    GetAccount,
    GetBlock,
    ListBlocks,
    SubmitBlock,
    TipChanged,
)
from actors.chain.reader import ReaderActor
from actors.chain.room import Neighbours
from actors.chain.signatures import Signatures
from actors.chain.store import Store
from actors.ledger.types import Account, Block
from actors.messaging.messages import Inbound, MessageType, Received, RespondBatch
from actors.runtime.address import Address, Ask
from actors.runtime.team import Alone
from actors.search.messages import LookedUp, LookUp
from actors.tcp.messages import ConnId
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, raws, transfer
from tests.support.thread_probe import TIMEOUT_S, Stage, ThreadProbe

T = TypeVar("T")
R = TypeVar("R")

CHAIN = mine_chain(EASY, EASY.genesis.ref, 5)
PAYING = mine(EASY, CHAIN[-1].ref, ALICE.public, [transfer(ALICE, BOB.public, 0, 30)])


class HeldTeam(Alone):
    """Works when it is let go: until then whoever waits for it is busy."""

    def __init__(self) -> None:
        self.asked, self.released = threading.Event(), threading.Event()

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        self.asked.set()
        assert self.released.wait(TIMEOUT_S)
        return super().map(work, items)


class Scene:
    """Both actors, and one probe for every room around them."""

    def __init__(self, stage: Stage, path: Path, react: Callable[[Any], None]) -> None:
        self.team = HeldTeam()
        store = Store.open(path, EASY)
        stage.resources.callback(store.close)
        self.rooms = ThreadProbe(stage, "rooms", react)
        to = self.rooms.address
        box = stage.mailbox("chain")
        self.chain: Address[Any] = Address(box)
        chain = ChainActor(
            store=store,
            network=EASY,
            agent="troupe/test",
            clock=stage.clock,
            me=self.chain,
            neighbours=Neighbours(**{room.name: to for room in fields(Neighbours)}),
            signatures=Signatures(EASY, self.team),
        )
        stage.run(chain, box)
        box = stage.mailbox("reader")
        self.reader: Address[Any] = Address(box)
        reader = ReaderActor(
            store=store.reader(), me=self.reader, messaging=to, peers=to, supervisor=to
        )
        stage.run(reader, box)

    def submit(self, block: Block) -> BlockOutcome:
        return self.chain.ask(SubmitBlock(block.raw), timeout_s=TIMEOUT_S).outcome

    def ask(self, question: Ask[Any]) -> Any:
        return self.reader.ask(question, timeout_s=TIMEOUT_S)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


def test_all_is_answered_from_the_last_commit_while_the_chain_actor_is_busy(
    stage: Stage, tmp_path: Path
) -> None:
    scene = Scene(stage, tmp_path / "chain.db", lambda _message: None)
    for block in CHAIN:
        scene.submit(block)
    verdict = scene.chain.ask_soon(SubmitBlock(PAYING.raw))
    assert scene.team.asked.wait(TIMEOUT_S)
    locator = wire.encode_locator((EASY.genesis.hash,))
    request = Inbound(ConnId(1), MessageType.REQUEST, 7, wire.GET_BLOCKS_KIND, locator)
    scene.reader.tell(Received((request,)))
    served = RespondBatch(ConnId(1), ((7, wire.encode_batch(raws(CHAIN))),))
    assert scene.rooms.wait_for(RespondBatch) == served
    scene.reader.tell(LookUp(3, CHAIN[2].hash, scene.rooms.address))
    assert scene.rooms.wait_for(LookedUp) == LookedUp(3, CHAIN[2].raw)
    assert scene.ask(GetBlock(number=5)).confirmations == 1
    assert scene.ask(GetAccount(ALICE.public)).account == Account(500, 0)
    assert [block.hash for block in scene.ask(ListBlocks(None, 2))] == [
        CHAIN[4].hash,
        CHAIN[3].hash,
    ]
    assert not verdict.done(), "it has been busy all the time"
    scene.team.released.set()
    assert verdict.result(TIMEOUT_S).outcome is BlockOutcome.CONNECTED
    assert scene.ask(GetAccount(ALICE.public)).account == Account(570, 1)


def test_what_the_chain_actor_answered_or_told_is_found_at_once(
    stage: Stage, tmp_path: Path
) -> None:
    found: list[object] = []

    def look(message: Any) -> None:
        if isinstance(message, TipChanged) and message.connected:
            found.append(scene.ask(GetBlock(hash=message.tip.hash)))

    scene = Scene(stage, tmp_path / "chain.db", look)
    scene.team.released.set()
    for block in (*CHAIN, PAYING):
        assert scene.submit(block) is BlockOutcome.CONNECTED
        view = scene.ask(GetBlock(hash=block.hash))
        assert (view.block, view.canonical) == (block, True)
    for _told in ("mempool", "miner"):  # who is told must not ask a reader that is stopped
        scene.rooms.wait_for(TipChanged, lambda change: change.tip == PAYING.ref)
    assert len(found) > len(CHAIN)
    assert None not in found
