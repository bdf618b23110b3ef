import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.chain.schema import open_store
from actors.chain.store import Store, StoreError, TransactionPlace, decode_stored
from actors.chain.tree import Header, Status
from actors.ledger.codec import make_block
from actors.ledger.types import EMPTY_ACCOUNT, Account, Block, BlockRef
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, raws, transfer

GENESIS = EASY.genesis
CHAIN = mine_chain(EASY, GENESIS.ref, 5)
SIDE = mine_chain(EASY, CHAIN[1].ref, 2, BOB.public)
LAST = mine(EASY, CHAIN[-1].ref, ALICE.public, [transfer(ALICE, BOB.public, 0, 30)])


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open(None, EASY)
    yield opened
    opened.close()


def connect(store: Store, *blocks: Block) -> None:
    """Make blocks canonical; ALICE has ten times the number of the last one."""
    with store.transaction():
        for block in blocks:
            store.add_block(block, Status.STORED)
            store.connect([(block, {ALICE.public: Account(10 * block.number, block.number)})])


def header(block: Block, status: Status) -> Header:
    return Header(block.hash, block.number, block.parent_hash, status)


def test_a_connected_block_is_the_tip_and_valid(store: Store) -> None:
    connect(store, *CHAIN)
    assert store.tip() == CHAIN[-1].ref
    assert store.header(CHAIN[0].hash) == header(CHAIN[0], Status.VALID)
    assert store.hash_at(3) == CHAIN[2].hash
    assert store.hash_at(6) is None
    assert store.is_canonical(CHAIN[2].ref)
    assert not store.is_canonical(BlockRef(3, b"x" * 32))
    assert tuple(store.canonical_raws(2, 4)) == raws(CHAIN[1:4])


def test_a_block_that_is_only_stored_is_not_canonical(store: Store) -> None:
    connect(store, *CHAIN[:2])
    with store.transaction():
        store.add_block(SIDE[0], Status.STORED)
    assert store.block(SIDE[0].hash) == SIDE[0]
    assert store.tip() == CHAIN[1].ref
    assert store.side_blocks() == 1
    assert store.longest() == header(SIDE[0], Status.STORED)


def test_what_is_not_there_is_none(store: Store) -> None:
    assert store.header(b"x" * 32) is None
    assert store.block(b"x" * 32) is None
    assert store.raw(b"x" * 32) is None
    assert store.transaction_place(b"x" * 32) is None
    assert store.account(b"x" * 32) == EMPTY_ACCOUNT
    assert store.account_at(b"x" * 32, 0) == EMPTY_ACCOUNT


def test_an_account_is_read_as_of_any_block(store: Store) -> None:
    connect(store, *CHAIN[:1])
    with store.transaction():
        store.add_block(CHAIN[1], Status.STORED)
        store.connect([(CHAIN[1], {})])
    connect(store, *CHAIN[2:3])
    balances = [store.account_at(ALICE.public, height).balance for height in range(5)]
    assert balances == [0, 10, 10, 30, 30]
    assert store.account(ALICE.public) == Account(30, 3)


def test_a_balance_may_be_the_largest_integer(store: Store) -> None:
    richest = Account(2**63 - 1, 2**63 - 1)
    with store.transaction():
        store.add_block(CHAIN[0], Status.STORED)
        store.connect([(CHAIN[0], {BOB.public: richest})])
    assert store.account(BOB.public) == richest


def test_a_transaction_is_found_while_its_block_is_canonical(store: Store) -> None:
    connect(store, *CHAIN, LAST)
    tx_id = LAST.transactions[0].id
    assert store.transaction_place(tx_id) == TransactionPlace(6, 0)
    with store.transaction():
        store.disconnect_above(5)
    assert store.transaction_place(tx_id) is None


@pytest.mark.parametrize("depth", range(6))
def test_disconnecting_restores_every_account(store: Store, depth: int) -> None:
    connect(store, *CHAIN)
    with store.transaction():
        store.disconnect_above(5 - depth)
    assert store.tip().number == 5 - depth
    assert store.account(ALICE.public).balance == 10 * (5 - depth)
    assert store.block(CHAIN[-1].hash) == CHAIN[-1], "the block itself stays"


def test_of_equally_long_branches_the_first_seen_is_the_longest(store: Store) -> None:
    with store.transaction():
        for block in (*CHAIN[:2], *SIDE, *CHAIN[2:4]):
            store.add_block(block, Status.STORED)
    assert store.longest().hash == SIDE[1].hash


def test_marking_invalid_takes_all_descendants_and_nothing_else(store: Store) -> None:
    with store.transaction():
        for block in (*CHAIN, *SIDE):
            store.add_block(block, Status.STORED)
        store.mark_invalid(CHAIN[2].hash)
    marked = [store.header(block.hash) for block in (*CHAIN, *SIDE)]
    statuses = [found.status for found in marked if found is not None]
    good, bad = Status.STORED, Status.INVALID
    assert statuses == [good, good, bad, bad, bad, good, good]
    assert store.longest().hash == SIDE[1].hash


