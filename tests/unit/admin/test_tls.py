"""Where the server's certificate comes from, and when a new one is taken."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from actors.config import TlsSettings
from actors.runtime.clock import FakeClock
from admin import certificates
from admin.certificates import AUTHORITY_LIFE, RENEW_BEFORE, SERVER_LIFE, names_of
from admin.tls import RETRY_S, TRUST_FILE, AutomaticCertificate, ServerTls, TlsError, server_tls
from tests.support.certs import authority, issued

DAY_S = 86_400.0
RENEWAL_S = (SERVER_LIFE - RENEW_BEFORE).total_seconds()


class Automatic:
    """The automatic TLS of a directory, at a time that the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, FakeClock()
        self.tls = self.open()

    def open(self, *names: str) -> ServerTls:
        settings = TlsSettings(automatic=True, names=names)
        made = server_tls(settings, self.folder, "127.0.0.1:0", self.clock)
        assert made is not None
        return made

    def certificate(self, name: str = "server") -> x509.Certificate:
        pem = (self.folder / "tls" / f"{name}.pem").read_bytes()
        return x509.load_pem_x509_certificates(pem)[0]


@pytest.fixture
def automatic(tmp_path: Path) -> Automatic:
    return Automatic(tmp_path)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_without_settings_there_is_no_tls(tmp_path: Path) -> None:
    assert server_tls(TlsSettings(), tmp_path, "127.0.0.1:0", FakeClock()) is None
    assert not list(tmp_path.iterdir())


def test_keys_are_their_owners_alone(automatic: Automatic) -> None:
    folder = automatic.folder / "tls"
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "ca.key": 0o600,
        "ca.pem": 0o644,
        "server.pem": 0o600,
    }
    assert mode(folder) == 0o700
    assert b"PRIVATE KEY" not in (folder / "ca.pem").read_bytes()


def test_the_certificate_is_for_this_machine_the_bound_host_and_the_names(tmp_path: Path) -> None:
    settings = TlsSettings(automatic=True, names=("node.example", "localhost"))
    server_tls(settings, tmp_path, "192.0.2.7:1", FakeClock())
    pem = (tmp_path / "tls" / "server.pem").read_bytes()
    assert set(names_of(x509.load_pem_x509_certificates(pem)[0])) == {
        "localhost",
        "127.0.0.1",
        "::1",
        "192.0.2.7",
        "node.example",
    }


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "[::1]:1"])
def test_an_address_of_no_machine_is_no_name(tmp_path: Path, listen: str) -> None:
    server_tls(TlsSettings(automatic=True), tmp_path, listen, FakeClock())
    pem = (tmp_path / "tls" / "server.pem").read_bytes()
    names = names_of(x509.load_pem_x509_certificates(pem)[0])
    assert set(names) == {"localhost", "127.0.0.1", "::1"}


def test_both_certificates_outlive_a_restart(automatic: Automatic) -> None:
    before = automatic.certificate("ca"), automatic.certificate()
    automatic.open()
    assert (automatic.certificate("ca"), automatic.certificate()) == before


def test_other_names_make_another_certificate_of_the_same_authority(automatic: Automatic) -> None:
    ca, before = automatic.certificate("ca"), automatic.certificate()
    automatic.open("node.example")
    assert automatic.certificate("ca") == ca
    assert automatic.certificate() != before
    assert "node.example" in names_of(automatic.certificate())


def test_a_certificate_is_renewed_in_time_while_it_is_served(automatic: Automatic) -> None:
    tls, before = automatic.tls, automatic.certificate()
    automatic.clock.advance(RENEWAL_S - 1)
    assert tls._fetch() is None
    assert automatic.certificate() == before
    automatic.clock.advance(1)
    assert tls._fetch() is not None
    assert tls._fetch() is None
    assert automatic.certificate() != before


def test_a_certificate_is_renewed_at_a_start_after_a_long_rest(automatic: Automatic) -> None:
    before = automatic.certificate()
    automatic.clock.advance(RENEWAL_S)
    automatic.open()
    assert automatic.certificate() != before


def test_a_renewal_that_fails_is_said_once_an_hour_and_the_old_one_stays(
    automatic: Automatic, caplog: pytest.LogCaptureFixture
) -> None:
    automatic.clock.advance(RENEWAL_S)
    shutil.rmtree(automatic.folder / "tls")
    (automatic.folder / "tls").touch()
    for _ in range(3):
        assert automatic.tls._fetch() is None
    assert caplog.text.count("stays as it was") == 1
    (automatic.folder / "tls").unlink()
    automatic.clock.advance(RETRY_S)
    assert automatic.tls._fetch() is not None


def test_an_authority_near_its_end_is_replaced(
    automatic: Automatic, caplog: pytest.LogCaptureFixture
) -> None:
    before = automatic.certificate("ca")
    automatic.clock.advance((AUTHORITY_LIFE - SERVER_LIFE).total_seconds())
    automatic.open()
    assert automatic.certificate("ca") != before
    assert "clients need the new one" in caplog.text
    automatic.certificate().verify_directly_issued_by(automatic.certificate("ca"))


@pytest.mark.parametrize("file", ["ca.key", "ca.pem"])
def test_a_broken_authority_is_named_and_left_alone(automatic: Automatic, file: str) -> None:
    (automatic.folder / "tls" / file).write_text("nonsense")
    with pytest.raises(TlsError, match=f"{file}.*remove both"):
        automatic.open()
    assert (automatic.folder / "tls" / file).read_text() == "nonsense"


def test_a_crash_between_the_two_files_of_an_authority_is_mended(automatic: Automatic) -> None:
    (automatic.folder / "tls" / "ca.key").unlink()
    automatic.open()
    automatic.certificate().verify_directly_issued_by(automatic.certificate("ca"))


