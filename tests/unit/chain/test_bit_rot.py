"""A store in which a few bits are other ones: said to be damaged, whatever it is that they make nonsense of."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from actors.chain.checkup import FoundDamaged
from actors.chain.importer import Importer
from actors.chain.messages import (
    GetAccount,
    GetBlock,
    GetTransaction,
    ListAccounts,
    ListBlocks,
    ListTips,
)
from actors.chain.repair import rebuild
from actors.chain.schema import open_for_reading
from actors.chain.serving import Serving
from actors.chain.signatures import Signatures
from actors.chain.store import Reader, Store, StoreError
from actors.chain.verify import verify
from actors.chain.wire import encode_locator
from actors.config import MIN_KEEP_HISTORY
from actors.ledger.types import Block
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer
from tests.unit.chain.test_checkup import looked
from tests.unit.chain.test_repair import done

CHAIN = mine_chain(EASY, EASY.genesis.ref, 40)
PAID = mine(EASY, CHAIN[-1].ref, BOB.public, [transfer(ALICE, BOB.public, n, 1) for n in range(3)])
NEXT = mine(EASY, PAID.ref, BOB.public, [transfer(ALICE, BOB.public, 3, 1)])
QUESTIONS = (
    GetBlock(number=5),
    GetTransaction(PAID.transactions[2].id),
    GetAccount(ALICE.public),
    GetAccount(BOB.public, at_number=41),
    ListAccounts(10),
    ListBlocks(None, 50),
    ListTips(10),
)
COLUMNS = (
    "blocks.raw",
    "blocks.status",
    "blocks.hash",
    "accounts.balance",
    "accounts.nonce",
    "transactions.number",
    "transactions.position",
)
VALUES = ("'nonsense'", "x'00'", "1.5", "CAST(x'ff' AS TEXT)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "chain.db"
    with closing(Store.open(path, EASY)) as store:
        Importer(store, EASY).add((*CHAIN, PAID))
    return path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def served(path: Path, first: int) -> bytes | None:
    """What a peer gets who has all blocks below this one."""
    with closing(Reader(open_for_reading(path, EASY))) as reader:
        return Serving(reader).blocks_after(encode_locator([CHAIN[first - 2].hash]))


def garble_schema(path: Path) -> None:
    """A bit of a table's name: what SQLite says of it is no text."""
    raw = path.read_bytes()
    assert raw.count(b"TABLE meta") == 1
    path.write_bytes(raw.replace(b"TABLE meta", b"\xd4ABLE meta"))


def test_a_block_whose_kind_of_column_is_another_one_is_not_served_to_peers(path: Path) -> None:
    assert served(path, first=20)
    change(path, "UPDATE blocks SET raw = CAST(raw AS TEXT) WHERE number = 20")
    with pytest.raises(StoreError, match="troupe repair"):
        served(path, first=20)


def test_a_start_on_such_a_block_is_refused_in_a_sentence(path: Path) -> None:
    change(path, "UPDATE blocks SET raw = CAST(raw AS TEXT) WHERE number = 40")
    with pytest.raises(StoreError, match="troupe repair"):
        Store.open(path, EASY)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("column", COLUMNS)
def test_nonsense_in_a_column_is_damage_to_whoever_asks(
    path: Path, column: str, value: str
) -> None:
    table, _, name = column.partition(".")
    below = "WHERE number < 20" if table == "blocks" else "WHERE 1"
    change(path, f"UPDATE OR IGNORE {table} SET {name} = {value} {below}")
    with closing(Reader(open_for_reading(path, EASY))) as reader:
        serving = Serving(reader)
        for question in QUESTIONS:
            with suppress(StoreError, sqlite3.OperationalError):
                serving.answer(question)
    assert done(verify(path, EASY)).divergences


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    ("column", "block"),
    [("blocks.status", CHAIN[30]), ("accounts.balance", NEXT), ("accounts.nonce", NEXT)],
)
def test_nonsense_that_an_import_meets_is_damage_and_leaves_the_tip_alone(
    path: Path, column: str, block: Block, value: str
) -> None:
    table, _, name = column.partition(".")
    change(path, f"UPDATE {table} SET {name} = {value}")
    with closing(Store.open(path, EASY)) as store:
        with pytest.raises((StoreError, sqlite3.OperationalError)):
            Importer(store, EASY).add((block,))
        assert store.tip() == PAID.ref


