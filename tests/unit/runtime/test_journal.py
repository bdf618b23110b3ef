from collections.abc import Iterator
from pathlib import Path

import pytest

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