def test_a_broken_server_file_is_made_again(automatic: Automatic) -> None:
    (automatic.folder / "tls" / "server.pem").write_text("nonsense")
    automatic.open()
    assert automatic.certificate()


# -- a certificate of the user's own ----------------------------------------------------------------


def own(
    folder: Path, client_ca: Path | None = None, *, clock: FakeClock | None = None
) -> ServerTls:
    settings = TlsSettings(
        certificate=folder / "own.pem", key=folder / "own.key", client_ca=client_ca
    )
    tls = server_tls(settings, folder, "127.0.0.1:0", clock or FakeClock())
    assert tls is not None
    return tls


def test_a_new_certificate_is_taken_once(tmp_path: Path) -> None:
    ca = authority()
    issued(ca, "localhost").write(tmp_path, "own")
    tls = own(tmp_path)
    assert tls._fetch() is None
    issued(ca, "localhost").write(tmp_path, "own")
    assert isinstance(tls._fetch(), grpc.ServerCertificateConfiguration)
    assert tls._fetch() is None


def test_half_a_rotation_keeps_the_old_certificate_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ca = authority()
    issued(ca, "localhost").write(tmp_path, "own")
    tls = own(tmp_path)
    new = issued(ca, "localhost")
    (tmp_path / "own.pem").write_bytes(new.pem)
    for _ in range(3):
        assert tls._fetch() is None
    assert caplog.text.count("the key is not that of the certificate") == 1
    (tmp_path / "own.key").write_bytes(new.key)
    assert tls._fetch() is not None


@pytest.mark.parametrize("name", ["own.pem", "own.key", "clients.pem"])
def test_a_file_that_vanishes_or_is_broken_keeps_the_old_certificate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    ca = authority()
    issued(ca, "localhost").write(tmp_path, "own")
    (tmp_path / "clients.pem").write_bytes(ca.pem)
    tls = own(tmp_path, tmp_path / "clients.pem")
    (tmp_path / name).unlink()
    assert tls._fetch() is None
    (tmp_path / name).write_text("nonsense")
    assert tls._fetch() is None
    assert caplog.text.count("stays as it was") == 2
    assert name in caplog.text


@pytest.mark.parametrize("name", ["own.pem", "own.key", "clients.pem"])
def test_a_file_that_cannot_be_served_is_named_at_the_start(tmp_path: Path, name: str) -> None:
    ca = authority()
    issued(ca, "localhost").write(tmp_path, "own")
    (tmp_path / "clients.pem").write_bytes(ca.pem)
    (tmp_path / name).unlink()
    with pytest.raises(TlsError, match=name):
        own(tmp_path, tmp_path / "clients.pem")
    (tmp_path / name).write_text("nonsense")
    with pytest.raises(TlsError, match=name):
        own(tmp_path, tmp_path / "clients.pem")


def test_a_certificate_that_is_not_valid_is_served_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = x509.load_pem_x509_certificates(authority().pem)[0].not_valid_after_utc
    issued(authority(), "localhost", now=now - timedelta(days=30), days=-1).write(tmp_path, "own")
    own(tmp_path)
    assert "own.pem is not valid today" in caplog.text


# -- what clients are told --------------------------------------------------------------------------


def test_clients_are_told_whom_to_trust_while_it_is_served(automatic: Automatic) -> None:
    file = automatic.folder / TRUST_FILE
    with automatic.tls.told(file):
        assert file.read_bytes() == (automatic.folder / "tls" / "ca.pem").read_bytes()
    assert not file.exists()
    automatic.clock.advance(RENEWAL_S)
    automatic.tls.look()
    assert not file.exists()


def test_clients_are_told_of_a_new_certificate_of_the_users_own(tmp_path: Path) -> None:
    ca = authority()
    first, second = issued(ca, "localhost"), issued(ca, "localhost")
    first.write(tmp_path, "own")
    tls = own(tmp_path)
    with tls.told(tmp_path / TRUST_FILE):
        assert (tmp_path / TRUST_FILE).read_bytes() == first.pem
        second.write(tmp_path, "own")
        tls.look()
        assert (tmp_path / TRUST_FILE).read_bytes() == second.pem


def test_a_certificate_that_clients_cannot_be_told_of_is_not_served_until_they_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ca = authority()
    first, second = issued(ca, "localhost"), issued(ca, "localhost")
    first.write(tmp_path, "own")
    clock, trust_file = FakeClock(), tmp_path / TRUST_FILE
    tls = own(tmp_path, clock=clock)
    with tls.told(trust_file):
        in_the_way = tmp_path / f"{TRUST_FILE}.new"
        in_the_way.mkdir()
        second.write(tmp_path, "own")
        assert [tls._fetch() for _ in range(3)] == [None] * 3
        assert caplog.text.count("stays as it was") == 1
        assert trust_file.read_bytes() == first.pem
        in_the_way.rmdir()
        clock.advance(RETRY_S)
        assert tls._fetch() is not None
        assert trust_file.read_bytes() == second.pem


def test_a_certificate_that_fails_in_no_foreseen_way_does_not_end_the_looking(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued(authority(), "localhost").write(tmp_path, "own")
    tls = own(tmp_path)

    def fail(_pair: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(certificates, "check", fail)
        issued(authority(), "localhost").write(tmp_path, "own")
        tls.look()
    assert "stays as it was" in caplog.text
    issued(authority(), "localhost").write(tmp_path, "own")
    assert tls._fetch() is not None


def test_the_automatic_source_has_no_files_to_look_at(tmp_path: Path) -> None:
    assert AutomaticCertificate(tmp_path / "tls", ("localhost",)).files == ()
