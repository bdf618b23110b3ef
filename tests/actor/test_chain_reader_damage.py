"""The reader on a disk that does not give back what was written: it answers all the rest."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from actors.chain.messages import GetBlock, ListBlocks
from actors.chain.schema import StoreError, open_store
from actors.chain.store import Reader, Store
from actors.chain.wire import GET_BLOCKS_KIND, decode_batch, encode_locator
from actors.messaging.messages import Done, RespondBatch
from actors.runtime.supervisor import Ailing
from actors.search.messages import LookedUp, LookUp
from tests.support.chain_stage import CONNS, A, ChainStage
from tests.support.chains import EASY, mine_chain
from tests.support.faulty_disk import IOERR, FailingConnection, failing

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


def test_a_damaged_block_is_answered_to_peers_as_if_we_did_not_have_it(stage: ChainStage) -> None:
    (answer,) = asked_for(stage, EASY.genesis.hash)
    assert isinstance(answer, RespondBatch)
    assert [payload for _, payload in answer.answers] == [b""]
    stage.reader.tell(LookUp(8, BAD.hash, stage.search.address))
    stage.pump.run_until_idle()
    assert stage.search.messages[-1] == LookedUp(8, None)


def test_the_reader_says_once_what_is_damaged_and_how_to_mend_it_and_goes_on(
    stage: ChainStage,
) -> None:
    for _ in range(3):
        asked_for(stage, EASY.genesis.hash)
        (answer,) = asked_for(stage, BAD.hash)
        assert isinstance(answer, RespondBatch)
        assert decode_batch(answer.answers[0][1]) == CHAIN[10:]
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
