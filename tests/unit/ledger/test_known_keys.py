"""A memory of keys answers as the scheme does, each time, and stays small."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.ledger.keys import ED25519, P192_SHA1, KeyRules, KeyScheme
from actors.ledger.known_keys import KnownKeys
from tests.support.ledger import key
from tests.support.vectors import workshop

_MESSAGE = b"message"
_UNCOMPRESSED = bytes.fromhex(workshop()["keys"][0]["public_uncompressed"])
_KEYS = [
    *(key(scheme, name).public for scheme in (ED25519, P192_SHA1) for name in "abc"),
    _UNCOMPRESSED,
    _UNCOMPRESSED[1:],
    bytes(32),
    bytes(25),
    b"\x02" + bytes(24),
    b"",
]
_SIGNATURES = [key(scheme, name).sign(_MESSAGE) for scheme in (ED25519, P192_SHA1) for name in "ab"]
_SIGNATURES += [b"", bytes(48), bytes(64)]

QUESTIONS = ("is_sender", "is_address", "is_standard_sender", "is_standard_address")
questions = st.tuples(st.sampled_from(QUESTIONS), st.sampled_from(_KEYS))
verifications = st.tuples(st.sampled_from(_KEYS), st.sampled_from(_SIGNATURES))


def answer(rules: KeyRules, question: tuple[str, bytes] | tuple[bytes, bytes]) -> object:
    first, second = question
    if isinstance(first, bytes):
        return rules.verify(first, second, _MESSAGE)
    return getattr(rules, first)(second)


@pytest.mark.parametrize("scheme", [ED25519, P192_SHA1], ids=["ed25519", "p192"])
@settings(deadline=None)
@given(asked=st.lists(st.one_of(questions, verifications), max_size=30))
def test_the_answers_are_the_schemes_whatever_was_asked_before(
    scheme: KeyScheme, asked: list[tuple[str, bytes] | tuple[bytes, bytes]]
) -> None:
    known = KnownKeys(scheme, capacity=2)
    for question in asked:
        assert answer(known, question) == answer(scheme, question)
    assert known.name == scheme.name


@pytest.mark.parametrize("scheme", [ED25519, P192_SHA1], ids=["ed25519", "p192"])
def test_it_keeps_no_more_than_its_capacity_and_forgets_the_oldest(scheme: KeyScheme) -> None:
    known = KnownKeys(scheme, capacity=2)
    for name in "abc":
        assert known.is_standard_sender(key(scheme, name).public)
        assert known.is_standard_address(key(scheme, name).public)
    newest = [key(scheme, name).public for name in "bc"]
    assert list(known._senders) == list(known._addresses) == newest


def test_what_is_no_key_is_not_remembered() -> None:
    known = KnownKeys(P192_SHA1)
    for encoding in (b"", bytes(25), _UNCOMPRESSED):
        assert not known.is_standard_sender(encoding)
        assert not known.is_standard_address(encoding)
    assert not known._senders
    assert not known._addresses
