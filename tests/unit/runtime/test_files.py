from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from actors.runtime.files import write_whole


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_left_beside_a_file_neither_stalls_a_write_nor_leads_it_elsewhere(
    tmp_path: Path,
) -> None:
    path, elsewhere = tmp_path / "kept", tmp_path / "elsewhere"
    os.mkfifo(tmp_path / "kept.new")
    write_whole(path, b"one")
    assert path.read_bytes() == b"one"
    elsewhere.write_bytes(b"theirs")
    (tmp_path / "kept.new").symlink_to(elsewhere)
    write_whole(path, b"two")
    assert (path.read_bytes(), elsewhere.read_bytes()) == (b"two", b"theirs")


@pytest.mark.parametrize("step", ["fsync", "fchmod"])
def test_of_a_write_for_which_there_is_no_room_nothing_is_left_and_the_old_file_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "kept"
    write_whole(path, b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]
