from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.chain.archive import (
    CHUNK_BLOCKS,
    CHUNK_BYTES,
    Archive,
    BackedUp,
    Copied,
    Extent,
    JobBusyError,
    RangeError,
    chunks,
)
from actors.chain.backup import BackupError
from actors.chain.importer import Importer
from actors.chain.store import Store
from actors.chain.verify import Progress, Report
from actors.runtime.clock import FakeClock
from actors.runtime.job import Job, JobEndedError
from tests.support.chains import BOB, EASY, mine_chain, raws

WAIT_S = 30.0
CHAIN = mine_chain(EASY, EASY.genesis.ref, 300)
LONGER = mine_chain(EASY, CHAIN[99].ref, 250, BOB.public)
"""Another branch, which wins."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "chain.db", EASY)
    Importer(opened, EASY).add(CHAIN)
    yield opened
    opened.close()


@pytest.fixture
def archive(tmp_path: Path, store: Store) -> Iterator[Archive]:
    assert store.tip() == CHAIN[-1].ref
    opened = Archive(tmp_path / "chain.db", EASY, FakeClock())
    yield opened
    opened.close()


def items(job: Job[Any]) -> list[Any]:
    read = []
    while (item := job.next_soon().result(WAIT_S)) is not None:
        read.append(item)
    return read


def gone(job: Job[Any]) -> None:
    job.end()
    assert job.join(WAIT_S)


def test_an_export_is_its_extent_and_then_every_block(archive: Archive) -> None:
    extent, *parts = items(archive.export(1, None))
    assert extent == Extent(1, CHAIN[-1].ref)
    assert [len(part) for part in parts] == [CHUNK_BLOCKS, CHUNK_BLOCKS, 44]
    assert tuple(raw for part in parts for raw in part) == raws(CHAIN)


@pytest.mark.parametrize(("first", "last", "count"), [(0, 0, 1), (5, 7, 3), (300, None, 1)])
def test_an_export_may_be_of_a_part(
    archive: Archive, first: int, last: int | None, count: int
) -> None:
    extent, *parts = items(archive.export(first, last))
    known = (EASY.genesis, *CHAIN)
    assert extent == Extent(first, known[first + count - 1].ref)
    assert [raw for part in parts for raw in part] == list(raws(known[first : first + count]))


def test_an_export_of_what_is_yet_to_come_is_empty(archive: Archive) -> None:
    assert items(archive.export(301, None)) == [Extent(301, CHAIN[-1].ref)]


@pytest.mark.parametrize(("first", "last"), [(302, None), (1, 301), (2**63, 2**64 - 1)])
def test_blocks_that_are_not_there_are_not_exported(
    archive: Archive, first: int, last: int | None
) -> None:
    job = archive.export(first, last)
    with pytest.raises(RangeError):
        items(job)


def test_an_export_is_of_one_branch_though_another_wins_meanwhile(
    archive: Archive, store: Store
) -> None:
    job = archive.export(1, None)
    assert job.next_soon().result(WAIT_S) == Extent(1, CHAIN[-1].ref)
    Importer(store, EASY).add(LONGER)
    assert store.tip() == LONGER[-1].ref
    assert tuple(raw for part in items(job) for raw in part) == raws(CHAIN)


def test_chunks_are_bounded_in_number_and_size() -> None:
    sizes = [CHUNK_BYTES - 1, 1, 1, 2 * CHUNK_BYTES, 5, *[1] * (CHUNK_BLOCKS + 1)]
    made = list(chunks(b"x" * size for size in sizes))
    assert [len(chunk) for chunk in made] == [2, 1, 1, CHUNK_BLOCKS, 2]
    assert all(len(chunk) == 1 or sum(map(len, chunk)) <= CHUNK_BYTES for chunk in made)
    assert [len(raw) for chunk in made for raw in chunk] == sizes


def test_chunks_are_read_as_they_are_asked_for() -> None:
    read: list[int] = []

    def blocks() -> Iterator[bytes]:
        for n in range(10 * CHUNK_BLOCKS):
            read.append(n)
            yield b"x"

    next(chunks(blocks()))
    assert len(read) == CHUNK_BLOCKS + 1


def test_a_verification_reports_and_ends_with_what_it_found(archive: Archive) -> None:
    *progress, report = items(archive.verify())
    assert progress[0] == Progress(0, 0)
    assert report == Report(CHAIN[-1].ref, 301, 0, ())


def test_one_job_of_a_kind_runs_at_a_time(archive: Archive) -> None:
    verifying, exporting = archive.verify(), archive.export(1, None)
    with pytest.raises(JobBusyError):
        archive.verify()
    with pytest.raises(JobBusyError):
        archive.export(1, None)
    gone(verifying)
    gone(exporting)
    assert items(archive.verify())


def test_an_ended_verification_stops_in_the_middle(archive: Archive) -> None:
    job = archive.verify()
    assert job.next_soon().result(WAIT_S) == Progress(0, 0)
    gone(job)
    with pytest.raises(JobEndedError):
        job.next_soon().result(WAIT_S)


@pytest.mark.parametrize("verified", [False, True])
def test_a_backup_tells_what_was_made(archive: Archive, tmp_path: Path, verified: bool) -> None:
    target = tmp_path / "copy.db"
    *progress, made = items(archive.back_up(target, verified=verified))
    assert isinstance(progress[0], Copied)
    assert made == BackedUp(target, target.stat().st_size, CHAIN[-1].ref, made.report)
    assert (made.report is not None) is verified


def test_a_copy_of_a_wrong_chain_is_not_kept_when_it_is_verified(
    archive: Archive, store: Store, tmp_path: Path
) -> None:
    store._db.execute("UPDATE accounts SET balance = balance + 1 WHERE height = 7")
    job = archive.back_up(tmp_path / "copy.db", verified=True)
    with pytest.raises(BackupError, match="not sound"):
        items(job)
    assert sorted(path.name for path in tmp_path.glob("copy*")) == []


def test_a_backup_that_nobody_waits_for_leaves_no_file(archive: Archive, tmp_path: Path) -> None:
    job = archive.back_up(tmp_path / "copy.db", verified=True)
    assert isinstance(job.next_soon().result(WAIT_S), Copied)
    gone(job)
    assert sorted(path.name for path in tmp_path.glob("copy*")) == []


def test_closing_ends_what_runs(archive: Archive) -> None:
    job = archive.export(1, None)
    archive.close()
    assert job.join(0)
