"""`ed25519`: strict keys, because anyone can sign for some of small order."""

from dataclasses import dataclass
from typing import Self

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import example, given
from hypothesis import strategies as st

from actors.ledger.keys import ED25519
from tests.support.ledger import key

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SIGN_BIT = 1 << 255
_KEY = key(ED25519, "payer")
_MESSAGE = b"message"
_SIGNATURE = _KEY.sign(_MESSAGE)


@dataclass(frozen=True)
class _Point:
    """A point of edwards25519, affine: slow, and nothing in common with the code under test."""

    x: int
    y: int

    def __add__(self, other: Self) -> "_Point":
        xy = _D * self.x * other.x * self.y * other.y % _P
        return _Point(
            (self.x * other.y + self.y * other.x) * pow(1 + xy, -1, _P) % _P,
            (self.y * other.y + self.x * other.x) * pow(1 - xy, -1, _P) % _P,
        )

    def times(self, factor: int) -> "_Point":
        total, power = _NEUTRAL, self
        while factor:
            if factor & 1:
                total += power
            power += power
            factor >>= 1
        return total

    def encodings(self) -> set[bytes]:
        """What a lenient decoder takes for this point: y unreduced, the sign of x = 0 ignored."""
        signs = {0, 1} if self.x == 0 else {self.x & 1}
        ys = {y for y in (self.y, self.y + _P) if y < _SIGN_BIT}
        return {(y | sign * _SIGN_BIT).to_bytes(32, "little") for y in ys for sign in signs}


_NEUTRAL = _Point(0, 1)


