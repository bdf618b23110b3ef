"""Authorities and certificates of a test's own making: good, expired, for another name, for clients."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Made:
    """A certificate and its key, as objects and as PEM."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key(self) -> bytes:
        return self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def serial(self) -> int:
        return self.certificate.serial_number

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Certificate and key as two files."""
        files = folder / f"{name}.pem", folder / f"{name}.key"
        for file, data in zip(files, (self.pem, self.key), strict=True):
            file.write_bytes(data)
        return files


def authority(name: str = "a test's authority") -> Made:
    return _make(name, None, (), datetime.now(UTC), 10 * DAY)


def issued(by: Made, *names: str, now: datetime | None = None, days: int = 5) -> Made:
    """A certificate for these names that is good for so many days from then; negative: no more."""
    return _make("a test", by, names, now or datetime.now(UTC), days * DAY)


def _make(
    name: str, by: Made | None, names: tuple[str, ...], now: datetime, life: timedelta
) -> Made:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    draft = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 100 * DAY)
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if names:
        draft = draft.add_extension(
            x509.SubjectAlternativeName([_name(each) for each in names]), critical=False
        )
    return Made(draft.sign(key if by is None else by.private_key, hashes.SHA256()), key)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