def test_a_failure_in_a_transaction_undoes_all_of_it(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            store.add_block(CHAIN[0], Status.STORED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.header(CHAIN[0].hash) is None


def test_a_rehearsal_undoes_all_of_it(store: Store) -> None:
    with store.transaction(keep=False):
        store.add_block(CHAIN[0], Status.STORED)
    assert store.header(CHAIN[0].hash) is None


def test_the_remembered_tip_is_that_of_the_file_after_whatever_happens(store: Store) -> None:
    reader = store.reader()

    def agree() -> BlockRef:
        assert store.tip() == reader.tip()
        return store.tip()

    agree()
    connect(store, *CHAIN)
    assert agree() == CHAIN[-1].ref
    with contextlib.suppress(RuntimeError), store.transaction():
        store.disconnect_above(1)
        assert agree() == CHAIN[0].ref
        raise RuntimeError
    assert agree() == CHAIN[-1].ref
    with store.transaction(keep=False):
        store.disconnect_above(2)
        assert agree() == CHAIN[1].ref
    assert agree() == CHAIN[-1].ref


def test_the_remembered_headers_are_those_of_the_file_after_whatever_happens(store: Store) -> None:
    reader = store.reader()

    def agree() -> list[Header | None]:
        headers = [store.header(block.hash) for block in (*CHAIN, *SIDE)]
        assert headers == [store.header(block.hash) for block in (*CHAIN, *SIDE)]  # remembered
        assert headers == [reader.header(block.hash) for block in (*CHAIN, *SIDE)]
        assert store.side_blocks() == store.side_blocks() == reader.side_blocks()
        return headers

    assert set(agree()) == {None}
    connect(store, *CHAIN)
    stored = agree()
    assert None in stored, "SIDE is unknown"
    with contextlib.suppress(RuntimeError), store.transaction():
        store.add_block(SIDE[0], Status.STORED)
        store.mark_invalid(CHAIN[2].hash)
        assert agree() != stored
        raise RuntimeError
    assert agree() == stored
    with store.transaction(keep=False):
        store.mark_invalid(CHAIN[2].hash)
        assert agree() != stored
    assert agree() == stored
    with store.transaction():
        store.add_block(SIDE[0], Status.STORED)
    assert agree() != stored
    assert store.side_blocks() == 1


def test_no_more_headers_are_remembered_than_there_is_room_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.chain.store.MAX_REMEMBERED_HEADERS", 3)
    for unknown in (b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32):
        assert store.header(unknown) is None
    assert len(store._headers) <= 3


def test_bytes_that_are_no_block_are_the_fault_of_the_file() -> None:
    with pytest.raises(StoreError):
        decode_stored(b"rubbish")


def test_pending_blocks_are_found_by_their_parent_and_their_root(store: Store) -> None:
    with store.transaction():
        for block in reversed(CHAIN[1:]):
            store.add_pending(block)
            store.add_pending(block)
    assert store.pending_header(CHAIN[1].hash) == header(CHAIN[1], Status.STORED)
    assert store.is_awaited(CHAIN[0].hash)
    assert not store.is_awaited(CHAIN[-1].hash)
    assert store.pending_children(CHAIN[0].hash) == (CHAIN[1],)
    assert store.pending_root(CHAIN[4].hash) == header(CHAIN[1], Status.STORED)
    assert store.pending_root(CHAIN[0].hash) is None
    assert store.pending_roots() == (CHAIN[1].hash,)
    assert store.pending_count() == 4


def test_a_root_is_found_by_parents_whatever_the_numbers_say(store: Store) -> None:
    misnumbered = make_block(1, 0, CHAIN[3].hash, b"c" * 32, ())
    with store.transaction():
        for block in (*CHAIN[2:], misnumbered):
            store.add_pending(block)
    assert store.pending_root(misnumbered.hash) == header(CHAIN[2], Status.STORED)


def test_a_line_is_measured_and_removed_and_no_other(store: Store) -> None:
    with store.transaction():
        for block in (*CHAIN[1:], *SIDE[1:]):
            store.add_pending(block)
    assert store.pending_roots() == (SIDE[1].hash, CHAIN[1].hash)
    assert store.line_length(CHAIN[1].hash, 10) == 4
    assert store.line_length(CHAIN[1].hash, 3) == 3
    with store.transaction():
        store.remove_line(CHAIN[1].hash)
    assert store.pending_roots() == (SIDE[1].hash,)
    assert store.pending_count() == len(SIDE) - 1


def test_pending_blocks_are_counted_through_all_that_changes_them(store: Store) -> None:
    assert store.pending_count() == 0
    with store.transaction():
        for block in (*CHAIN, CHAIN[0]):
            store.add_pending(block)
        store.remove_pending([CHAIN[0].hash, GENESIS.hash])
        store.remove_pending([])
    assert store.pending_count() == len(CHAIN) - 1
    with store.transaction(keep=False):
        store.remove_line(CHAIN[1].hash)
        assert store.pending_count() == 0
    assert store.pending_count() == len(CHAIN) - 1
    with contextlib.suppress(sqlite3.IntegrityError), store.transaction():
        store.add_pending(CHAIN[0])
        store.add_block(GENESIS, Status.STORED)
    assert store.pending_count() == len(CHAIN) - 1


def test_a_kill_in_the_middle_of_a_transaction_leaves_the_chain_before_it(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "chain.db", EASY)
    connect(store, *CHAIN[:2])
    with store.transaction():
        store.disconnect_above(1)
        store.add_block(CHAIN[2], Status.STORED)
        store.mark_invalid(CHAIN[1].hash)
        store._db.execute("PRAGMA cache_spill = 1")
        store._db.execute("PRAGMA cache_size = 1")  # pages reach the log before the commit
        for block in CHAIN[3:]:
            store.add_block(block, Status.STORED)
        killed = tmp_path / "killed"
        killed.mkdir()
        for name in ("chain.db", "chain.db-wal"):
            shutil.copy(tmp_path / name, killed / name)
    survivor = Store.open(killed / "chain.db", EASY)
    assert survivor.tip() == CHAIN[1].ref
    assert survivor.account(ALICE.public) == Account(20, 2)
    assert survivor.header(CHAIN[2].hash) is None
    assert survivor.header(CHAIN[1].hash) == header(CHAIN[1], Status.VALID)


@pytest.mark.parametrize("torn_bytes", [1, 100, 4096, 5000])
def test_a_torn_log_loses_the_last_commit_as_a_whole(tmp_path: Path, torn_bytes: int) -> None:
    store = Store.open(tmp_path / "chain.db", EASY)
    connect(store, CHAIN[0])
    connect(store, CHAIN[1])
    killed = tmp_path / "killed"
    killed.mkdir()
    shutil.copy(tmp_path / "chain.db", killed / "chain.db")
    log = (tmp_path / "chain.db-wal").read_bytes()
    (killed / "chain.db-wal").write_bytes(log[:-torn_bytes])
    survivor = Store.open(killed / "chain.db", EASY)
    assert survivor.tip() == CHAIN[0].ref
    assert survivor.account(ALICE.public) == Account(10, 1)


def test_a_reader_sees_commits_and_only_those_from_another_thread(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "chain.db", EASY)
    connect(store, *CHAIN[:2])
    reader = store.reader()
    seen: list[object] = []

    def read() -> None:
        seen.extend((reader.tip(), reader.account(ALICE.public)))

    def on_another_thread() -> None:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()

    with store.transaction():
        store.disconnect_above(0)
        on_another_thread()
    on_another_thread()
    assert seen == [CHAIN[1].ref, Account(20, 2), GENESIS.ref, EMPTY_ACCOUNT]
    reader.close()


def test_a_reader_of_a_store_in_memory_sees_the_store(store: Store) -> None:
    reader = store.reader()
    connect(store, *CHAIN)
    assert reader.tip() == CHAIN[-1].ref
    reader.close()
    assert store.tip() == CHAIN[-1].ref


def test_no_statement_scans_a_table(tmp_path: Path) -> None:
    """Cost per block must not depend on the number of blocks or accounts."""
    path = tmp_path / "chain.db"
    store = Store(open_store(path, EASY), path, EASY, keep_history=2)
    statements: list[str] = []
    store._db.set_trace_callback(statements.append)
    connect(store, *CHAIN, LAST)
    new = mine(EASY, LAST.ref)
    with store.transaction():
        store.extend([(new, {ALICE.public: Account(1, 1)})])
    with store.transaction():
        store.add_pending(SIDE[0])
        store.mark_invalid(SIDE[0].hash)
        store.invalidate(CHAIN[4].hash)
        store.reconsider(CHAIN[4].hash)
        store.disconnect_above(4)
        store.remove_pending([SIDE[0].hash])
        store.remove_line(SIDE[0].hash)
    for question in (store.tip, store.longest, store.side_blocks, store.highest_invalidated):
        question()
    for by_hash in (
        store.pending_root,
        store.pending_children,
        store.pending_header,
        store.is_awaited,
    ):
        by_hash(SIDE[0].hash)
    store.line_length(SIDE[0].hash, 10)
    store.account(ALICE.public)
    store.account_at(ALICE.public, 2)
    store.transaction_place(SIDE[0].hash)
    list(store.canonical_raws(1, 2))
    store._db.set_trace_callback(None)
    plans = {
        (line[3], statement)
        for statement in statements
        if not statement.startswith(("BEGIN", "COMMIT"))
        for line in store._db.execute("EXPLAIN QUERY PLAN " + statement)
    }
    recursive = ("SCAN found", "SCAN down", "SCAN line")
    ordered = ("USING INDEX", "USING COVERING INDEX", "SCAN canonical", *recursive)
    scans = {
        (plan, statement)
        for plan, statement in plans
        if plan.startswith("SCAN")
        and plan != "SCAN CONSTANT ROW"
        and not (
            any(word in plan for word in ordered) or "max(" in statement or "min(" in statement
        )
    }
    assert not scans
