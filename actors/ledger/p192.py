"""The `p192-sha1` key scheme: ECDSA on NIST P-192 with SHA-1 (LEDGER: keys).

What the nodes in the field speak, and too weak for anything but teaching. Consensus takes each
encoding of a public key that they take; what we dislike is policy.

A malformed key or signature is False or None. `UnsupportedAlgorithm`, from a `cryptography` built
without this curve or hash, is let through on purpose: it says nothing about the input, and to take
it for a bad signature would be to refuse the field's whole chain.

Must not live here: another scheme, or hex: keys are bytes.
"""

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_FIELD_BYTES = 24
_COMPRESSED_BYTES = 1 + _FIELD_BYTES
_RAW_BYTES = 2 * _FIELD_BYTES
_PREFIXED_BYTES = 1 + 2 * _FIELD_BYTES
_SIGNATURE_BYTES = 2 * _FIELD_BYTES
# 192 bits and 64 more, so that the reduction modulo the order leaves no bias (FIPS 186-5, A.2.1).
_MIN_ENTROPY_BYTES = 32

# First byte of an encoded point (SEC 1, 2.3.3; ANSI X9.62 for the hybrid form, which repeats
# the parity of y).
_COMPRESSED = (b"\x02", b"\x03")
_UNCOMPRESSED = b"\x04"
_HYBRID = (b"\x06", b"\x07")

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFF99DEF836146BC9B1B4D22831

_CURVE = ec.SECP192R1()
_VERIFYING = ec.ECDSA(SHA1())  # noqa: S303 - the field's hash
_SIGNING = ec.ECDSA(SHA1(), deterministic_signing=True)  # noqa: S303 - the field's hash


@dataclass(frozen=True, slots=True)
class P192Key:
    """A private key: `secret` is the scalar, 24 bytes big-endian; `public` is compressed."""

    public: bytes
    secret: bytes = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`: r and s of 24 bytes each, deterministic (RFC 6979), low S."""
        r, s = decode_dss_signature(self._key.sign(message, _SIGNING))
        low_s = min(s, _ORDER - s)
        return r.to_bytes(_FIELD_BYTES, "big") + low_s.to_bytes(_FIELD_BYTES, "big")


@dataclass(frozen=True, slots=True)
class P192Public:
    """A public key, decoded: a tenth of what a verification takes."""

    _key: ec.EllipticCurvePublicKey
    is_standard: bool
    """Whether it was compressed."""

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (high or low S) is this key's over `message`."""
        if len(signature) != _SIGNATURE_BYTES:
            return False
        r = int.from_bytes(signature[:_FIELD_BYTES], "big")
        s = int.from_bytes(signature[_FIELD_BYTES:], "big")
        try:
            self._key.verify(encode_dss_signature(r, s), message, _VERIFYING)
        except (InvalidSignature, ValueError):
            return False
        return True


class P192Sha1:
    """Senders in any encoding that the field takes, signatures of 48 bytes, any address."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The scheme's name in a network definition."""
        return "p192-sha1"

    def is_sender(self, key: bytes) -> bool:
        """Whether `key` is a point of the curve: compressed, raw, uncompressed or hybrid."""
        return self.public_key(key) is not None

    def is_address(self, key: bytes) -> bool:  # noqa: ARG002 - the scheme's protocol
        """True: the field credits a recipient or a coinbase of any length, also empty."""
        return True

    def is_standard_sender(self, key: bytes) -> bool:
        """Whether `key` is a compressed public key."""
        return len(key) == _COMPRESSED_BYTES and self.is_sender(key)

    def is_standard_address(self, key: bytes) -> bool:
        """Whether `key` is a compressed public key."""
        return self.is_standard_sender(key)

    def public_key(self, key: bytes) -> P192Public | None:
        """The key of an encoded point; None when it is not on the curve or in no accepted encoding."""
        point = _standard_encoding(key)
        if point is None:
            return None
        try:
            decoded = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
        except ValueError:
            return None
        return P192Public(decoded, len(key) == _COMPRESSED_BYTES)

    def verify(self, sender: bytes, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (high or low S) is `sender`'s over `message`; False for no key."""
        key = self.public_key(sender) if len(signature) == _SIGNATURE_BYTES else None
        return key is not None and key.verify(signature, message)

    def generate(self, entropy: bytes) -> P192Key:
        """A new key from at least 32 bytes of entropy; the same entropy gives the same key.

        Raises:
            ValueError: Too little entropy.
        """
        if len(entropy) < _MIN_ENTROPY_BYTES:
            message = f"a key takes {_MIN_ENTROPY_BYTES} bytes of entropy, not {len(entropy)}"
            raise ValueError(message)
        return _key(int.from_bytes(entropy, "big") % (_ORDER - 1) + 1)

    def private_key(self, data: bytes) -> P192Key | None:
        """The private key of a 24-byte big-endian scalar; None unless it is in 1 to order - 1."""
        scalar = int.from_bytes(data, "big")
        if len(data) != _FIELD_BYTES or not 0 < scalar < _ORDER:
            return None
        return _key(scalar)


def _key(scalar: int) -> P192Key:
    key = ec.derive_private_key(scalar, _CURVE)
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return P192Key(public, scalar.to_bytes(_FIELD_BYTES, "big"), key)


def _standard_encoding(encoded: bytes) -> bytes | None:
    """The same point in an encoding that `cryptography` reads; None when there is none."""
    first, size = encoded[:1], len(encoded)
    if size == _RAW_BYTES:
        return _UNCOMPRESSED + encoded
    if size == _COMPRESSED_BYTES and first in _COMPRESSED:
        return encoded
    if size != _PREFIXED_BYTES:
        return None
    if first == _UNCOMPRESSED:
        return encoded
    if first == _HYBRID[encoded[-1] & 1]:
        return _UNCOMPRESSED + encoded[1:]
    return None
