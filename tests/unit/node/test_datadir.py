from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest

from actors.datadir import DataDir, DataDirError
from actors.ledger.keys import ED25519, P192_SHA1


def entropy(count: int) -> bytes:
    return bytes(range(count))


def test_a_key_is_made_at_first_start_and_found_again(tmp_path: Path) -> None:
    with closing(DataDir(tmp_path / "deep" / "node")) as data_dir:
        made = data_dir.wallet_key(ED25519, entropy)
        assert data_dir.wallet_key(ED25519, lambda _count: b"").public == made.public


def test_the_key_file_is_one_private_line_of_lower_case_hex(tmp_path: Path) -> None:
    with closing(DataDir(tmp_path)) as data_dir:
        key = data_dir.wallet_key(P192_SHA1, entropy)
    path = tmp_path / "wallet.key"
    assert path.read_text() == key.secret.hex() + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "zz", "ABCD" * 16, "00" * 31, "é"])
def test_a_file_that_is_no_key_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "wallet.key").write_text(text, encoding="utf-8")
    with closing(DataDir(tmp_path)) as data_dir, pytest.raises(DataDirError, match="wallet"):
        data_dir.wallet_key(ED25519, entropy)
    assert (tmp_path / "wallet.key").read_text(encoding="utf-8") == text


def test_a_second_node_on_the_directory_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first = DataDir(tmp_path)
    with pytest.raises(DataDirError, match="another troupe node"):
        DataDir(tmp_path)
    first.close()
    DataDir(tmp_path).close()


def test_a_directory_that_is_not_empty_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    DataDir(tmp_path).close()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataDirError, match="cannot use"):
        DataDir(tmp_path / "file")
