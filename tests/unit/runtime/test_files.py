from __future__ import annotations

import stat
from pathlib import Path

from actors.runtime.files import write_whole


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
