"""TLS of the admin server: where its certificate comes from, and how a new one is taken without a restart.

Automatic: an authority of the node's own and a certificate that it signs, in the folder ``tls`` of the
data directory. Own: two files of the user's. Must not live here: what is in a certificate
(``certificates``).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import grpc

from actors.config import TlsSettings
from actors.runtime.clock import Clock
from actors.runtime.files import write_whole
from admin import certificates
from admin.bind import parts_of, reachable
from admin.certificates import CertificateError, Pair

log = logging.getLogger(__name__)

TRUST_FILE: Final = "admin.pem"
"""What a client on this machine is to trust, beside the address: there only while TLS is served."""
FOLDER: Final = "tls"
AUTHORITY_FILE: Final = "ca.pem"
AUTHORITY_KEY_FILE: Final = "ca.key"
SERVER_FILE: Final = "server.pem"
"""Key and certificate in one file, so that a crash leaves both or none."""
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
RETRY_S: Final = 3_600.0
"""A renewal that failed has 30 days left to succeed."""
_PUBLIC_MODE = 0o644
_FOLDER_MODE = 0o700


class TlsError(Exception):
    """TLS cannot be served; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a server shows, and what a client that reads the data directory trusts."""

    pair: Pair
    trusted: bytes


class Source(Protocol):
    """Where a certificate comes from."""

    files: tuple[Path, ...]
    """Whose change means a new certificate."""

    def load(self, now: datetime) -> Served:
        """Raises OSError or CertificateError: there is none that could be served."""

    def is_due(self, now: datetime) -> bool:
        """Whether it is time for a new one."""


class OwnCertificate:
    """A certificate and a key that the user, or a program of his, keeps up to date."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.files: tuple[Path, ...] = (certificate, key)

    def load(self, now: datetime) -> Served:
        certificate_file, key_file = self.files
        pair = Pair(key_file.read_bytes(), certificate_file.read_bytes())
        try:
            certificate = certificates.check(pair)
        except CertificateError as error:
            message = f"{certificate_file} with {key_file}: {error}"
            raise CertificateError(message) from error
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            until = certificate.not_valid_after_utc.date()
            log.warning(
                "the TLS certificate %s is not valid today: its last day is %s",
                certificate_file,
                until,
            )
        return Served(pair, certificates.pem_of(certificate))

    def is_due(self, _now: datetime) -> bool:
        return False


class AutomaticCertificate:
    """A certificate of an authority of the node's own, renewed in time and when its names change."""

    files: tuple[Path, ...] = ()

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._names = tuple(dict.fromkeys(names))
        self._renew_at: datetime | None = None

    def load(self, now: datetime) -> Served:
        self._folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        authority = self._authority(now)
        pair = self._kept(authority, now)
        if pair is None:
            pair = certificates.new_server(authority, self._names, now)
            write_whole(self._folder / SERVER_FILE, pair.key + pair.chain)
            log.info("made a TLS certificate for %s", ", ".join(self._names))
        last = certificates.certificate_of(pair.chain).not_valid_after_utc
        self._renew_at = last - certificates.RENEW_BEFORE
        return Served(pair, authority.chain)

    def is_due(self, now: datetime) -> bool:
        return self._renew_at is not None and now >= self._renew_at

    def _authority(self, now: datetime) -> Pair:
        """The authority; a new one at the first start, and when its end is near. Its key is written last."""
        key_file, file = self._folder / AUTHORITY_KEY_FILE, self._folder / AUTHORITY_FILE
        if key_file.exists():
            try:
                authority = Pair(key_file.read_bytes(), file.read_bytes())
                last = certificates.check(authority).not_valid_after_utc
            except (OSError, CertificateError) as error:
                message = f"{file} and {key_file} are no authority ({error}): remove both, and the next start makes a new one"
                raise CertificateError(message) from error
            if now + certificates.SERVER_LIFE < last:
                return authority
            log.warning("the TLS authority %s ends soon: clients need the new one", file)
        authority = certificates.new_authority(now)
        key_file.unlink(missing_ok=True)
        write_whole(file, authority.chain, mode=_PUBLIC_MODE)
        write_whole(key_file, authority.key)
        return authority

    def _kept(self, authority: Pair, now: datetime) -> Pair | None:
        """The pair that was made before, if it is still good."""
        try:
            both = (self._folder / SERVER_FILE).read_bytes()
            pair = Pair(both, both)
            certificate = certificates.check(pair)
        except (OSError, CertificateError):
            return None
        good = (
            set(certificates.names_of(certificate)) == set(self._names)
            and certificates.is_issued_by(certificate, authority)
            and now < certificate.not_valid_after_utc - certificates.RENEW_BEFORE
        )
        return Pair(both, certificates.pem_of(certificate)) if good else None


