"""TLS as clients meet it: real handshakes with a real server."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from troupe.admin.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    event_service_pb2,
    event_service_pb2_grpc,
)

from actors.config import TlsSettings
from actors.runtime.clock import FakeClock
from admin.server import ADDRESS_FILE
from admin.tls import TRUST_FILE, server_tls
from tests.support.admin_stage import WAIT_S, AdminStage, refused, staged
from tests.support.certs import Made, authority, issued

NAME = "localhost"


@contextmanager
def serving(
    folder: Path, *, listen: str = "127.0.0.1:0", client_ca: Path | None = None, own: bool = True
) -> Iterator[AdminStage]:
    """A server with the certificate ``own.pem``, or with an automatic one."""
    certificate, key = (folder / "own.pem", folder / "own.key") if own else (None, None)
    settings = TlsSettings(automatic=not own, certificate=certificate, key=key, client_ca=client_ca)
    tls = server_tls(settings, folder, listen, FakeClock(wall_s=time.time()))
    with staged(folder, listen=listen, tls=tls) as stage:
        yield stage


def ask(
    stage: AdminStage,
    roots: bytes,
    *,
    host: str = NAME,
    client: Made | None = None,
    token: str = "",
) -> str:
    """The caller's name, by a new connection."""
    pair = (None, None) if client is None else (client.key, client.pem)
    port = stage.address.rpartition(":")[2]
    credentials = grpc.ssl_channel_credentials(roots, *pair)
    with grpc.secure_channel(f"{host}:{port}", credentials) as channel:
        stub: Any = auth_service_pb2_grpc.AuthServiceStub(channel)
        metadata = (("authorization", f"Bearer {token or stage.token()}"),)
        request = auth_service_pb2.GetCallerRequest()
        answer = stub.GetCaller(request, metadata=metadata, timeout=WAIT_S)
    name: str = answer.caller.name
    return name


def unreached(stage: AdminStage, roots: bytes, **how: Any) -> str:
    """What gRPC says of a call that does not reach the server."""
    with pytest.raises(grpc.RpcError) as caught:
        ask(stage, roots, **how)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    details: str = error.details()
    return details


def shown_serial(stage: AdminStage) -> int:
    """The serial number of the certificate that a new connection is shown."""
    port = int(stage.address.rpartition(":")[2])
    pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=WAIT_S)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def test_the_automatic_certificate_is_trusted_by_what_the_directory_holds(tmp_path: Path) -> None:
    for _start in ("first", "second"):
        with serving(tmp_path, own=False) as stage:
            roots = (tmp_path / TRUST_FILE).read_bytes()
            for host in (NAME, "127.0.0.1"):
                assert ask(stage, roots, host=host) == "admin"
            assert (tmp_path / ADDRESS_FILE).read_text() == stage.address + "\n"
        assert not (tmp_path / TRUST_FILE).exists()
    with staged(tmp_path):
        assert not (tmp_path / TRUST_FILE).exists()


def test_what_a_killed_run_said_of_tls_is_gone_when_plaintext_is_served(tmp_path: Path) -> None:
    (tmp_path / TRUST_FILE).write_bytes(authority().pem)
    with staged(tmp_path):
        assert not (tmp_path / TRUST_FILE).exists()


def test_tls_takes_no_ones_token_for_granted(tmp_path: Path) -> None:
    with serving(tmp_path, own=False) as stage:
        with pytest.raises(grpc.RpcError) as caught:
            ask(stage, (tmp_path / TRUST_FILE).read_bytes(), token="guess")
        assert refused(caught.value).reason == "TOKEN_INVALID"


def test_a_certificate_of_another_authority_is_not_accepted(tmp_path: Path) -> None:
    ca = authority()
    issued(ca, NAME).write(tmp_path, "own")
    with serving(tmp_path) as stage:
        assert ask(stage, ca.pem) == "admin"
        assert "CERTIFICATE_VERIFY_FAILED" in unreached(stage, authority("another").pem)


