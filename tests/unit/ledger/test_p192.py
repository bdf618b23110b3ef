"""`p192-sha1`: consensus takes what the field takes, policy only the compressed form."""

import pytest

from actors.ledger.keys import P192_SHA1
from tests.support.ledger import key
from tests.support.vectors import workshop

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFF99DEF836146BC9B1B4D22831
_FIELD = 2**192 - 2**64 - 1
_KEY = key(P192_SHA1, "payer")
_MESSAGE = b"message"
_SIGNATURE = _KEY.sign(_MESSAGE)

_COMPRESSED = bytes.fromhex(workshop()["keys"][0]["public"])
_UNCOMPRESSED = bytes.fromhex(workshop()["keys"][0]["public_uncompressed"])
_RAW = _UNCOMPRESSED[1:]
_PARITY = _UNCOMPRESSED[-1] & 1
_HYBRID = bytes((6 + _PARITY,)) + _RAW
_WRONG_HYBRID = bytes((7 - _PARITY,)) + _RAW


def _vector_signature() -> bytes:
    private = P192_SHA1.private_key(bytes.fromhex(workshop()["keys"][0]["private"]))
    assert private is not None
    return private.sign(_MESSAGE)


def _scalar(value: int) -> bytes:
    return value.to_bytes(24, "big")


@pytest.mark.parametrize(
    "encoding",
    [_COMPRESSED, _RAW, _UNCOMPRESSED, _HYBRID],
    ids=["compressed", "raw", "uncompressed", "hybrid"],
)
def test_a_sender_in_each_encoding_of_the_field_verifies(encoding: bytes) -> None:
    assert P192_SHA1.is_sender(encoding)
    assert P192_SHA1.verify(encoding, _vector_signature(), _MESSAGE)


def test_a_hybrid_sender_of_the_wrong_parity_is_no_key() -> None:
    assert not P192_SHA1.is_sender(_WRONG_HYBRID)
    assert not P192_SHA1.verify(_WRONG_HYBRID, _vector_signature(), _MESSAGE)


def test_a_point_s_negative_is_another_key() -> None:
    negative = bytes((_COMPRESSED[0] ^ 1,)) + _COMPRESSED[1:]
    assert P192_SHA1.is_sender(negative)
    assert not P192_SHA1.verify(negative, _vector_signature(), _MESSAGE)


@pytest.mark.parametrize("fill", [0x00, 0x04, 0x05, 0xFF])
def test_bytes_that_are_no_point_are_no_sender(fill: int) -> None:
    for length in (*range(60), 96, 1_000):
        encoding = bytes((fill,)) * length
        assert not P192_SHA1.is_sender(encoding)
        assert not P192_SHA1.verify(encoding, _SIGNATURE, _MESSAGE)


def test_25_bytes_are_a_sender_with_first_byte_2_or_3_only() -> None:
    x = _COMPRESSED[1:]
    assert [first for first in range(256) if P192_SHA1.is_sender(bytes((first,)) + x)] == [2, 3]


def test_49_bytes_are_a_sender_with_first_byte_4_or_the_right_hybrid_only() -> None:
    accepted = [first for first in range(256) if P192_SHA1.is_sender(bytes((first,)) + _RAW)]
    assert accepted == [4, 6 + _PARITY]


def test_an_x_is_not_reduced_modulo_the_field() -> None:
    x = next(x for x in range(100) if P192_SHA1.is_sender(b"\x02" + _scalar(x)))
    assert not P192_SHA1.is_sender(b"\x02" + _scalar(_FIELD + x))


def test_a_point_off_the_curve_is_no_sender() -> None:
    off_curve = _UNCOMPRESSED[:-1] + bytes((_UNCOMPRESSED[-1] ^ 2,))
    assert not P192_SHA1.is_sender(off_curve)
    assert not P192_SHA1.is_sender(off_curve[1:])


def test_policy_wants_a_sender_compressed() -> None:
    assert P192_SHA1.is_standard_sender(_COMPRESSED)
    for encoding in (_RAW, _UNCOMPRESSED, _HYBRID):
        assert not P192_SHA1.is_standard_sender(encoding)


def test_policy_wants_an_address_to_be_a_compressed_key() -> None:
    assert P192_SHA1.is_standard_address(_COMPRESSED)
    for address in (b"", b"\x05", bytes(33), _RAW, _UNCOMPRESSED, b"\x02" + b"\xff" * 24):
        assert not P192_SHA1.is_standard_address(address)


