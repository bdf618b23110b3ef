"""The `ed25519` key scheme (LEDGER: keys; RFC 8032).

Must not live here: another scheme, or hex: keys are bytes.
"""

from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_MIN_ENTROPY_BYTES = 32

_FIELD = 2**255 - 19
_D = -121665 * pow(121666, -1, _FIELD) % _FIELD
_ORDER_EIGHT_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SIGN_BIT = 1 << 255


def _encodings_of_small_order() -> frozenset[bytes]:
    """Every 32-byte string that a lenient decoder takes for one of the 8 points of small order.

    Their y are 1 (order 1), -1 (order 2), 0 (order 4) and two values of order 8. A y below 19 can
    also be written as y + p, and a decoder may ignore the sign bit where x is 0: 14 strings.
    """
    canonical = (0, 1, _FIELD - 1, _ORDER_EIGHT_Y, _FIELD - _ORDER_EIGHT_Y)
    written = [y for base in canonical for y in (base, base + _FIELD) if y < _SIGN_BIT]
    return frozenset(
        (y | sign).to_bytes(_KEY_BYTES, "little") for y in written for sign in (0, _SIGN_BIT)
    )


_SMALL_ORDER = _encodings_of_small_order()


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """A private key: `secret` is the 32-byte seed of RFC 8032."""

    public: bytes
    secret: bytes = field(repr=False)
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`, 64 bytes, deterministic by the scheme."""
        return self._key.sign(message)


@dataclass(frozen=True, slots=True)
class Ed25519Public:
    """A public key. It need be no point of the curve: then nothing verifies."""

    _key: Ed25519PublicKey

    @property
    def is_standard(self) -> bool:
        """True: policy adds nothing for a sender of this scheme."""
        return True

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is this key's over `message`."""
        if len(signature) != _SIGNATURE_BYTES:
            return False
        try:
            self._key.verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Ed25519:
    """Keys and addresses of 32 bytes, signatures of 64."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The scheme's name in a network definition."""
        return "ed25519"

    def is_sender(self, key: bytes) -> bool:
        """Whether `key` has 32 bytes and is not of small order, in any encoding.

        Anyone can sign for some keys of small order. A key that is no point at all passes here and
        fails `verify`, whatever the signature.
        """
        return len(key) == _KEY_BYTES and key not in _SMALL_ORDER

    def is_address(self, key: bytes) -> bool:
        """Whether `key` has 32 bytes: all that consensus asks of a recipient or a coinbase."""
        return len(key) == _KEY_BYTES

    def is_standard_sender(self, key: bytes) -> bool:
        """The same as `is_sender`: policy adds nothing for a sender of this scheme."""
        return self.is_sender(key)

    def is_standard_address(self, key: bytes) -> bool:
        """Whether `key` is the encoding of a public key: a curve point, not of small order.

        Strict (RFC 8032, 5.1.3): y is below the field's prime. Nobody knows a secret whose public
        key has another encoding, so what is paid to one is lost. A point is on the curve when
        x^2 = (y^2 - 1) / (d y^2 + 1) has a root, which is told without finding it; x = 0 is of small
        order.
        """
        if not self.is_sender(key):
            return False
        y = int.from_bytes(key, "little") & ~_SIGN_BIT
        if y >= _FIELD:
            return False
        square = y * y % _FIELD
        return _is_square((square - 1) * (_D * square + 1))

    def public_key(self, key: bytes) -> Ed25519Public | None:
        """The key of 32 bytes that are not of small order; None for others."""
        if not self.is_sender(key):
            return None
        return Ed25519Public(Ed25519PublicKey.from_public_bytes(key))

    def verify(self, sender: bytes, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is `sender`'s over `message`; False for what is no key."""
        key = self.public_key(sender)
        return key is not None and key.verify(signature, message)

    def generate(self, entropy: bytes) -> Ed25519Key:
        """A new key from at least 32 bytes of entropy; the same entropy gives the same key.

        Raises:
            ValueError: Too little entropy.
        """
        if len(entropy) < _MIN_ENTROPY_BYTES:
            message = f"a key takes {_MIN_ENTROPY_BYTES} bytes of entropy, not {len(entropy)}"
            raise ValueError(message)
        return _key(sha256(entropy).digest())

    def private_key(self, data: bytes) -> Ed25519Key | None:
        """The private key of a 32-byte seed; None when `data` has another length."""
        return _key(data) if len(data) == _KEY_BYTES else None


def _is_square(value: int) -> bool:
    """Whether a number other than 0 is a square modulo the field's prime: its Jacobi symbol, by
    quadratic reciprocity (Cohen, A Course in Computational Algebraic Number Theory, 1.4.10). A fifth of
    what Euler's criterion takes.
    """
    value, modulus, is_square = value % _FIELD, _FIELD, True
    while value:
        twos = (value & -value).bit_length() - 1
        value >>= twos
        if twos & 1 and modulus & 7 in (3, 5):
            is_square = not is_square
        if value & modulus & 3 == 3:  # noqa: PLR2004 - both are 3 modulo 4
            is_square = not is_square
        value, modulus = modulus % value, value
    return is_square and modulus == 1


def _key(seed: bytes) -> Ed25519Key:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return Ed25519Key(key.public_key().public_bytes_raw(), seed, key)
