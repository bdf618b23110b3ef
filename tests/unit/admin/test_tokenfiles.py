"""The files that tokens are kept in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.runtime.clock import FakeClock
from admin.auth import ADMIN_TOKEN_FILE, READONLY_TOKEN_FILE, Token, Tokens
from admin.permissions import READING
from admin.tokenfiles import TOKENS_FILE, TokenFiles

MINTED = (ADMIN_TOKEN_FILE, READONLY_TOKEN_FILE)


def load(folder: Path) -> list[Token]:
    return list(TokenFiles(folder).load())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_tokens_are_minted_once_and_private(tmp_path: Path) -> None:
    load(tmp_path)
    files = [tmp_path / name for name in MINTED]
    texts = [file.read_text() for file in files]
    assert all(mode(file) == 0o600 for file in files)
    assert all(len(text) > 40 and text.endswith("\n") for text in texts)
    assert texts[0] != texts[1]
    load(tmp_path)
    assert [file.read_text() for file in files] == texts
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(MINTED)


def test_no_secret_is_kept_in_memory_or_in_the_file(tmp_path: Path) -> None:
    tokens = Tokens(TokenFiles(tmp_path), FakeClock())
    _, secret = tokens.create("one", READING, None)
    kept = (tmp_path / TOKENS_FILE).read_text()
    assert "one" in kept
    for text in (kept, repr(list(tokens))):
        assert secret not in text
    assert "digest" not in repr(list(tokens))
    assert mode(tmp_path / TOKENS_FILE) == 0o600


@pytest.mark.parametrize("name", [ADMIN_TOKEN_FILE, TOKENS_FILE])
def test_a_file_open_to_others_becomes_private_again(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    Tokens(TokenFiles(tmp_path), FakeClock()).create("one", READING, None)
    (tmp_path / name).chmod(0o644)
    load(tmp_path)
    assert mode(tmp_path / name) == 0o600
    assert f"{name} was open to others" in caplog.text


def test_an_empty_token_file_is_filled(tmp_path: Path) -> None:
    (tmp_path / ADMIN_TOKEN_FILE).touch()
    tokens = Tokens(TokenFiles(tmp_path), FakeClock())
    assert tokens.find("") is None
    assert (tmp_path / ADMIN_TOKEN_FILE).read_text().strip()


@pytest.mark.parametrize("name", MINTED)
def test_a_token_file_that_is_no_text_is_named_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe")
    with pytest.raises(OSError, match=name):
        load(tmp_path)
    assert (tmp_path / name).read_bytes() == b"\xff\xfe"


ENTRY = {
    "id": "00ff",
    "name": "one",
    "sha256": "ab" * 32,
    "permissions": ["node:read"],
    "create_unix_s": 1.0,
    "expire_unix_s": None,
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "\xff",
        json.dumps({"version": 2, "tokens": []}),
        json.dumps({"version": 1, "tokens": [{**ENTRY, "sha256": "ab"}]}),
        json.dumps({"version": 1, "tokens": [{**ENTRY, "id": "admin"}]}),
        json.dumps({"version": 1, "tokens": [{**ENTRY, "permissions": None}]}),
        json.dumps({"version": 1, "tokens": [{"id": "00ff"}]}),
    ],
)
def test_a_file_of_tokens_that_is_none_is_named_and_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / TOKENS_FILE
    file.write_text(text, encoding="latin-1")
    file.chmod(0o600)
    with pytest.raises(OSError, match=f"{TOKENS_FILE} holds no tokens"):
        load(tmp_path)
    assert file.read_text(encoding="latin-1") == text


def test_a_file_of_tokens_is_read(tmp_path: Path) -> None:
    (tmp_path / TOKENS_FILE).write_text(json.dumps({"version": 1, "tokens": [ENTRY]}))
    assert load(tmp_path)[-1].name == "one"
