"""Blocks out of a damaged file: whatever page is gone, the others' blocks are found."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.chain.importer import Importer
from actors.chain.salvage import salvage
from actors.chain.store import Store
from tests.support.chains import ALICE, BOB, EASY, mine, mine_chain, transfer

WIDE = replace(EASY, max_transactions_per_block=40)
PAYING = [transfer(ALICE, BOB.public, nonce, 1) for nonce in range(40)]
CHAIN = mine_chain(EASY, EASY.genesis.ref, 120)
LARGE = mine(EASY, CHAIN[-1].ref, BOB.public, PAYING)
"""Goes over a page of its own."""
LONE = mine_chain(EASY, LARGE.ref, 4)[3]
ALL = {block.raw for block in (EASY.genesis, *CHAIN, LARGE, LONE)}


def found(path: Path) -> set[bytes]:
    return {raw for looked in salvage(path) for raw in looked.raws}


@pytest.fixture
def store_file(tmp_path: Path) -> Path:
    path = tmp_path / "chain.db"
    with closing(Store.open(path, WIDE)) as store:
        fill(store)
    return path


def fill(store: Store) -> None:
    Importer(store, WIDE).add((*CHAIN, LARGE))
    with store.transaction():
        store.add_pending(LONE)


def test_all_blocks_of_a_sound_file_are_found_pending_ones_included(store_file: Path) -> None:
    assert len(LARGE.raw) > 4096
    assert found(store_file) == ALL


def test_blocks_that_are_in_the_log_alone_are_found_too(tmp_path: Path) -> None:
    path, copy = tmp_path / "chain.db", tmp_path / "copy.db"
    with closing(Store.open(path, WIDE)) as store:
        fill(store)
        copy.write_bytes(path.read_bytes())
        Path(f"{copy}-wal").write_bytes(Path(f"{path}-wal").read_bytes())
    assert found(copy) == ALL


def test_the_log_of_a_file_is_beside_it_wherever_a_link_to_it_lies(tmp_path: Path) -> None:
    path, link = tmp_path / "chain.db", tmp_path / "deeper" / "chain.db"
    link.parent.mkdir()
    link.symlink_to(path)
    with closing(Store.open(link, WIDE)) as store:
        fill(store)
        assert found(link) == ALL


def test_a_log_that_breaks_off_in_a_commit_costs_nothing_of_the_commits_before(
    tmp_path: Path,
) -> None:
    path, copy = tmp_path / "chain.db", tmp_path / "copy.db"
    log, copied = Path(f"{path}-wal"), Path(f"{copy}-wal")
    with closing(Store.open(path, WIDE)) as store:
        Importer(store, WIDE).add(CHAIN[:60])
        before = log.stat().st_size
        Importer(store, WIDE).add(CHAIN[60:61])
        whole = log.read_bytes()
        copy.write_bytes(path.read_bytes())
    for end in range(before, len(whole), 2000):
        copied.write_bytes(whole[:end])
        assert {block.raw for block in CHAIN[:60]} <= found(copy), end


def test_whichever_page_is_overwritten_only_its_own_blocks_are_lost(store_file: Path) -> None:
    sound = store_file.read_bytes()
    pages = len(sound) // 4096
    losses = []
    for page in range(pages):
        damaged = bytearray(sound)
        damaged[page * 4096 : (page + 1) * 4096] = b"\xaa" * 4096
        store_file.write_bytes(damaged)
        survivors = found(store_file)
        assert survivors <= ALL
        losses.append(len(ALL) - len(survivors))
    assert losses[0] == 0  # SQLite itself makes nothing of such a file
    assert losses.count(0) > 5
    assert max(losses) < 20


def test_a_file_that_was_cut_short_gives_what_is_left(store_file: Path) -> None:
    sound = store_file.read_bytes()
    store_file.write_bytes(sound[: len(sound) * 2 // 3 + 100])
    assert 40 < len(found(store_file)) < len(ALL)


def test_an_empty_file_and_one_that_is_no_database_hold_no_block(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    for content in (b"", b"x" * 10_000, bytes([0x0D]) * 9_000):
        path.write_bytes(content)
        assert found(path) == set()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(cuts=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=64)), max_size=40))
def test_bytes_at_random_places_never_make_it_fail_or_find_what_was_not_there(
    store_file: Path, cuts: list[tuple[float, bytes]]
) -> None:
    sound = store_file.read_bytes()
    damaged = bytearray(sound)
    for place, noise in cuts:
        at = int(place * (len(sound) - len(noise)))
        damaged[at : at + len(noise)] = noise
    copy = store_file.with_name("noisy.db")
    copy.write_bytes(damaged)
    assert found(copy) <= ALL


def test_pages_that_lead_in_a_circle_come_to_an_end(store_file: Path) -> None:
    """An overflow page that names itself: a record has as many bytes as it says, and no more are read."""
    damaged = bytearray(store_file.read_bytes())
    for page in range(2, len(damaged) // 4096):
        if damaged[page * 4096 : page * 4096 + 3] == b"\0\0\0":
            damaged[page * 4096 : page * 4096 + 4] = (page + 1).to_bytes(4)
    store_file.write_bytes(damaged)
    assert found(store_file) <= ALL
