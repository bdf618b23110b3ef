"""The command and a node that serves TLS: real command lines, real handshakes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from actors.config import TlsSettings
from actors.runtime.clock import ThreadClock
from admin.cli.exits import ExitCode
from admin.cli.main import cli
from admin.tls import TRUST_FILE, server_tls
from tests.support.admin_stage import AdminStage, staged
from tests.support.certs import Made, authority, issued

SHOW = "token show -o json"


def troupe(line: str, **env: str) -> Result:
    return CliRunner().invoke(cli, line.split(), env={"TROUPE_DATA_DIR": "/nowhere", **env})


def refusal(line: str, code: ExitCode = ExitCode.FAILED, **env: str) -> str:
    result = troupe(line, **env)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def caller(line: str, **env: str) -> str:
    result = troupe(line, **env)
    assert result.exit_code == 0, result.stderr
    name: str = json.loads(result.stdout)["name"]
    return name


@contextmanager
def serving(folder: Path, settings: TlsSettings) -> Iterator[AdminStage]:
    clock = ThreadClock()
    try:
        tls = server_tls(settings, folder, "127.0.0.1:0", clock)
        with staged(folder, tls=tls) as stage:
            yield stage
    finally:
        clock.stop()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[AdminStage]:
    """A node with automatic TLS."""
    with serving(tmp_path, TlsSettings(automatic=True)) as running:
        yield running


@contextmanager
def own(folder: Path, certificate: Made, client_ca: Path | None = None) -> Iterator[AdminStage]:
    """A node with a certificate of its user's own."""
    file, key = certificate.write(folder, "own")
    with serving(folder, TlsSettings(certificate=file, key=key, client_ca=client_ca)) as running:
        yield running


def by_address(stage: AdminStage, *more: str) -> str:
    """A command line that knows nothing of the data directory."""
    token = stage.data_dir / "admin.token"
    return " ".join((SHOW, "--admin", stage.address, "--token-file", str(token), *more))


def by_directory(stage: AdminStage, *more: str) -> str:
    return " ".join((SHOW, "--data-dir", str(stage.data_dir), *more))


def test_the_data_directory_is_enough_for_automatic_tls(stage: AdminStage) -> None:
    assert caller(by_directory(stage)) == "admin"
    assert caller(SHOW, TROUPE_DATA_DIR=str(stage.data_dir)) == "admin"


def test_elsewhere_the_authority_is_named(stage: AdminStage) -> None:
    trust = str(stage.data_dir / TRUST_FILE)
    assert caller(by_address(stage, "--tls-ca", trust)) == "admin"
    named = by_address(stage, "--tls-ca", trust).replace("127.0.0.1", "localhost")
    assert caller(named) == "admin"


def test_the_authorities_of_the_system_are_trusted_when_asked(stage: AdminStage) -> None:
    trust = str(stage.data_dir / TRUST_FILE)
    assert caller(by_address(stage, "--tls"), SSL_CERT_FILE=trust) == "admin"
    assert "of no authority in this system's list" in refusal(by_address(stage, "--tls"))


def test_plaintext_to_a_node_that_serves_tls_says_what_to_add(stage: AdminStage) -> None:
    assert "--tls-ca" in refusal(by_address(stage))


def test_tls_to_a_node_that_serves_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    with staged(tmp_path) as stage:
        said = refusal(by_address(stage, "--tls-ca", str(tmp_path / "ca.pem")))
    assert "it does not serve TLS" in said


def test_another_machine_is_not_called_in_plaintext(stage: AdminStage) -> None:
    for elsewhere in ("192.0.2.1:5", "node.example:5", "0.0.0.0:5"):
        line = by_address(stage).replace(stage.address, elsewhere)
        assert "over TLS only" in refusal(line, ExitCode.USAGE)


def test_a_certificate_of_another_authority_is_named_as_the_fault(stage: AdminStage) -> None:
    other = stage.data_dir / "other.pem"
    other.write_bytes(authority("another").pem)
    for line in (
        by_address(stage, "--tls-ca", str(other)),
        by_directory(stage, "--tls-ca", str(other)),
    ):
        assert f"of no authority in {other}" in refusal(line)


def test_an_expired_certificate_is_named_as_the_fault(tmp_path: Path) -> None:
    with own(tmp_path, issued(authority(), "localhost", days=-1)) as stage:
        assert "has expired" in refusal(by_directory(stage))


def test_a_certificate_for_another_name_is_named_as_the_fault(tmp_path: Path) -> None:
    ca = authority()
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    with own(tmp_path, issued(ca, "node.example")) as stage:
        said = refusal(by_address(stage, "--tls-ca", str(tmp_path / "ca.pem")))
        assert "not for the name 127.0.0.1" in said


def test_the_certificate_in_the_data_directory_is_trusted_whatever_its_name(tmp_path: Path) -> None:
    ca = authority()
    with own(tmp_path, issued(ca, "node.example")) as stage:
        assert caller(by_directory(stage)) == "admin"
        issued(ca, "other.example").write(tmp_path, "own")
        assert stage.server._tls is not None
        stage.server._tls.look()
        assert caller(by_directory(stage)) == "admin"


def test_a_node_that_asks_for_client_certificates_gets_one_or_says_so(tmp_path: Path) -> None:
    clients = authority("clients")
    clients_file, _ = clients.write(tmp_path, "clients")
    chain, key = issued(clients, "alice").write(tmp_path, "alice")
    wrong, wrong_key = issued(authority("other"), "eve").write(tmp_path, "eve")
    with own(tmp_path, issued(authority(), "localhost"), clients_file) as stage:
        show = ("--tls-client-cert", str(chain), "--tls-client-key", str(key))
        assert caller(by_directory(stage, *show)) == "admin"
        said = refusal(by_directory(stage), ExitCode.UNAUTHORISED)
        assert "may want a client certificate" in said
        show = ("--tls-client-cert", str(wrong), "--tls-client-key", str(wrong_key))
        said = refusal(by_directory(stage, *show), ExitCode.UNAUTHORISED)
        assert "may want another client certificate" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--tls-client-cert {dir}/one.pem", "go together"),
        ("--tls-client-key {dir}/one.key", "go together"),
        ("--tls-client-cert {dir}/one.pem --tls-client-key {dir}/two.key", "not that of"),
        ("--tls-client-cert {dir}/none --tls-client-key {dir}/one.key", "cannot read"),
        ("--tls-ca {dir}/none", "cannot read"),
        ("--tls-ca {dir}/one.key", "cannot trust"),
    ],
)
def test_files_that_cannot_be_used_are_said_before_anything_is_sent(
    stage: AdminStage, words: str, said: str
) -> None:
    ca = authority()
    for name in ("one", "two"):
        issued(ca, name).write(stage.data_dir, name)
    line = by_directory(stage, words.format(dir=stage.data_dir))
    assert said in refusal(line, ExitCode.USAGE)
