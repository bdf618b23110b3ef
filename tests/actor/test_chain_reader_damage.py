"""The reader on a disk that does not give back what was written: it answers all the rest."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from actors.chain.checkup import FoundDamaged
from actors.chain.messages import GetBlock, ListBlocks
from actors.chain.reader import Damage, ReaderActor
from actors.chain.schema import StoreError, open_store
from actors.chain.store import Reader, Store
from actors.chain.wire import GET_BLOCKS_KIND, decode_batch, encode_locator
from actors.ledger.types import Block
from actors.messaging.messages import Done, Inbound, MessageType, Received, RespondBatch
from actors.runtime.clock import FakeClock
from actors.runtime.pump import Pump
from actors.runtime.supervisor import Ailing
from actors.search.messages import LookedUp, LookUp
from tests.support.chain_stage import CONNS, A, ChainStage
from tests.support.chains import EASY, mine_chain
from tests.support.faulty_disk import CORRUPT, IOERR, FailingConnection, disk_error, failing
from tests.support.player import Player
from tests.support.probe import Probe

CHAIN = mine_chain(EASY, EASY.genesis.ref, 20)
BAD = CHAIN[9]


@pytest.fixture
def stage(tmp_path: Path) -> ChainStage:
    """A node one of whose blocks is not what it was."""
    path = tmp_path / "chain.db"
    stage = ChainStage(*CHAIN, path=path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE blocks SET raw = ? WHERE hash = ?", (CHAIN[3].raw, BAD.hash))
    return stage


class WatchedStore(Store):
    """Hands out a reader whose disk may fail."""

    handed_out: FailingConnection

    def reader(self) -> Reader:
        reader = super().reader()
        self.handed_out = failing(reader)
        return reader


def asked_for(stage: ChainStage, *locator: bytes) -> list[object]:
    return stage.ask_by_wire(A, GET_BLOCKS_KIND, encode_locator(locator))


def ailing(stage: ChainStage) -> list[str | None]:
    return [each.reason for each in stage.supervisor.take() if isinstance(each, Ailing)]


def sent(told: list[object]) -> list[tuple[Block, ...] | None]:
    """The blocks of each answer to a peer."""
    (answer,) = told
    assert isinstance(answer, RespondBatch)
    return [decode_batch(payload) for _, payload in answer.answers]


def test_a_damaged_block_is_answered_to_peers_as_if_we_did_not_have_it(stage: ChainStage) -> None:
    assert sent(asked_for(stage, CHAIN[8].hash)) == [()]
    stage.reader.tell(LookUp(8, BAD.hash, stage.search.address))
    stage.pump.run_until_idle()
    assert stage.search.messages[-1] == LookedUp(8, None)


def test_what_is_sound_before_a_damaged_block_is_served(stage: ChainStage) -> None:
    assert sent(asked_for(stage, EASY.genesis.hash)) == [CHAIN[:9]]
    assert sent(asked_for(stage, CHAIN[5].hash)) == [CHAIN[6:9]]
    assert len(ailing(stage)) == 1


class TornConnection(FailingConnection):
    """Rows of blocks come until one lies on a page that is damaged: the fifth."""

    def execute(self, *statement: Any) -> Any:
        found = super().execute(*statement)
        return _torn(found) if statement[0].startswith("SELECT raw, hash") else found


def _torn(rows: sqlite3.Cursor) -> Iterator[object]:
    yield from islice(rows, 4)
    raise disk_error(CORRUPT)


class TornStore(Store):
    """Hands out a reader of such a file."""

    def reader(self) -> Reader:
        reader = super().reader()
        connection: Any = TornConnection(reader._db)
        reader._db = connection
        return reader


def test_what_comes_before_a_damaged_page_is_served_and_the_next_request_as_ever(
    tmp_path: Path,
) -> None:
    path = tmp_path / "chain.db"
    stage = ChainStage(*CHAIN, store=TornStore(open_store(path, EASY), path, EASY, 0))
    stage.supervisor.take()
    locator = encode_locator((EASY.genesis.hash,))
    requests = tuple(
        Inbound(CONNS[A], MessageType.REQUEST, n, GET_BLOCKS_KIND, locator) for n in (1, 2)
    )
    stage.reader.tell(Received(requests))
    stage.pump.run_until_idle()
    assert sent(stage.messaging.take()) == [CHAIN[:4]] * 2
    (reason,) = ailing(stage)
    assert reason is not None
    assert "troupe repair" in reason


def test_damage_that_was_found_is_told_by_the_next_incarnation_too(tmp_path: Path) -> None:
    pump, damage = Pump(1, FakeClock()), Damage()
    store = Store.open(tmp_path / "chain.db", EASY)
    others, supervisor = Probe(pump, "others"), Probe(pump, "supervisor")
    to = others.address
    player = Player(
        pump,
        "reader",
        lambda me: ReaderActor(
            store=store.reader(),
            me=me,
            messaging=to,
            peers=to,
            supervisor=supervisor.address,
            damage=damage,
        ),
    )
    pump.run_until_idle()
    assert supervisor.take() == []
    found = Ailing("reader", "page 7 is damaged")
    player.address.tell(FoundDamaged("page 7 is damaged"))
    pump.run_until_idle()
    assert supervisor.take() == [found]
    for _ in range(2):
        player.fall_and_rise()
        pump.run_until_idle()
        assert supervisor.take() == [found]
        assert pump.ask(player.address, GetBlock(number=0)) is not None
        assert supervisor.take() == [], "whatever can be read"


def test_the_reader_says_once_what_is_damaged_and_how_to_mend_it_and_goes_on(
    stage: ChainStage,
) -> None:
    for _ in range(3):
        asked_for(stage, EASY.genesis.hash)
        assert sent(asked_for(stage, BAD.hash)) == [CHAIN[10:]]
    (reason,) = ailing(stage)
    assert reason is not None
    assert "troupe repair" in reason
    assert BAD.hash.hex() in reason


def test_people_who_ask_for_it_get_the_reason_and_all_else_as_ever(stage: ChainStage) -> None:
    with pytest.raises(StoreError, match="troupe repair"):
        stage.pump.ask(stage.reader, GetBlock(hash=BAD.hash))
    with pytest.raises(StoreError, match="troupe repair"):
        stage.pump.ask(stage.reader, ListBlocks(None, 20))
    found = stage.pump.ask(stage.reader, GetBlock(hash=CHAIN[8].hash))
    assert found is not None
    assert len(stage.pump.ask(stage.reader, ListBlocks(None, 10))) == 10
    assert len(ailing(stage)) == 1


def test_a_disk_that_fails_for_a_moment_is_told_and_told_to_be_well_again(tmp_path: Path) -> None:
    store = WatchedStore(open_store(tmp_path / "chain.db", EASY), tmp_path / "chain.db", EASY, 0)
    stage = ChainStage(*CHAIN, store=store)
    stage.supervisor.take()
    connection = store.handed_out
    connection.fail_at(2, IOERR)
    assert asked_for(stage, EASY.genesis.hash) == [Done(CONNS[A], 1)]
    connection.fail_at(1, IOERR)
    with pytest.raises(StoreError, match="cannot read the chain"):
        stage.pump.ask(stage.reader, GetBlock(number=1))
    assert stage.pump.ask(stage.reader, GetBlock(number=1)) is not None
    assert ailing(stage) == ["cannot read the chain: disk I/O error", None]
