"""A new store from a damaged one: what was read is executed anew, and what is missing can be had again."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from actors.chain import repair
from actors.chain.importer import Importer
from actors.chain.repair import Rebuilt, put_in_place, rebuild
from actors.chain.schema import StoreError, UnwritableError, open_for_reading
from actors.chain.signatures import Signatures
from actors.chain.store import Store
from actors.chain.verify import verify
from tests.support.chain_stage import CONNS, A, ChainStage
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer
from tests.unit.chain.test_disk_faults import overwrite_page

CHAIN = mine_chain(EASY, EASY.genesis.ref, 80)
PAID = mine(EASY, CHAIN[-1].ref, BOB.public, [transfer(ALICE, BOB.public, n, 1) for n in range(5)])
SIDE = mine_chain(EASY, CHAIN[69].ref, 6, BOB.public)
STATE = ("canonical", "accounts", "transactions", "pending", "invalidated")

T = TypeVar("T")


def done(steps: Generator[object, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def repaired(path: Path) -> Rebuilt:
    """Made anew, and put in place."""
    draft = path.with_name("draft")
    rebuilt = done(rebuild(path, draft, EASY, Signatures(EASY)))
    put_in_place(draft, path)
    return rebuilt


@pytest.fixture
def store_file(tmp_path: Path) -> Path:
    path = tmp_path / "chain.db"
    with closing(Store.open(path, EASY)) as store:
        importer = Importer(store, EASY)
        importer.add((*CHAIN, PAID, *SIDE))
        importer.invalidate(SIDE[3].hash)
    return path


def is_sound(path: Path) -> bool:
    return not done(verify(path, EASY)).divergences


def test_of_a_file_whose_blocks_are_all_there_nothing_is_lost(store_file: Path) -> None:
    rebuilt = repaired(store_file)
    assert rebuilt == Rebuilt(PAID.ref, 81 + 6, waiting=0, marks=1, lost_marks=0)
    assert is_sound(store_file)
    with closing(Store.open(store_file, EASY)) as store:
        assert store.account(BOB.public).balance == 105
        assert store.is_marked(SIDE[3].hash)
        assert store.longest().ref == PAID.ref


def test_whatever_its_directory_is_called_the_marks_are_kept(store_file: Path) -> None:
    directory = store_file.parent / "100%25 #1?"
    directory.mkdir()
    assert repaired(store_file.rename(directory / store_file.name)).marks == 1


def test_a_chain_of_more_blocks_than_may_wait_at_once_is_connected_in_between(
    store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.chain.salvage.PROGRESS_EVERY_PAGES", 2)
    monkeypatch.setattr("actors.chain.repair.MAX_PENDING_BLOCKS", 10)
    rebuilt = repaired(store_file)
    assert (rebuilt.tip, rebuilt.waiting, rebuilt.connected) == (PAID.ref, 0, 81 + 6)


def test_a_file_that_sqlite_makes_nothing_of_is_made_whole_again(store_file: Path) -> None:
    overwrite_page(store_file, 1)
    rebuilt = repaired(store_file)
    assert (rebuilt.tip, rebuilt.waiting) == (PAID.ref, 0)
    assert is_sound(store_file)


def test_whichever_page_is_damaged_the_new_store_is_sound_and_a_peer_has_the_rest(
    store_file: Path, tmp_path: Path
) -> None:
    sound, lost = store_file.read_bytes(), 0
    for page in range(1, len(sound) // 4096 + 1):
        damaged = tmp_path / f"{page}" / "chain.db"
        damaged.parent.mkdir()
        damaged.write_bytes(sound)
        overwrite_page(damaged, page)
        rebuilt = repaired(damaged)
        assert is_sound(damaged)
        lost += rebuilt.tip != PAID.ref
        stage = ChainStage(path=damaged)
        stage.link_legacy(A)
        if rebuilt.tip != PAID.ref:
            stage.gossiped(PAID)
        if stage.search.messages:
            stage.walk((*CHAIN, PAID), CONNS[A])
        assert stage.info().tip == PAID.ref, page
        stage.store.close()
        assert is_sound(damaged)
    assert lost > 0


def test_what_stands_on_a_lost_block_waits_and_needs_no_second_download(store_file: Path) -> None:
    with closing(Store.open(store_file, EASY)) as store:
        store._db.execute("UPDATE blocks SET raw = x'00' WHERE hash = ?", (CHAIN[39].hash,))
    rebuilt = repaired(store_file)
    assert (rebuilt.tip, rebuilt.waiting) == (CHAIN[38].ref, 80 - 40 + 1 + 6)
    stage = ChainStage(path=store_file)
    assert stage.searched().query == CHAIN[39].hash  # the only one that is missing
    stage.found(CHAIN[39], CONNS[A])
    assert stage.info().tip == PAID.ref
    assert stage.store.pending_count() == 0
    stage.store.close()


def test_the_old_file_is_kept_under_a_name_that_none_has(store_file: Path) -> None:
    before = store_file.read_bytes()
    Path(f"{store_file}-wal").write_bytes(b"a log")
    repaired(store_file)
    repaired(store_file)
    first = store_file.with_name("chain.db.damaged-1")
    assert first.read_bytes() == before
    assert Path(f"{first}-wal").read_bytes() == b"a log"
    assert store_file.with_name("chain.db.damaged-2").exists()
    assert not Path(f"{store_file}-wal").exists()
    assert not list(store_file.parent.glob("draft*"))


def no_second_name(_source: Path, _target: Path) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def half_a_copy(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes()[:5_000])
    raise OSError(errno.ENOSPC, "No space left on device")


def test_where_a_file_has_but_one_name_the_old_one_is_kept_as_a_copy(
    store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store_file.read_bytes()
    monkeypatch.setattr(os, "link", no_second_name)
    assert repaired(store_file).tip == PAID.ref
    assert store_file.with_name("chain.db.damaged-1").read_bytes() == before


def test_a_copy_that_has_no_room_is_none_and_the_old_file_stands(
    store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store_file.read_bytes()
    monkeypatch.setattr(os, "link", no_second_name)
    monkeypatch.setattr(shutil, "copyfile", half_a_copy)
    with pytest.raises(OSError, match="No space left"):
        repaired(store_file)
    assert store_file.read_bytes() == before
    assert not list(store_file.parent.glob("chain.db.*"))


def test_without_room_for_a_new_file_the_old_one_stands(
    store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store_file.read_bytes()
    open_store = Store.open

    def without_room(path: Path, *arguments: object) -> Store:
        store = open_store(path, *arguments)  # type: ignore[arg-type]
        (count,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {count}")
        return store

    monkeypatch.setattr(Store, "open", without_room)
    with pytest.raises(UnwritableError, match="full"):
        done(rebuild(store_file, store_file.with_name("draft"), EASY, Signatures(EASY)))
    assert store_file.read_bytes() == before


def test_a_new_store_of_which_a_part_stays_in_its_log_is_none(
    store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To close it would have to take the log up into the file, and fails without a word."""
    mark_again, (_, most) = repair._mark_again, resource.getrlimit(resource.RLIMIT_FSIZE)

    def and_no_room_is_left(source: Path, importer: Importer) -> tuple[int, int | None]:
        marks = mark_again(source, importer)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, most))
        return marks

    monkeypatch.setattr(repair, "_mark_again", and_no_room_is_left)
    try:
        with pytest.raises(UnwritableError, match="cannot be written"):
            done(rebuild(store_file, store_file.with_name("draft"), EASY, Signatures(EASY)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def test_an_emptied_file_is_no_new_one_and_what_its_log_has_is_kept(
    store_file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with closing(Store.open(store_file, EASY)) as store:
        with store.transaction():
            store.add_pending(mine_chain(EASY, PAID.ref, 2)[1])
        shutil.copy(f"{store_file}-wal", f"{copy}-wal")
    log = Path(f"{copy}-wal").read_bytes()
    copy.touch()
    for look in (Store.open, open_for_reading):
        with pytest.raises(StoreError, match=r"its log is not.*troupe repair"):
            look(copy, EASY)
    assert repaired(copy).waiting == 1
    assert Path(f"{copy}.damaged-1-wal").read_bytes() == log


def test_the_marks_of_a_file_that_sqlite_cannot_read_are_said_to_be_lost(store_file: Path) -> None:
    overwrite_page(store_file, 1)
    assert repaired(store_file).lost_marks is None
