import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.chain.importer import Importer
from actors.chain.store import Store, StoreError
from actors.chain.verify import MAX_DIVERGENCES, Fault, Progress, Report, verify
from tests.support.chains import ALICE, BOB, EASY, EASY_OTHER, mine, mine_chain, transfer

CHAIN = mine_chain(EASY, EASY.genesis.ref, 150)
LAST = mine(EASY, CHAIN[-1].ref, BOB.public, [transfer(ALICE, BOB.public, n, 1) for n in (0, 1)])


def run(path: Path) -> tuple[list[Progress], Report]:
    steps = verify(path, EASY)
    progress: list[Progress] = []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as end:
            report: Report = end.value
            return progress, report


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store.open(tmp_path / "chain.db", EASY)
    Importer(opened, EASY).add((*CHAIN, LAST))
    return opened


def test_a_sound_chain_has_no_divergence_even_while_the_node_runs(
    store: Store, tmp_path: Path
) -> None:
    progress, report = run(tmp_path / "chain.db")
    assert progress == [Progress(0, 152), Progress(100, 152), Progress(152, 152)]
    assert report == Report(LAST.ref, 152, 2, ())
    assert store.tip() == LAST.ref


def test_a_stopped_node_is_verified_as_well(store: Store, tmp_path: Path) -> None:
    store.close()
    _, report = run(tmp_path / "chain.db")
    assert report.divergences == ()


@pytest.mark.parametrize(
    ("damage", "faults"),
    [
        ("UPDATE accounts SET balance = balance + 1 WHERE height = 151", {Fault.ACCOUNTS}),
        ("UPDATE accounts SET nonce = 5 WHERE height = 151", {Fault.ACCOUNTS}),
        ("DELETE FROM accounts WHERE height = 151", {Fault.ACCOUNTS}),
        ("INSERT INTO accounts VALUES (x'00', 3, 1, 1)", {Fault.ACCOUNTS}),
        ("INSERT INTO accounts VALUES (x'00', 999, 1, 1)", {Fault.ACCOUNTS}),
        ("UPDATE transactions SET position = 7 - position", {Fault.TRANSACTIONS}),
        ("INSERT INTO transactions VALUES (x'00', 999, 1)", {Fault.TRANSACTIONS}),
        ("UPDATE blocks SET raw = x'00' WHERE number = 7", {Fault.BLOCK}),
        ("UPDATE blocks SET number = 8 WHERE number = 7", {Fault.BLOCK}),
        ("DELETE FROM canonical WHERE number = 7", {Fault.BLOCK}),
        ("DELETE FROM blocks WHERE number = 7", {Fault.BLOCK}),
        ("UPDATE canonical SET block = 5 WHERE number = 7", {Fault.INVALID}),
    ],
)
def test_what_differs_is_found(
    store: Store, tmp_path: Path, damage: str, faults: set[Fault]
) -> None:
    store._db.execute(damage)
    store.close()
    _, report = run(tmp_path / "chain.db")
    assert {divergence.fault for divergence in report.divergences} >= faults


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE blocks SET raw = x'00' WHERE id = 153",
        "UPDATE blocks SET raw = CAST(raw AS TEXT) WHERE id = 153",
        "UPDATE blocks SET number = 105 WHERE id = 154",
        "UPDATE blocks SET parent_hash = randomblob(32) WHERE id = 153",
        "DELETE FROM blocks WHERE id = 153",
        "UPDATE pending SET raw = x'00'",
    ],
)
def test_damage_is_found_in_blocks_that_are_not_canonical_too(
    store: Store, tmp_path: Path, damage: str
) -> None:
    """The node meets it one day, and says that a repair is due: which looks here whether it is."""
    side = mine_chain(EASY, CHAIN[99].ref, 2, BOB.public)
    Importer(store, EASY).add(side)
    with store.transaction():
        store.add_pending(mine_chain(EASY, LAST.ref, 2)[1])
    assert run(tmp_path / "chain.db")[1].divergences == ()
    store._db.execute(damage)
    store.close()
    _, report = run(tmp_path / "chain.db")
    assert {divergence.fault for divergence in report.divergences} == {Fault.BLOCK}


def test_an_index_that_has_a_block_under_another_hash_is_damage(
    store: Store, tmp_path: Path
) -> None:
    store.close()
    path, index_leaf = tmp_path / "chain.db", 0x0A
    raw = bytearray(path.read_bytes())
    leaves = [at for at in range(0, len(raw), 4096) if raw[at] == index_leaf]
    wanted = CHAIN[7].hash
    (found,) = (raw.find(wanted, at, at + 4096) for at in leaves if wanted in raw[at : at + 4096])
    raw[found + 31] ^= 1
    path.write_bytes(raw)
    assert {divergence.fault for divergence in run(path)[1].divergences} >= {Fault.DAMAGED}


def test_the_list_of_divergences_is_bounded(store: Store, tmp_path: Path) -> None:
    store._db.execute("DELETE FROM accounts")
    _, report = run(tmp_path / "chain.db")
    assert len(report.divergences) == MAX_DIVERGENCES


def overwrite(path: Path, change: Callable[[bytearray], None]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def test_a_damaged_page_is_reported(store: Store, tmp_path: Path) -> None:
    store.close()
    path = tmp_path / "chain.db"
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'accounts'"
        ).fetchone()
    connection.close()
    start = (page - 1) * 4096
    overwrite(path, lambda content: content.__setitem__(slice(start, start + 4096), b"\xaa" * 4096))
    _, report = run(path)
    assert report.divergences[0].fault is Fault.DAMAGED


def test_another_networks_chain_is_refused(store: Store, tmp_path: Path) -> None:
    assert store.tip() == LAST.ref
    with pytest.raises(StoreError):
        next(verify(tmp_path / "chain.db", EASY_OTHER))