def test_a_certificate_for_another_name_is_not_accepted(tmp_path: Path) -> None:
    ca = authority()
    issued(ca, "node.example").write(tmp_path, "own")
    with serving(tmp_path) as stage:
        assert "Hostname Verification Check failed" in unreached(stage, ca.pem)


def test_an_expired_certificate_is_not_accepted(tmp_path: Path) -> None:
    ca = authority()
    issued(ca, NAME, days=-1).write(tmp_path, "own")
    with serving(tmp_path) as stage:
        assert "certificate has expired" in unreached(stage, ca.pem)


def test_without_the_right_client_certificate_nobody_comes_in(tmp_path: Path) -> None:
    ca, clients = authority(), authority("clients")
    issued(ca, NAME).write(tmp_path, "own")
    (tmp_path / "clients.pem").write_bytes(clients.pem)
    with serving(tmp_path, client_ca=tmp_path / "clients.pem") as stage:
        assert ask(stage, ca.pem, client=issued(clients, "alice")) == "admin"
        unreached(stage, ca.pem)
        unreached(stage, ca.pem, client=issued(ca, "alice"))
        unreached(stage, ca.pem, client=issued(clients, "alice", days=-1))
        other = authority("other clients")
        (tmp_path / "clients.pem").write_bytes(other.pem)
        assert ask(stage, ca.pem, client=issued(other, "bob")) == "admin"
        unreached(stage, ca.pem, client=issued(clients, "alice"))


def test_a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on(tmp_path: Path) -> None:
    ca = authority()
    first, second = issued(ca, NAME), issued(ca, NAME)
    first.write(tmp_path, "own")
    with serving(tmp_path) as stage:
        port = stage.address.rpartition(":")[2]
        channel = grpc.secure_channel(f"{NAME}:{port}", grpc.ssl_channel_credentials(ca.pem))
        stub: Any = event_service_pb2_grpc.EventServiceStub(channel)
        metadata = (("authorization", f"Bearer {stage.token()}"),)
        request = event_service_pb2.WatchEventsRequest()
        watch = stub.WatchEvents(request, metadata=metadata, timeout=WAIT_S)
        next(watch)
        assert shown_serial(stage) == first.serial
        second.write(tmp_path, "own")
        assert shown_serial(stage) == second.serial
        assert ask(stage, ca.pem) == "admin"
        assert watch.is_active()
        watch.cancel()
        channel.close()


def test_a_broken_new_certificate_keeps_the_old_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ca = authority()
    first = issued(ca, NAME)
    certificate, _ = first.write(tmp_path, "own")
    with serving(tmp_path) as stage:
        (tmp_path / "nonsense").write_text("nonsense")
        # Whole: half of it would be told of on its own.
        (tmp_path / "nonsense").replace(certificate)
        assert [shown_serial(stage) for _ in range(3)] == [first.serial] * 3
        assert ask(stage, ca.pem) == "admin"
    assert caplog.text.count("stays as it was") == 1


def test_plaintext_gets_nothing_from_tls_and_the_server_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path, own=False) as stage:
        host, _, port = stage.address.rpartition(":")
        with grpc.insecure_channel(stage.address) as channel:
            stub: Any = auth_service_pb2_grpc.AuthServiceStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.GetCaller(auth_service_pb2.GetCallerRequest(), timeout=WAIT_S)
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        for noise in (b"\x00" * 4_096, b"\x16\x03\x01" + bytes(512), b"GET / HTTP/1.1\r\n\r\n"):
            with socket.create_connection((host, int(port)), timeout=WAIT_S) as connection:
                connection.sendall(noise)
        assert ask(stage, (tmp_path / TRUST_FILE).read_bytes()) == "admin"


def test_with_tls_every_interface_may_be_bound_and_clients_here_are_told_one(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, own=False, listen="0.0.0.0:0") as stage:
        assert stage.address.startswith("0.0.0.0:")
        told = (tmp_path / ADDRESS_FILE).read_text().strip()
        assert told == stage.address.replace("0.0.0.0", "127.0.0.1")
        assert ask(stage, (tmp_path / TRUST_FILE).read_bytes(), host="127.0.0.1") == "admin"
