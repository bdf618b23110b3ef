import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.chain import history, replay
from actors.chain import verify as verification
from actors.chain.archive import Archive
from actors.chain.backup import BackupError, copy_store
from actors.chain.importer import Importer
from actors.chain.messages import TipChanged
from actors.chain.replay import ScratchError
from actors.chain.schema import open_store
from actors.chain.store import Store, StoreError
from actors.chain.verify import Fault, Report, verify
from actors.config import MIN_KEEP_HISTORY
from actors.ledger.network import Network
from actors.ledger.types import Account, Block
from actors.runtime.clock import FakeClock
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer
from tests.support.faulty_disk import FULL, FaultyStore
from tests.support.thread_probe import TIMEOUT_S

CHAIN = mine_chain(EASY, EASY.genesis.ref, 30)
PAID = mine(EASY, CHAIN[-1].ref, BOB.public, [transfer(ALICE, BOB.public, n, 1) for n in (0, 1)])
KEEP = 5
LAST = b"\xee" * 32
"""An address behind all others."""


def open_with(path: Path | None, keep: int) -> Store:
    """A store that keeps less history than a user may ask for."""
    store = Store(open_store(path, EASY), path, EASY, keep)
    store.catch_up_history()
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chain.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = open_with(path, KEEP)
    add(opened, *CHAIN, PAID)
    yield opened
    opened.close()


def add(store: Store, *blocks: Block) -> TipChanged | None:
    return Importer(store, EASY).add(blocks).change


def heights(store: Store, address: bytes = ALICE.public) -> list[int]:
    """Of the versions of an account."""
    rows = store._db.execute("SELECT height FROM accounts WHERE address = ?", (address,))
    return [height for (height,) in rows]


def report_of(path: Path) -> Report:
    steps = verify(path, EASY)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            report: Report = end.value
            return report


def test_all_is_kept_unless_something_else_is_asked_for(path: Path) -> None:
    with contextlib.closing(Store.open(path, EASY)) as store:
        add(store, *CHAIN)
        assert store.history_start() == 0
        assert heights(store) == list(range(1, 31))


def test_only_what_the_newest_blocks_need_is_kept(store: Store) -> None:
    assert store.tip().number == 31
    assert store.history_start() == 26
    assert heights(store) == [26, 27, 28, 29, 30, 31]
    assert store.account_at(ALICE.public, 26) == Account(2_600, 0)
    assert store.reader().history_start() == 26
    assert tuple(store.canonical_raws(1, 3)) == tuple(block.raw for block in CHAIN[:3])


def test_an_account_that_did_not_change_lately_is_kept_as_it_was(path: Path) -> None:
    store = open_with(path, KEEP)
    add(store, mine(EASY, EASY.genesis.ref, BOB.public))
    add(store, *mine_chain(EASY, store.tip(), 30))
    assert store.account_at(BOB.public, store.history_start()) == Account(100, 0)


def test_below_the_history_an_account_is_as_far_as_is_known(store: Store) -> None:
    assert store.account_at(ALICE.public, 3) == store.account_at(ALICE.public, 26)
    assert store.account_at(BOB.public, 3) == Account()


@pytest.mark.parametrize("keep", [1, MIN_KEEP_HISTORY - 1, -1])
def test_a_history_too_short_to_live_with_is_refused(path: Path, keep: int) -> None:
    with pytest.raises(StoreError, match="too short"):
        Store.open(path, EASY, keep_history=keep)
    assert not path.exists()


def test_the_shortest_history_is_accepted(path: Path) -> None:
    Store.open(path, EASY, keep_history=MIN_KEEP_HISTORY).close()


def test_switching_it_off_leaves_the_beginning_where_it_is(path: Path, store: Store) -> None:
    store.close()
    with contextlib.closing(Store.open(path, EASY)) as again:
        assert again.history_start() == 26
        add(again, *mine_chain(EASY, PAID.ref, 9))
        assert again.history_start() == 26
        assert heights(again) == list(range(26, 41))


def test_a_longer_history_grows_from_where_it_begins(path: Path, store: Store) -> None:
    store.close()
    with contextlib.closing(open_with(path, 8)) as again:
        assert again.history_start() == 26
        add(again, *mine_chain(EASY, PAID.ref, 9))
        assert again.history_start() == 40 - 8