@pytest.mark.parametrize("length", [0, 1, 25, 33, 5_000])
def test_consensus_takes_an_address_of_any_length(length: int) -> None:
    assert P192_SHA1.is_address(bytes(length))


def test_high_and_low_s_are_both_valid() -> None:
    r, s = _SIGNATURE[:24], int.from_bytes(_SIGNATURE[24:], "big")
    assert P192_SHA1.verify(_KEY.public, r + _scalar(s), _MESSAGE)
    assert P192_SHA1.verify(_KEY.public, r + _scalar(_ORDER - s), _MESSAGE)


@pytest.mark.parametrize("nonce", range(20))
def test_our_signatures_have_low_s(nonce: int) -> None:
    signature = _KEY.sign(b"%d" % nonce)
    assert int.from_bytes(signature[24:], "big") <= _ORDER // 2


def test_our_signatures_are_deterministic() -> None:
    assert _KEY.sign(_MESSAGE) == _SIGNATURE


@pytest.mark.parametrize(
    ("message", "r", "s"),
    [
        (
            b"sample",
            0x98C6BD12B23EAF5E2A2045132086BE3EB8EBD62ABF6698FF,
            0x57A22B07DEA9530F8DE9471B1DC6624472E8E2844BC25B64,
        ),
        (
            b"test",
            0x0F2141A0EBBC44D2E1AF90A50EBCFCE5E197B3B7D4DE036D,
            0xEB18BC9E1F3D7387500CB99CF5F7C157070A8961E38700B7,
        ),
    ],
)
def test_our_signatures_are_those_of_rfc_6979_with_s_made_low(
    message: bytes, r: int, s: int
) -> None:
    private = P192_SHA1.private_key(_scalar(0x6FAB034934E4C0FC9AE67F5B5659A9D7D1FEFD187EE09FD4))
    assert private is not None
    assert private.sign(message) == _scalar(r) + _scalar(min(s, _ORDER - s))


@pytest.mark.parametrize("length", [0, 1, 24, 47, 49, 64, 96])
def test_a_signature_of_another_length_is_not_valid(length: int) -> None:
    assert not P192_SHA1.verify(_KEY.public, (_SIGNATURE * 2)[:length], _MESSAGE)


@pytest.mark.parametrize("r", [0, 1, _ORDER - 1, _ORDER, 2**192 - 1])
@pytest.mark.parametrize("s", [0, 1, _ORDER - 1, _ORDER, 2**192 - 1])
def test_a_signature_at_the_edges_of_its_range_is_not_valid(r: int, s: int) -> None:
    assert not P192_SHA1.verify(_KEY.public, _scalar(r) + _scalar(s), _MESSAGE)


@pytest.mark.parametrize("scalar", [0, _ORDER, _ORDER + 1, 2**192 - 1])
def test_a_scalar_out_of_range_is_no_private_key(scalar: int) -> None:
    assert P192_SHA1.private_key(_scalar(scalar)) is None


@pytest.mark.parametrize("scalar", [1, _ORDER - 1])
def test_a_scalar_at_the_end_of_its_range_is_a_private_key(scalar: int) -> None:
    private = P192_SHA1.private_key(_scalar(scalar))
    assert private is not None
    assert P192_SHA1.verify(private.public, private.sign(_MESSAGE), _MESSAGE)


@pytest.mark.parametrize("length", [0, 1, 23, 25, 32])
def test_a_private_key_has_24_bytes(length: int) -> None:
    assert P192_SHA1.private_key(b"\x01" * length) is None


def test_a_generated_key_can_be_read_back() -> None:
    assert P192_SHA1.private_key(_KEY.secret) == _KEY
    assert P192_SHA1.is_standard_address(_KEY.public)


def test_the_same_entropy_gives_the_same_key() -> None:
    assert P192_SHA1.generate(bytes(32)) == P192_SHA1.generate(bytes(32))
    assert P192_SHA1.generate(bytes(32)) != P192_SHA1.generate(bytes(31) + b"\x01")


def test_too_little_entropy_makes_no_key() -> None:
    with pytest.raises(ValueError, match=r"entropy"):
        P192_SHA1.generate(bytes(31))


def test_a_private_key_does_not_show_its_secret() -> None:
    assert _KEY.secret.hex() not in repr(_KEY)
    assert repr(_KEY.secret) not in repr(_KEY)
