from __future__ import annotations

import errno
import fcntl
import os
import resource
import stat
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from actors.datadir import DataDir, DataDirError, reading_chain
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


def test_who_is_refused_hears_what_has_the_directory_and_as_which_process(tmp_path: Path) -> None:
    with closing(DataDir(tmp_path, user="restore")):
        words = rf"another troupe restore is running \(process {os.getpid()}\)"
        with pytest.raises(DataDirError, match=words):
            DataDir(tmp_path)


@pytest.mark.parametrize("left", ["node 1", "", "a line of another program", "x" * 1000])
def test_what_stands_in_a_lock_file_locks_nothing(tmp_path: Path, left: str) -> None:
    """A killed node leaves its name there, and so does a copied directory."""
    (tmp_path / "lock").write_text(left)
    with closing(DataDir(tmp_path)), pytest.raises(DataDirError, match="another troupe node"):
        DataDir(tmp_path)


def test_a_file_system_without_locks_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_file: object, _kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(DataDirError, match="No locks available"):
        DataDir(tmp_path)


def test_the_chain_file_is_open_to_many_or_to_be_replaced_by_one(tmp_path: Path) -> None:
    with closing(DataDir(tmp_path)) as data_dir:
        with ExitStack() as open_elsewhere:
            open_elsewhere.enter_context(reading_chain(tmp_path))
            open_elsewhere.enter_context(reading_chain(tmp_path))
            with pytest.raises(DataDirError, match="is open elsewhere"), data_dir.chain_alone():
                pass
        with ExitStack() as repair:
            repair.enter_context(data_dir.chain_alone())
            with pytest.raises(DataDirError, match="is being repaired"), reading_chain(tmp_path):
                pass
        with reading_chain(tmp_path):
            pass


def test_a_directory_that_cannot_be_written_is_read_without_a_lock(tmp_path: Path) -> None:
    (tmp_path / "chain.lock").mkdir()
    with reading_chain(tmp_path):
        pass


def test_a_chain_is_not_replaced_without_a_lock(tmp_path: Path) -> None:
    """A full disk has no place for the lock, and all the same for a file that takes another's name."""
    (tmp_path / "chain.lock").mkdir()
    with (
        closing(DataDir(tmp_path)) as data_dir,
        pytest.raises(DataDirError, match="cannot lock"),
        data_dir.chain_alone(),
    ):
        pass


def test_a_disk_that_has_no_room_for_a_name_in_the_lock_locks_and_lets_go_all_the_same(
    tmp_path: Path,
) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    try:
        first = DataDir(tmp_path)
        with pytest.raises(DataDirError, match="another troupe node is running"):
            DataDir(tmp_path)
        first.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    DataDir(tmp_path).close()


def test_a_key_that_cannot_be_written_is_none_and_the_sentence_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    data_dir = DataDir(tmp_path)
    with pytest.raises(DataDirError, match=r"wallet\.key: No space left"):
        data_dir.wallet_key(ED25519, entropy)
    data_dir.close()
    assert not list(tmp_path.glob("wallet.key*"))


def test_a_new_key_beside_a_chain_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(DataDir(tmp_path)) as data_dir:
        data_dir.wallet_key(ED25519, entropy)
        assert caplog.records == []
        (tmp_path / "wallet.key").unlink()
        (tmp_path / "chain.db").touch()
        data_dir.wallet_key(ED25519, entropy)
    assert "wallet.key is new" in caplog.text


def test_a_directory_that_is_not_empty_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    DataDir(tmp_path).close()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataDirError, match="cannot use"):
        DataDir(tmp_path / "file")