def test_an_old_chain_is_shortened_in_steps_and_goes_on_after_a_kill(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STEP_VERSIONS", 3)
    with contextlib.closing(Store.open(path, EASY)) as full:
        for number in range(12):
            add(full, mine(EASY, full.tip(), bytes([number]) * 32))
        add(full, *mine_chain(EASY, full.tip(), 10, LAST))
        balances = [full.account_at(bytes([n]) * 32, 20) for n in range(12)]
    cut = Store(open_store(path, EASY), path, EASY, KEEP)
    with cut.transaction():
        assert not cut.shorten_history(cut.tip().number)
    assert cut.history_start() == 17
    assert heights(cut, LAST) == list(range(13, 23)), "its turn comes later"
    assert [cut.account_at(bytes([n]) * 32, 20) for n in range(12)] == balances
    cut.close()
    assert report_of(path).divergences == ()
    with contextlib.closing(open_with(path, KEEP)) as store:
        assert heights(store, LAST) == list(range(17, 23))
        assert [store.account_at(bytes([n]) * 32, 20) for n in range(12)] == balances
    assert report_of(path).divergences == ()


def test_a_reorganisation_below_the_history_is_executed_from_genesis(
    path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    branch = mine_chain(EASY, CHAIN[9].ref, 22, BOB.public)
    with caplog.at_level("INFO"):
        change = add(store, *branch)
    assert change == TipChanged(branch[-1].ref, branch, (PAID, *reversed(CHAIN[10:])))
    assert "executing blocks 1 to 10 again" in caplog.text
    assert store.account(ALICE.public) == Account(1_000, 0)
    assert store.account(BOB.public) == Account(2_200, 0)
    assert store.history_start() == 32 - KEEP
    store.close()
    assert report_of(path).divergences == ()


def test_an_invalid_branch_below_the_history_leaves_no_trace(path: Path, store: Store) -> None:
    branch = mine_chain(EASY, CHAIN[9].ref, 21, BOB.public)
    bad = mine(EASY, branch[-1].ref, BOB.public, [transfer(BOB, ALICE.public, 7, 1)])
    before = heights(store)
    assert add(store, *branch, bad) is None
    assert (store.tip(), store.history_start(), heights(store)) == (PAID.ref, 26, before)
    store.close()
    assert report_of(path).divergences == ()


def test_the_operator_may_go_back_below_the_history(path: Path, store: Store) -> None:
    Importer(store, EASY).invalidate(CHAIN[4].hash)
    assert store.tip() == CHAIN[3].ref
    assert store.history_start() == 4
    assert store.account(ALICE.public) == Account(400, 0)
    Importer(store, EASY).reconsider(CHAIN[4].hash)
    assert store.tip() == PAID.ref
    store.close()
    assert report_of(path).divergences == ()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE accounts SET balance = balance + 1 WHERE height = 26",
        "UPDATE accounts SET balance = balance + 1 WHERE height = 29",
        "UPDATE accounts SET height = 25 WHERE height = 26",
        "DELETE FROM accounts WHERE height = 26",
        "DELETE FROM accounts WHERE height = 30",
        "INSERT INTO accounts VALUES (x'00', 3, 1, 1)",
        "UPDATE meta SET value = '20' WHERE key = 'history'",
        "UPDATE meta SET value = '99' WHERE key = 'history'",
    ],
)
def test_verification_of_a_short_history_finds_what_differs(
    path: Path, store: Store, damage: str
) -> None:
    store._db.execute(damage)
    store.close()
    assert {d.fault for d in report_of(path).divergences} == {Fault.ACCOUNTS}


