"""The node's own authority and certificates, and what a pair must be."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from admin.certificates import (
    AUTHORITY_LIFE,
    SERVER_LIFE,
    CertificateError,
    Pair,
    certificate_of,
    check,
    is_issued_by,
    names_of,
    new_authority,
    new_server,
)
from tests.support.certs import authority, issued

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def pem(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> bytes:
    hidden = (
        serialization.NoEncryption()
        if password is None
        else serialization.BestAvailableEncryption(password)
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


def test_a_server_certificate_is_for_its_names_and_of_its_authority() -> None:
    ours, other = new_authority(NOW), new_authority(NOW)
    certificate = check(new_server(ours, ("localhost", "::1", "node.example"), NOW))
    assert set(names_of(certificate)) == {"localhost", "::1", "node.example"}
    assert certificate.not_valid_before_utc < NOW
    assert certificate.not_valid_after_utc == NOW + SERVER_LIFE
    assert is_issued_by(certificate, ours)
    assert not is_issued_by(certificate, other)


def test_an_authority_is_one_and_lasts() -> None:
    certificate = check(new_authority(NOW))
    assert certificate.not_valid_after_utc == NOW + AUTHORITY_LIFE
    assert certificate.subject != check(new_authority(NOW)).subject
    assert names_of(certificate) == ()


def test_what_is_no_host_name_gets_no_certificate() -> None:
    with pytest.raises(CertificateError, match="no host name"):
        new_server(new_authority(NOW), ("nöde",), NOW)


def test_a_key_is_not_shown_with_its_pair() -> None:
    assert "PRIVATE KEY" not in repr(new_authority(NOW))


def test_a_pair_that_cannot_be_served_says_why() -> None:
    ca = authority()
    one, two = issued(ca, "localhost"), issued(ca, "localhost")
    rsa_key = rsa.generate_private_key(65_537, 2_048)
    for key, chain, why in (
        (two.key, one.pem, "not that of the certificate"),
        (pem(rsa_key), one.pem, "not that of the certificate"),
        (pem(rsa_key, b"word"), one.pem, "encrypted"),
        (pem(ed25519.Ed25519PrivateKey.generate()), one.pem, "RSA key or one on an elliptic"),
        (b"", one.pem, "no private key"),
        (one.pem, one.pem, "no private key"),
        (one.key, one.key, "no certificate"),
        (one.key, b"", "no certificate"),
    ):
        with pytest.raises(CertificateError, match=why):
            check(Pair(key, chain))
    assert check(Pair(one.key, one.pem + ca.pem)).serial_number == one.serial


def test_the_first_certificate_of_a_file_counts() -> None:
    ca = authority()
    assert certificate_of(issued(ca, "a").pem + ca.pem).issuer == ca.certificate.subject
