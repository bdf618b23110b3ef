"""Tokens, what they permit, and how they come and go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from troupe.admin.v1 import errors_pb2

from actors.runtime.clock import FakeClock
from admin import auth
from admin.auth import Token, Tokens, authorize
from admin.errors import Refusal
from admin.permissions import ALWAYS, EVERYTHING, PERMISSIONS, READING
from admin.tokenfiles import TokenFiles

GET_NODE = "/troupe.admin.v1.NodeService/GetNode"
SHUTDOWN = "/troupe.admin.v1.NodeService/ShutdownNode"
DAY_S = 86_400.0
MANAGE = frozenset({"auth:write"})


class Book:
    """The tokens of a directory, at a time that the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, FakeClock()
        self.tokens = Tokens(TokenFiles(folder), self.clock)

    def reopen(self) -> None:
        self.tokens = Tokens(TokenFiles(self.folder), self.clock)

    def secret(self, minted: str) -> str:
        return (self.folder / f"{minted}.token").read_text().strip()

    def create(
        self, name: str = "one", permissions: frozenset[str] = READING, ttl_s: float | None = None
    ) -> tuple[Token, str]:
        return self.tokens.create(name, permissions, ttl_s)

    def call(self, secret: str, method: str = GET_NODE) -> Token:
        return authorize(self.tokens, method, [("authorization", f"Bearer {secret}")])


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def reason(action: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        action()
    return caught.value.reason_name


# -- a call -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {} "])
def test_a_known_token_passes(book: Book, form: str) -> None:
    value = form.format(book.secret("admin"))
    token = authorize(book.tokens, SHUTDOWN, [("x", "y"), ("authorization", value)])
    assert token.name == "admin"


def test_a_call_without_a_token_is_told_so(book: Book) -> None:
    assert reason(lambda: authorize(book.tokens, GET_NODE, [])) == "TOKEN_MISSING"


@pytest.mark.parametrize("form", ["Bearer x{}", "Bearer ", "Basic {}", "{}", "Bearer {}{}"])
def test_what_is_no_known_token_is_refused(book: Book, form: str) -> None:
    secret = book.secret("admin")
    value = form.format(secret, "y" * 2_000)
    for given in (value, value.encode()):
        call = [("authorization", given)]
        assert reason(lambda call=call: authorize(book.tokens, GET_NODE, call)) == "TOKEN_INVALID"  # type: ignore[misc]


def test_two_tokens_are_none(book: Book) -> None:
    call = [("authorization", f"Bearer {book.secret('admin')}")] * 2
    assert reason(lambda: authorize(book.tokens, GET_NODE, call)) == "TOKEN_INVALID"


def test_every_hash_is_compared_whichever_matches(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = book.create()
    compared: list[bytes] = []

    def compare(kept: bytes, presented: bytes) -> bool:
        compared.append(kept)
        return kept == presented

    monkeypatch.setattr("admin.auth.hmac.compare_digest", compare)
    for given in (book.secret("admin"), secret, "wrong"):
        compared.clear()
        book.tokens.find(given)
        assert len(compared) == 3


def test_a_reader_may_read_and_not_write(book: Book) -> None:
    book.call(book.secret("readonly"))
    call = lambda: book.call(book.secret("readonly"), SHUTDOWN)  # noqa: E731
    assert reason(call) == "PERMISSION_MISSING"


def test_a_method_outside_the_table_is_denied_to_everybody(book: Book) -> None:
    unlisted = "/troupe.admin.v1.NodeService/Unlisted"
    assert reason(lambda: book.call(book.secret("admin"), unlisted)) == "METHOD_DENIED"


def test_each_permission_names_an_entity_and_reading_or_writing() -> None:
    for permission in PERMISSIONS.values():
        entity, _, action = permission.partition(":")
        assert entity.isalpha()
        assert action in {"read", "write"}


def test_what_every_token_permits_is_in_the_table() -> None:
    assert ALWAYS < READING < EVERYTHING


def test_the_last_use_of_a_token_is_noted(book: Book) -> None:
    token, secret = book.create()
    assert token.last_use_s is None
    book.clock.advance(5.0)
    book.call(secret)
    assert token.last_use_s == book.clock.wall_s()


# -- tokens come and go -----------------------------------------------------------------------------


def test_a_new_token_permits_what_it_was_given_and_to_ask_who_it_is(book: Book) -> None:
    token, secret = book.create(permissions=frozenset({"node:read"}))
    assert book.call(secret) is token
    assert token.permissions == {"node:read", "caller:read"}
    assert reason(lambda: book.call(secret, SHUTDOWN)) == "PERMISSION_MISSING"


@pytest.mark.parametrize("name", ["admin", "readonly", "one"])
def test_a_name_is_given_once(book: Book, name: str) -> None:
    book.create("one")
    assert reason(lambda: book.create(name)) == "TOKEN_NAME_TAKEN"


def test_a_token_is_good_until_it_expires_and_then_says_so(book: Book) -> None:
    token, secret = book.create(ttl_s=DAY_S)
    book.clock.advance(DAY_S - 1)
    assert book.call(secret) is token
    assert book.tokens.lapse(token) is None
    book.clock.advance(1)
    assert reason(lambda: book.call(secret)) == "TOKEN_EXPIRED"
    lapse = book.tokens.lapse(token)
    assert lapse is not None
    assert lapse.reason == errors_pb2.ERROR_REASON_TOKEN_EXPIRED


def test_a_token_that_expired_is_forgotten_when_another_is_made(book: Book) -> None:
    old, secret = book.create(ttl_s=DAY_S)
    book.clock.advance(DAY_S)
    assert old in set(book.tokens)
    book.create("one")
    assert old not in set(book.tokens)
    assert reason(lambda: book.call(secret)) == "TOKEN_INVALID"


def test_there_is_room_for_so_many_tokens_and_the_expired_take_none(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "MAX_TOKENS", 3)
    for number in range(3):
        book.create(f"t{number}", ttl_s=DAY_S)
    assert reason(lambda: book.create("more")) == "TOO_MANY_TOKENS"
    book.clock.advance(DAY_S)
    book.create("more")


def test_a_deleted_token_is_refused_from_the_next_call_on(book: Book) -> None:
    token, secret = book.create()
    book.tokens.delete(token.id)
    assert reason(lambda: book.call(secret)) == "TOKEN_INVALID"
    lapse = book.tokens.lapse(token)
    assert lapse is not None
    assert lapse.reason == errors_pb2.ERROR_REASON_TOKEN_INVALID
    assert reason(lambda: book.tokens.delete(token.id)) == "TOKEN_NOT_FOUND"


def test_a_renewed_token_has_another_secret_and_the_old_one_is_void(book: Book) -> None:
    token, old = book.create()
    renewed = book.tokens.renew(token.id)
    assert renewed is not None
    same, secret = renewed
    assert (same.id, same.name, same.create_s) == (token.id, token.name, token.create_s)
    assert book.call(secret) is same
    assert reason(lambda: book.call(old)) == "TOKEN_INVALID"
    assert book.tokens.lapse(token) is not None
    assert book.tokens.renew("0" * 16) is None


def test_the_last_token_that_can_manage_tokens_for_ever_stays(book: Book) -> None:
    assert reason(lambda: book.tokens.delete("admin")) == "TOKEN_PROTECTED"
    book.create("for a day", MANAGE, DAY_S)
    assert reason(lambda: book.tokens.delete("admin")) == "TOKEN_PROTECTED"
    deputy, _ = book.create("deputy", MANAGE)
    book.tokens.delete("admin")
    assert reason(lambda: book.tokens.delete(deputy.id)) == "TOKEN_PROTECTED"


# -- what is on the disk ----------------------------------------------------------------------------


def test_tokens_outlive_a_restart_with_all_but_their_last_use(book: Book) -> None:
    token, secret = book.create("one", frozenset({"node:read"}), DAY_S)
    gone, gone_secret = book.create("gone")
    book.tokens.delete(gone.id)
    book.reopen()
    again = book.call(secret)
    assert again is not token
    assert (again.id, again.name, again.permissions) == (token.id, "one", token.permissions)
    assert (again.create_s, again.expire_s) == (token.create_s, token.expire_s)
    assert reason(lambda: book.call(gone_secret)) == "TOKEN_INVALID"
    book.clock.advance(DAY_S)
    assert reason(lambda: book.call(secret)) == "TOKEN_EXPIRED"


def test_a_minted_token_is_rotated_by_deleting_it_and_starting_again(book: Book) -> None:
    old = book.secret("readonly")
    book.tokens.delete("readonly")
    assert not (book.folder / "readonly.token").exists()
    assert reason(lambda: book.call(old)) == "TOKEN_INVALID"
    book.reopen()
    assert book.secret("readonly") != old
    assert book.call(book.secret("readonly")).permissions == READING


def test_a_change_that_cannot_be_kept_did_not_happen(book: Book) -> None:
    token, secret = book.create()
    (book.folder / "tokens.json").unlink()
    (book.folder / "tokens.json").mkdir()
    for change in (
        lambda: book.create("two"),
        lambda: book.tokens.delete(token.id),
        lambda: book.tokens.renew(token.id),
    ):
        with pytest.raises(OSError, match="tokens"):
            change()
    assert book.call(secret) is token
    assert [each.name for each in book.tokens] == ["admin", "readonly", "one"]
