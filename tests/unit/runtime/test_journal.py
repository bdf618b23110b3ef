import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.runtime import journal as journal_module
from actors.runtime.journal import FileJournal


def test_a_journal_that_never_was_saved_is_empty(tmp_path: Path) -> None:
    assert FileJournal(tmp_path / "mempool").load() == []


def test_lines_come_back_in_order_and_a_save_replaces_the_one_before(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "mempool")
    journal.save(iter([b"one", b"two", b"three"]))
    journal.save([b"two", b"one"])
    assert FileJournal(tmp_path / "mempool").load() == [b"two", b"one"]
    assert [path.name for path in tmp_path.iterdir()] == ["mempool"]


def test_an_empty_pool_leaves_an_empty_file(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "mempool")
    journal.save([b"one"])
    journal.save([])
    assert journal.load() == []


def test_a_save_that_is_cut_short_keeps_the_former_lines(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "mempool")
    journal.save([b"one"])

    def lines_until_the_power_cut() -> Iterator[bytes]:
        yield b"two"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.save(lines_until_the_power_cut())
    assert journal.load() == [b"one"]


def test_a_save_into_nowhere_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        FileJournal(tmp_path / "gone" / "mempool").save([b"one"])


@pytest.mark.parametrize("what", ["a directory", "a pipe", "too long", "not ours to read"])
def test_a_file_that_cannot_be_read_is_as_good_as_none_and_the_log_names_it(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    path = tmp_path / "bans"
    if what == "a directory":
        path.mkdir()
    elif what == "a pipe":
        os.mkfifo(path)
    elif what == "too long":
        monkeypatch.setattr(journal_module, "MAX_BYTES", 10)
        path.write_bytes(b"x" * 11)
    else:
        path.symlink_to(path)  # a loop: unreadable for root, too
    assert FileJournal(path).load() == []
    record, aside = caplog.records
    assert (record.levelno, aside.levelno) == (logging.ERROR, logging.WARNING)
    assert str(path) in record.getMessage()
    assert os.path.lexists(tmp_path / "bans.unreadable")
    assert str(tmp_path / "bans.unreadable") in aside.getMessage()
    FileJournal(path).save([b"one"])  # and what was there is not lost by it
    assert os.path.lexists(tmp_path / "bans.unreadable")
    assert FileJournal(path).load() == [b"one"]


def test_lines_without_sense_are_told_with_the_name_of_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = FileJournal(tmp_path / "addresses")
    journal.refused(0)
    assert caplog.records == []
    journal.refused(3)
    assert f"3 lines of {tmp_path / 'addresses'}" in caplog.text


def test_what_need_not_be_durable_is_saved_whole_without_a_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = list[int]()
    monkeypatch.setattr(os, "fsync", waits.append)
    journal = FileJournal(tmp_path / "addresses")
    journal.save([b"one"], durable=False)
    assert (journal.load(), waits) == ([b"one"], [])
    journal.save([b"two"])
    assert (journal.load(), len(waits)) == ([b"two"], 2)