class ServerTls:
    """What the server's TLS is at this moment. From any thread: gRPC asks on its own for each connection."""

    def __init__(self, source: Source, client_ca: Path | None, clock: Clock) -> None:
        """Args:
            client_ca: Who signs clients' certificates; None: clients need none.

        Raises:
            TlsError: it cannot be served.
        """
        self._source, self._client_ca, self._clock = source, client_ca, clock
        self._lock = threading.Lock()
        self._trust_file: Path | None = None
        self._fresh = self._failed = False
        self._retry_s = 0.0
        self._seen = self._look_at_files()
        try:
            self._load()
        except (OSError, CertificateError) as error:
            message = f"TLS cannot be served: {_why(error)}"
            raise TlsError(message) from error

    def credentials(self) -> grpc.ServerCredentials:
        """For a port; it follows what is here."""
        fetch: Any = self._fetch  # grpc-stubs do not know that it may return None
        return grpc.dynamic_ssl_server_credentials(
            self._configuration,
            fetch,
            require_client_authentication=self._client_ca is not None,
        )

    def look(self) -> None:
        """Take new files, or renew what ends soon. What fails is said, and the old one stays until the files
        change again or an hour is over: a disk may have been full, a file not ours to read.
        """
        with self._lock:
            now_s = self._clock.wall_s()
            files = self._look_at_files()
            due = self._failed or self._source.is_due(certificates.moment(now_s))
            if files == self._seen and not (due and now_s >= self._retry_s):
                return
            self._seen, self._failed = files, True
            self._retry_s = now_s + RETRY_S
            try:
                self._load()
            except (OSError, CertificateError) as error:
                log.warning("the TLS certificate stays as it was: %s", _why(error))
            except Exception:
                log.exception("the TLS certificate stays as it was")
            else:
                self._fresh, self._failed = True, False
                log.info("a new TLS certificate is served to new connections")

    @contextlib.contextmanager
    def told(self, trust_file: Path) -> Iterator[None]:
        """Keep in a file what clients are to trust, for as long as it is served."""
        with self._lock:
            self._trust_file = trust_file
            self._tell_clients(self._trusted)
        try:
            yield
        finally:
            with self._lock:
                self._trust_file = None
                trust_file.unlink(missing_ok=True)

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """What a new connection is to be served with; None: as the one before. On a thread of gRPC."""
        self.look()
        with self._lock:
            fresh, self._fresh = self._fresh, False
            return self._configuration if fresh else None

    def _load(self) -> None:
        """Raises OSError or CertificateError, and then nothing has changed."""
        roots = self._client_roots()  # before a certificate is made that would then not be served
        served = self._source.load(certificates.moment(self._clock.wall_s()))
        self._tell_clients(served.trusted)  # before: they shall not meet what they cannot trust
        self._trusted = served.trusted
        self._configuration = grpc.ssl_server_certificate_configuration(
            [(served.pair.key, served.pair.chain)], roots
        )

    def _client_roots(self) -> bytes | None:
        if self._client_ca is None:
            return None
        roots = self._client_ca.read_bytes()
        try:
            certificates.certificate_of(roots)
        except CertificateError as error:
            message = f"{self._client_ca}: {error}"
            raise CertificateError(message) from error
        return roots

    def _tell_clients(self, trusted: bytes) -> None:
        if self._trust_file is not None:
            write_whole(self._trust_file, trusted, mode=_PUBLIC_MODE)

    def _look_at_files(self) -> tuple[object, ...]:
        """Tells a changed file from an unchanged one."""
        files = (
            self._source.files
            if self._client_ca is None
            else (*self._source.files, self._client_ca)
        )
        return tuple(map(_mark, files))


def server_tls(
    settings: TlsSettings, data_dir: Path, listen: str, clock: Clock
) -> ServerTls | None:
    """The TLS that the settings ask for; None: none. ``listen`` is the server's ``host:port``.

    Raises:
        AdminBindError: ``listen`` is no address.
        TlsError: it cannot be served.
    """
    if not settings.is_on:
        return None
    source: Source
    if settings.certificate is not None and settings.key is not None:
        source = OwnCertificate(settings.certificate, settings.key)
    else:
        host, _ = parts_of(reachable(listen))
        source = AutomaticCertificate(data_dir / FOLDER, (*LOCAL_NAMES, host, *settings.names))
    return ServerTls(source, settings.client_ca, clock)


def _mark(path: Path) -> object:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return status.st_mtime_ns, status.st_size, status.st_ino


def _why(error: OSError | CertificateError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(error)
