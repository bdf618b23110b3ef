"""Tokens, permissions, and the files that tokens are kept in."""

from __future__ import annotations

from pathlib import Path

import pytest
from troupe.admin.v1 import errors_pb2

from admin.auth import (
    ADMIN_TOKEN_FILE,
    READONLY_TOKEN_FILE,
    Caller,
    Tokens,
    authorize,
    load_tokens,
)
from admin.errors import Refusal
from admin.permissions import EVERYTHING, PERMISSIONS, READING

GET_NODE = "/troupe.admin.v1.NodeService/GetNode"
SHUTDOWN = "/troupe.admin.v1.NodeService/ShutdownNode"


def tokens() -> Tokens:
    kept = Tokens()
    kept.add("all", Caller("admin", EVERYTHING))
    kept.add("some", Caller("readonly", READING))
    return kept


def reason(method: str, *values: str | bytes) -> int:
    with pytest.raises(Refusal) as caught:
        authorize(tokens(), method, [("authorization", value) for value in values])
    return caught.value.reason


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("value", ["Bearer all", "bearer all", "BEARER  all "])
def test_a_known_token_passes(value: str) -> None:
    authorize(tokens(), SHUTDOWN, [("x", "y"), ("authorization", value)])


def test_a_call_without_a_token_is_told_so() -> None:
    assert reason(GET_NODE) == errors_pb2.ERROR_REASON_TOKEN_MISSING


@pytest.mark.parametrize(
    "value", ["Bearer wrong", "Bearer ", "Basic all", "all", b"Bearer all", "Bearer " + "x" * 2_000]
)
def test_what_is_no_known_token_is_refused(value: str | bytes) -> None:
    assert reason(GET_NODE, value) == errors_pb2.ERROR_REASON_TOKEN_INVALID


def test_two_tokens_are_none() -> None:
    assert reason(GET_NODE, "Bearer all", "Bearer all") == errors_pb2.ERROR_REASON_TOKEN_INVALID


def test_a_reader_may_read_and_not_write() -> None:
    authorize(tokens(), GET_NODE, [("authorization", "Bearer some")])
    assert reason(SHUTDOWN, "Bearer some") == errors_pb2.ERROR_REASON_PERMISSION_MISSING


def test_a_method_outside_the_table_is_denied_to_everybody() -> None:
    unlisted = "/troupe.admin.v1.NodeService/Unlisted"
    assert reason(unlisted, "Bearer all") == errors_pb2.ERROR_REASON_METHOD_DENIED


def test_each_permission_names_an_entity_and_reading_or_writing() -> None:
    for permission in PERMISSIONS.values():
        entity, _, action = permission.partition(":")
        assert entity.isalpha()
        assert action in {"read", "write"}


def test_the_server_keeps_no_token(tmp_path: Path) -> None:
    kept = load_tokens(tmp_path)
    token = (tmp_path / ADMIN_TOKEN_FILE).read_text().strip()
    assert token.encode() not in b"".join(digest for digest, _caller in kept._callers)
    assert kept.find(token) == Caller("admin", EVERYTHING)


def test_tokens_are_minted_once_and_private(tmp_path: Path) -> None:
    load_tokens(tmp_path)
    files = [tmp_path / ADMIN_TOKEN_FILE, tmp_path / READONLY_TOKEN_FILE]
    texts = [file.read_text() for file in files]
    assert all(mode(file) == 0o600 for file in files)
    assert all(len(text) > 40 and text.endswith("\n") for text in texts)
    assert texts[0] != texts[1]
    load_tokens(tmp_path)
    assert [file.read_text() for file in files] == texts
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name for file in files]


def test_a_token_open_to_others_becomes_private_again(tmp_path: Path) -> None:
    load_tokens(tmp_path)
    (tmp_path / ADMIN_TOKEN_FILE).chmod(0o644)
    load_tokens(tmp_path)
    assert mode(tmp_path / ADMIN_TOKEN_FILE) == 0o600


def test_an_empty_token_file_is_filled(tmp_path: Path) -> None:
    (tmp_path / ADMIN_TOKEN_FILE).touch()
    assert load_tokens(tmp_path).find("") is None
    assert (tmp_path / ADMIN_TOKEN_FILE).read_text().strip()


@pytest.mark.parametrize("name", [ADMIN_TOKEN_FILE, READONLY_TOKEN_FILE])
def test_a_token_file_that_is_no_text_is_named_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe")
    with pytest.raises(OSError, match=name):
        load_tokens(tmp_path)
    assert (tmp_path / name).read_bytes() == b"\xff\xfe"
