"""What the disk can do to a store: no room in the middle of a batch, and pages that are not what they were."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from actors.chain.importer import Importer
from actors.chain.messages import BlockOutcome
from actors.chain.outage import LAST_RETRY_S
from actors.chain.schema import UnwritableError
from actors.chain.serving import Serving
from actors.chain.store import Store, StoreError
from actors.chain.verify import Fault, Report, verify
from actors.chain.wire import encode_locator
from actors.gossip.messages import Decision
from actors.ledger.types import Block
from tests.support.chain_stage import ChainStage
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer

CHAIN = mine_chain(EASY, EASY.genesis.ref, 60)
SIDE = mine_chain(EASY, CHAIN[9].ref, 52, BOB.public)
PAID = mine(EASY, CHAIN[-1].ref, BOB.public, [transfer(ALICE, BOB.public, n, 1) for n in range(5)])

T = TypeVar("T")
TABLES = ("blocks", "canonical", "tips", "accounts", "transactions", "pending", "meta")


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    return {table: sorted(store._db.execute(f"SELECT * FROM {table}")) for table in TABLES}


def leave_no_room(store: Store, pages: int = 0) -> None:
    """Let the file grow by so many pages and no further."""
    (count,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {count + pages}")


def make_room(store: Store) -> None:
    store._db.execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize("pages", range(2))
@pytest.mark.parametrize("batch", [(*CHAIN[20:], PAID), SIDE], ids=["run", "reorganisation"])
def test_a_full_disk_undoes_the_whole_batch_and_the_next_try_has_it(
    tmp_path: Path, batch: tuple[Block, ...], pages: int
) -> None:
    store = Store.open(tmp_path / "chain.db", EASY)
    importer = Importer(store, EASY)
    importer.add(CHAIN[:20])
    before, tip = content(store), store.tip()
    leave_no_room(store, pages)
    with pytest.raises(UnwritableError, match="full"):
        importer.add(batch)
    assert (store.tip(), store.account(ALICE.public).balance) == (tip, 2_000)
    assert content(store) == before
    make_room(store)
    assert {v.outcome for v in importer.add(batch).verdicts} == {BlockOutcome.CONNECTED}
    untroubled = Store.open(None, EASY)
    Importer(untroubled, EASY).add(CHAIN[:20])
    Importer(untroubled, EASY).add(batch)
    assert content(store) == content(untroubled)
    store.close()


def test_of_what_a_full_disk_undid_nobody_is_told_until_there_is_room(tmp_path: Path) -> None:
    stage = ChainStage(*CHAIN[:20], path=tmp_path / "chain.db")
    leave_no_room(stage.store)
    taken = 20
    # As long as there is room in pages begun.
    while stage.gossiped(CHAIN[taken]) == [Decision.RELAY]:
        taken += 1
    stage.forget()
    assert stage.gossiped(CHAIN[taken + 1]) == [Decision.DROP]
    assert stage.changes() == []
    assert stage.published() == []
    assert stage.events.messages == []
    make_room(stage.store)
    stage.pump.run_for(LAST_RETRY_S)
    assert stage.info().tip == CHAIN[taken + 1].ref


def overwrite_page(path: Path, number: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[(number - 1) * 4096 : number * 4096] = b"\xaa" * 4096
    path.write_bytes(raw)


def use(path: Path) -> list[object]:
    """All that a node asks of its store, from the start on."""
    with closing(Store.open(path, EASY)) as store:
        answers: list[object] = [store.tip(), store.longest(), store.side_blocks()]
        answers += [store.block(block.hash) for block in CHAIN]
        answers += [store.hash_at(block.number) for block in CHAIN]
        answers += [store.account_at(ALICE.public, block.number) for block in CHAIN]
        answers += [store.addresses(b"", 9), store.tips(None, 9), store.highest_invalidated()]
        answers += [store.transaction_place(tx.id) for tx in PAID.transactions]
        answers += list(store.canonical_raws(0, 99))
        answers += [store.pending_roots(), store.pending_root(CHAIN[1].hash), store.is_awaited(b"")]
        answers += [store.pending_count(), store.has_mark(CHAIN[3].hash)]
        answers += [Importer(store, EASY).add(SIDE, keep=False)]
        answers += [Importer(store, EASY).add((mine(EASY, PAID.ref),), keep=False)]
        return answers


def damage_each_page(path: Path, folder: Path) -> list[tuple[Path, int]]:
    """A copy of the file for each of its pages, with that page overwritten."""
    copies = []
    for page in range(1, path.stat().st_size // 4096 + 1):
        copy = folder / f"{page}.db"
        copy.write_bytes(path.read_bytes())
        overwrite_page(copy, page)
        copies.append((copy, page))
    return copies


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """The closed file of a chain, with something in every table."""
    path = tmp_path / "chain.db"
    store = Store.open(path, EASY)
    Importer(store, EASY).add((*CHAIN, PAID, *SIDE[:5]))
    with store.transaction():
        for block in mine_chain(EASY, mine(EASY, SIDE[-1].ref).ref, 9):
            store.add_pending(block)
    Importer(store, EASY).invalidate(SIDE[2].hash)
    store.close()
    return path


def report_of(path: Path) -> Report:
    steps = verify(path, EASY)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            report: Report = end.value
            return report


def outcome(ask: Callable[[Path], T], path: Path) -> T | str:
    """The answer, or what the operator is told instead."""
    try:
        return ask(path)
    except StoreError as error:
        return str(error)


def test_of_a_damaged_page_a_node_says_so_or_does_not_need_it(sound: Path, tmp_path: Path) -> None:
    expected = use(sound)
    told = 0
    for copy, page in damage_each_page(sound, tmp_path):
        answers = outcome(use, copy)
        if isinstance(answers, str):
            told += 1
            assert "troupe repair" in answers, page
        else:
            assert answers == expected, page
    assert told >= len(TABLES)


def test_verification_finds_every_damaged_page(sound: Path, tmp_path: Path) -> None:
    for copy, page in damage_each_page(sound, tmp_path):
        report = outcome(report_of, copy)
        if isinstance(report, str):
            assert "troupe repair" in report, page
        else:
            assert Fault.DAMAGED in {divergence.fault for divergence in report.divergences}, page


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
    "another block": lambda _raw: CHAIN[30].raw,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_block_with_other_bytes_is_never_served(
    sound: Path, change: Callable[[bytes], bytes]
) -> None:
    block = CHAIN[40]
    with closing(sqlite3.connect(sound)) as connection, connection:
        connection.execute(
            "UPDATE blocks SET raw = ? WHERE hash = ?", (change(block.raw), block.hash)
        )
    with closing(Store.open(sound, EASY)) as store:
        for ask in (
            lambda: store.block(block.hash),
            lambda: store.raw(block.hash),
            lambda: list(store.canonical_raws(1, 99)),
            lambda: Serving(store).blocks_after(encode_locator((EASY.genesis.hash,))),
        ):
            with pytest.raises(StoreError, match="troupe repair"):
                ask()


def test_a_pending_block_with_other_bytes_is_not_connected(sound: Path) -> None:
    parent = mine(EASY, SIDE[-1].ref)
    with closing(sqlite3.connect(sound)) as connection, connection:
        connection.execute(
            "UPDATE pending SET raw = ? WHERE parent_hash = ?", (CHAIN[30].raw, parent.hash)
        )
    with (
        closing(Store.open(sound, EASY)) as store,
        pytest.raises(StoreError, match="troupe repair"),
    ):
        store.pending_children(parent.hash)
