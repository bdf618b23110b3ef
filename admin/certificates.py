"""X.509 for the admin server: an authority of its own, certificates for names, and what a pair must be.

Pure but for the randomness of keys and serial numbers. Must not live here: files and gRPC (``tls``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE: Final = timedelta(days=3_650)
"""Clients keep a copy of the authority's certificate, so it stays for as long as a node does."""
SERVER_LIFE: Final = timedelta(days=90)
"""Renewed without anybody's doing, so it need not be long."""
RENEW_BEFORE: Final = timedelta(days=30)
"""A node that was off for some weeks, and a client whose clock is wrong, still find a good one."""
CLOCK_SKEW: Final = timedelta(hours=1)
"""A client whose clock is slow accepts a certificate that was just made."""


class CertificateError(Exception):
    """A key or certificate cannot be used; the message is one sentence without a full stop."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key, and its certificate with those that lead from it to an authority. All PEM."""

    key: bytes = field(repr=False)
    chain: bytes


def new_authority(now: datetime) -> Pair:
    """An authority that signs certificates for servers; its name is its alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = _name(f"Troupe admin authority {serial % 2**32:08x}")
    usage = _key_usage(key_cert_sign=True, crl_sign=True)
    certificate = (
        _draft(key.public_key(), now, AUTHORITY_LIFE, serial)
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(_key_pem(key), _pem(certificate))


def new_server(authority: Pair, names: Sequence[str], now: datetime) -> Pair:
    """A certificate for a server of these host names and IP addresses, signed by an authority of ours.

    Raises:
        CertificateError: a name is none.
    """
    issuer, issuer_key = certificate_of(authority.chain), _private_key(authority.key)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _draft(key.public_key(), now, SERVER_LIFE, x509.random_serial_number())
        .subject_name(_name("Troupe admin server"))
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return Pair(_key_pem(key), _pem(certificate))


def certificate_of(pem: bytes) -> x509.Certificate:
    """The first certificate of a PEM file.

    Raises:
        CertificateError: there is none, or another is broken.
    """
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError as error:
        message = "it holds no certificate in PEM"
        raise CertificateError(message) from error


def check(pair: Pair) -> x509.Certificate:
    """The certificate of a pair that a server can use.

    Raises:
        CertificateError: it cannot: a part is no PEM, the key is of another kind or of another certificate.
    """
    certificate = certificate_of(pair.chain)
    if _private_key(pair.key).public_key() != certificate.public_key():
        message = "the key is not that of the certificate"
        raise CertificateError(message)
    return certificate


def is_issued_by(certificate: x509.Certificate, authority: Pair) -> bool:
    """Whether an authority signed it."""
    try:
        certificate.verify_directly_issued_by(certificate_of(authority.chain))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The host names and IP addresses that it is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    hosts = names.get_values_for_type(x509.DNSName)
    return (*hosts, *map(str, names.get_values_for_type(x509.IPAddress)))


def pem_of(certificate: x509.Certificate) -> bytes:
    """It alone."""
    return _pem(certificate)


def moment(unix_s: float) -> datetime:
    """A time for the functions here, from seconds since 1970."""
    return datetime.fromtimestamp(unix_s, UTC)


def _draft(
    key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta, serial: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        message = f"{name!r} is no host name"
        raise CertificateError(message) from error


def _private_key(pem: bytes) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        message = "the key is encrypted, and nobody is there to type its password"
        raise CertificateError(message) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        message = "the key file holds no private key in PEM"
        raise CertificateError(message) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        message = "the key must be an RSA key or one on an elliptic curve such as P-256"
        raise CertificateError(message)
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