def _root(square: int) -> int | None:
    root = pow(square, (_P + 3) // 8, _P)
    if root * root % _P != square % _P:
        root = root * pow(2, (_P - 1) // 4, _P) % _P
    return root if root * root % _P == square % _P else None


def _points_of_y(y: int) -> list[_Point]:
    x = _root((y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P)
    return [] if x is None else [_Point(x, y % _P), _Point(-x % _P, y % _P)]


def _torsion() -> set[_Point]:
    """The points of small order: what the prime order makes of any points, until all 8 are found."""
    found: set[_Point] = set()
    y = 2
    while len(found) < 8:
        found |= {point.times(_ORDER) for point in _points_of_y(y)}
        y += 1
    return found


_SMALL_ORDER = sorted(encoding for point in _torsion() for encoding in point.encodings())


def test_eight_points_of_small_order_have_fourteen_encodings() -> None:
    assert all(point.times(8) == _NEUTRAL for point in _torsion())
    assert len(_SMALL_ORDER) == 14


@pytest.mark.parametrize("encoding", _SMALL_ORDER, ids=bytes.hex)
def test_a_key_of_small_order_is_no_public_key(encoding: bytes) -> None:
    assert not ED25519.is_sender(encoding)
    assert not ED25519.is_standard_sender(encoding)
    assert not ED25519.is_standard_address(encoding)


def test_no_other_key_is_taken_for_one_of_small_order() -> None:
    ys = {y + excess for point in _torsion() for y in (point.y, _P) for excess in range(-20, 21)}
    candidates = {
        (y | sign).to_bytes(32, "little")
        for y in ys
        if 0 <= y < _SIGN_BIT
        for sign in (0, _SIGN_BIT)
    }
    assert {key for key in candidates if not ED25519.is_sender(key)} == set(_SMALL_ORDER)


def test_a_signature_that_anyone_can_make_for_a_key_of_small_order_is_not_valid() -> None:
    neutral = b"\x01" + bytes(31)
    forged = neutral + bytes(32)
    Ed25519PublicKey.from_public_bytes(neutral).verify(forged, _MESSAGE)
    assert not ED25519.verify(neutral, forged, _MESSAGE)


@pytest.mark.parametrize("y", range(2, 40))
def test_an_address_is_standard_exactly_when_it_is_on_the_curve(y: int) -> None:
    encoding = y.to_bytes(32, "little")
    on_curve = bool(_points_of_y(y))
    assert ED25519.is_standard_address(encoding) is on_curve
    assert ED25519.is_standard_address((y | _SIGN_BIT).to_bytes(32, "little")) is on_curve


@given(y=st.integers(0, _SIGN_BIT - 1), sign=st.sampled_from([0, _SIGN_BIT]))
@example(y=_P - 2, sign=0)
@example(y=_SIGN_BIT - 1, sign=_SIGN_BIT)
def test_of_all_strings_the_reduced_ones_on_the_curve_are_standard(y: int, sign: int) -> None:
    encoding = (y | sign).to_bytes(32, "little")
    on_curve = encoding not in _SMALL_ORDER and bool(_points_of_y(y))
    assert ED25519.is_standard_address(encoding) is (y < _P and on_curve)


@pytest.mark.parametrize("excess", range(2, 19))
def test_an_address_that_is_not_reduced_is_not_standard(excess: int) -> None:
    assert not ED25519.is_standard_address((_P + excess).to_bytes(32, "little"))


@pytest.mark.parametrize("label", ["a", "b", "c", "d"])
def test_a_generated_key_is_a_standard_address(label: str) -> None:
    public = key(ED25519, label).public
    assert ED25519.is_standard_address(public)
    assert ED25519.is_standard_sender(public)


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_a_key_has_32_bytes(length: int) -> None:
    encoding = b"\x09" * length
    assert not ED25519.is_sender(encoding)
    assert not ED25519.is_address(encoding)
    assert not ED25519.is_standard_address(encoding)
    assert not ED25519.verify(encoding, _SIGNATURE, _MESSAGE)
    assert ED25519.private_key(encoding) is None


def test_consensus_takes_any_32_bytes_for_an_address() -> None:
    assert ED25519.is_address(bytes(32))


def test_a_key_off_the_curve_verifies_nothing() -> None:
    off_curve = next(y for y in range(2, 40) if not _points_of_y(y)).to_bytes(32, "little")
    assert not ED25519.verify(off_curve, _SIGNATURE, _MESSAGE)


def test_a_signature_verifies() -> None:
    assert ED25519.verify(_KEY.public, _SIGNATURE, _MESSAGE)


@pytest.mark.parametrize("bit", range(0, 512, 37))
def test_a_signature_with_a_flipped_bit_is_not_valid(bit: int) -> None:
    flipped = bytearray(_SIGNATURE)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not ED25519.verify(_KEY.public, bytes(flipped), _MESSAGE)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_a_signature_has_64_bytes(length: int) -> None:
    assert not ED25519.verify(_KEY.public, (_SIGNATURE * 2)[:length], _MESSAGE)


def test_a_signature_whose_s_is_not_reduced_is_not_valid() -> None:
    s = int.from_bytes(_SIGNATURE[32:], "little") + _ORDER
    assert not ED25519.verify(_KEY.public, _SIGNATURE[:32] + s.to_bytes(32, "little"), _MESSAGE)


def test_a_signature_of_another_message_is_not_valid() -> None:
    assert not ED25519.verify(_KEY.public, _SIGNATURE, b"another")


def test_our_signatures_are_those_of_rfc_8032() -> None:
    private = ED25519.private_key(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    assert private is not None
    assert private.public.hex() == (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert private.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )


def test_a_generated_key_can_be_read_back() -> None:
    assert ED25519.private_key(_KEY.secret) == _KEY


def test_all_of_the_entropy_counts() -> None:
    assert ED25519.generate(bytes(40)) == ED25519.generate(bytes(40))
    assert ED25519.generate(bytes(40)) != ED25519.generate(bytes(39) + b"\x01")


def test_too_little_entropy_makes_no_key() -> None:
    with pytest.raises(ValueError, match=r"entropy"):
        ED25519.generate(bytes(31))


def test_a_private_key_does_not_show_its_secret() -> None:
    assert _KEY.secret.hex() not in repr(_KEY)
    assert repr(_KEY.secret) not in repr(_KEY)