def test_a_copy_of_a_short_history_is_one(path: Path, store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.touch()
    copy_store(path, copy, EASY, lambda _done, _total: None)
    assert report_of(copy).divergences == ()
    with contextlib.closing(Store.open(copy, EASY)) as restored:
        assert restored.history_start() == store.history_start() == 26
        assert restored.tip() == PAID.ref


def test_a_full_disk_moves_neither_the_tip_nor_the_history(store: Store) -> None:
    store._db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(Exception, match="full"):
        add(store, *mine_chain(EASY, PAID.ref, 200))
    assert (store.tip(), store.history_start()) == (PAID.ref, 26)
    assert heights(store) == [26, 27, 28, 29, 30, 31]


def test_no_account_is_forgotten_for_a_damaged_block(path: Path) -> None:
    store = open_with(path, KEEP)
    rich = mine(EASY, EASY.genesis.ref, BOB.public)
    chain = (rich, *mine_chain(EASY, rich.ref, 11))
    add(store, *chain[:9])
    store._db.execute("UPDATE blocks SET raw = ? WHERE number = 6", (rich.raw,))
    with pytest.raises(StoreError, match="troupe repair"):
        add(store, *chain[9:])
    assert store.account(BOB.public) == Account(100, 0)
    store.close()


@pytest.fixture
def little_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary files have no room."""

    class TightReplay(replay.Replay):
        def __init__(self, network: Network) -> None:
            super().__init__(network)
            self._db.execute("PRAGMA max_page_count = 2")

    monkeypatch.setattr(replay, "FLUSH_ACCOUNTS", 8)
    monkeypatch.setattr(verification, "Replay", TightReplay)


@pytest.fixture
def many_accounts(path: Path) -> Path:
    """A short history of more accounts than fit two pages."""
    with contextlib.closing(open_with(path, KEEP)) as store:
        for number in range(200):
            add(store, mine(EASY, store.tip(), bytes([number]) * 32))
    return path


@pytest.mark.usefixtures("little_scratch")
def test_without_room_for_scratch_files_no_store_is_called_damaged(many_accounts: Path) -> None:
    with pytest.raises(ScratchError, match="scratch file"):
        report_of(many_accounts)


@pytest.mark.usefixtures("little_scratch")
def test_without_room_for_scratch_files_a_copy_is_not_called_unsound(
    many_accounts: Path, tmp_path: Path
) -> None:
    with contextlib.closing(Archive(many_accounts, EASY, FakeClock())) as archive:
        job = archive.back_up(tmp_path / "copy.db", verified=True)
        with pytest.raises(BackupError, match="scratch file"):
            list(iter(lambda: job.next_soon().result(TIMEOUT_S), None))
    assert not (tmp_path / "copy.db").exists()


def test_an_old_chain_that_cannot_be_shortened_is_refused_in_one_sentence(path: Path) -> None:
    with contextlib.closing(Store.open(path, EASY)) as full:
        add(full, *mine_chain(EASY, EASY.genesis.ref, MIN_KEEP_HISTORY + 1))
        full._db.execute(
            "CREATE TRIGGER fault BEFORE INSERT ON meta BEGIN SELECT RAISE (ABORT, 'no room'); END"
        )
    with pytest.raises(StoreError, match=r"cannot shorten the history .* no room"):
        Store.open(path, EASY, keep_history=MIN_KEEP_HISTORY)


class FullStore(FaultyStore):
    """Its disk takes nothing from the start on."""

    fault: int | None = FULL


def test_on_a_full_disk_an_old_chain_is_opened_and_shortened_at_a_later_start(path: Path) -> None:
    with contextlib.closing(Store.open(path, EASY)) as full:
        add(full, *CHAIN)
    with contextlib.closing(FullStore(open_store(path, EASY), path, EASY, KEEP)) as store:
        store.catch_up_history()
        assert store.tries == 1
        assert store.account_at(ALICE.public, 1) == Account(100, 0)
        store.fault = None
        add(store, PAID)
        assert store.history_start() == 0, "not all at once with a block"
        assert heights(store) == list(range(1, 32))
    with contextlib.closing(open_with(path, KEEP)) as again:
        assert again.history_start() == 26
        assert heights(again) == [26, 27, 28, 29, 30, 31]
    assert report_of(path).divergences == ()


def test_a_store_that_keeps_all_is_opened_while_another_writes(path: Path) -> None:
    with contextlib.closing(Store.open(path, EASY)) as writer, writer.transaction():
        writer.add_pending(CHAIN[3])
        Store.open(path, EASY).close()