@pytest.mark.parametrize("column", ["hash", "parent_hash"])
def test_a_side_branch_that_stands_on_nothing_any_more_is_damage_to_whoever_follows_it(
    path: Path, column: str
) -> None:
    side = mine_chain(EASY, CHAIN[30].ref, 12, BOB.public)
    with closing(Store.open(path, EASY)) as store:
        Importer(store, EASY).add(side[:5])
    change(path, f"UPDATE blocks SET {column} = randomblob(32) WHERE id = {len(CHAIN) + 4}")
    with closing(Store.open(path, EASY)) as store:
        with pytest.raises(StoreError, match="troupe repair"):
            Serving(store).answer(ListTips(10))
        with pytest.raises(StoreError, match="troupe repair"):
            Importer(store, EASY).add(side[5:])
        assert store.tip() == PAID.ref


def test_an_index_that_knows_a_block_no_more_is_damage_and_no_bug_that_somebody_sent(
    path: Path,
) -> None:
    side = mine_chain(EASY, CHAIN[30].ref, 5, BOB.public)
    with closing(Store.open(path, EASY)) as store:
        Importer(store, EASY).add(side)
        index = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_blocks_1'"
        (root,) = store._db.execute(index).fetchone()
    drop_cell(path, root, side[-1].hash)
    with closing(Store.open(path, EASY)) as store:
        with pytest.raises(StoreError, match="troupe repair"):
            Importer(store, EASY).invalidate(CHAIN[32].hash)
        assert store.tip() == PAID.ref


def drop_cell(path: Path, page: int, value: bytes) -> None:
    """Take what has this value in it out of a leaf of an index."""
    raw = bytearray(path.read_bytes())
    begin = 4096 * (page - 1)
    pointers = begin + 8
    count = int.from_bytes(raw[begin + 3 : begin + 5])
    places = [int.from_bytes(raw[at : at + 2]) for at in range(pointers, pointers + 2 * count, 2)]
    kept = [at for at in places if value not in raw[begin + at : begin + at + 5 + len(value)]]
    assert len(kept) == count - 1
    raw[begin + 3 : begin + 5] = len(kept).to_bytes(2)
    raw[pointers : pointers + 2 * len(kept)] = b"".join(at.to_bytes(2) for at in kept)
    path.write_bytes(raw)


def test_a_store_without_a_block_to_follow_is_damaged(path: Path) -> None:
    change(path, "UPDATE blocks SET status = 2")
    with closing(Store.open(path, EASY)) as store, pytest.raises(StoreError, match="repair"):
        Importer(store, EASY).add((mine(EASY, CHAIN[20].ref, BOB.public),))


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("key", ["history", "pruning"])
def test_nonsense_about_the_history_is_damage_that_a_start_and_a_verification_say(
    path: Path, key: str, value: str
) -> None:
    change(path, "INSERT INTO meta VALUES ('history', '3')")
    change(path, f"INSERT OR REPLACE INTO meta VALUES ('{key}', {value})")
    with pytest.raises((StoreError, sqlite3.OperationalError)):
        Store.open(path, EASY, keep_history=MIN_KEEP_HISTORY)
    with suppress(StoreError):
        assert done(verify(path, EASY)).divergences


def test_a_schema_that_is_no_text_any_more_is_damage_and_can_be_repaired(path: Path) -> None:
    garble_schema(path)
    with pytest.raises(StoreError, match="troupe repair"):
        Store.open(path, EASY)
    with pytest.raises(StoreError, match="troupe repair"):
        done(verify(path, EASY))
    (found,) = looked(path)
    assert isinstance(found, FoundDamaged)
    rebuilt = done(rebuild(path, path.with_name("draft"), EASY, Signatures(EASY)))
    assert (rebuilt.tip, rebuilt.lost_marks) == (PAID.ref, None)
