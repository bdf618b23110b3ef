"""The channel to a node, in plaintext on this machine or over TLS, and what its failures mean.

Must not live here: where a node is, and what is asked of it (``client``).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from admin.bind import bindable, is_local, parts_of
from admin.cli.exits import CliError, ExitCode
from admin.cli.options import Target

TRUST_FILE: Final = "admin.pem"
"""Beside the address, while its node serves TLS: what to trust."""
_OPTIONS: Final = (
    # A proxy from the environment is for the world, never for a node of ours.
    ("grpc.enable_http_proxy", 0),
)
_FAULTS: Final = (
    ("CERTIFICATE_VERIFY_FAILED: certificate has expired", "its TLS certificate has expired"),
    (
        "certificate is not yet valid",
        "its TLS certificate is not valid yet, or this clock is wrong",
    ),
    ("CERTIFICATE_VERIFY_FAILED", "its TLS certificate is of no authority in {roots}"),
    (
        "Hostname Verification Check failed",
        "its TLS certificate is not for the name {host}; `troupe run --tls-name` adds names",
    ),
    ("WRONG_VERSION_NUMBER", "it does not serve TLS"),
)
"""What gRPC says of a failed handshake, and what it means."""
_CUT_OFF: Final = ("Socket closed", "reset by peer", "CERTIFICATE_REQUIRED", "ALERT")


@dataclass(frozen=True, slots=True)
class Security:
    """How a node is called over TLS.

    Attributes:
        roots: The certificates to trust, in PEM; None: those that gRPC brings along.
        roots_name: What to call them.
        key: Of the client's certificate ``chain``; None: it has none.
        server_name: Whom the certificate must name, if not the host that is called.
    """

    roots: bytes | None
    roots_name: str
    key: bytes | None = field(default=None, repr=False)
    chain: bytes | None = None
    server_name: str | None = None


def security_of(target: Target, directory: Path, address: str) -> Security | None:
    """How the options and the data directory say to call the node at this address; None: in plaintext.

    Raises:
        CliError: a file cannot be used, or the node is on another machine and nothing says whom to trust.
    """
    key, chain = _client_pair(target)
    if target.tls_ca is not None:
        return Security(_certificates(target.tls_ca), str(target.tls_ca), key, chain)
    trust_file = directory / TRUST_FILE
    if target.admin is None and not target.tls and trust_file.exists():
        roots = _certificates(trust_file)
        name = _other_name(roots, address)
        return Security(roots, str(trust_file), key, chain, name)
    if target.tls or key is not None:
        roots_file = ssl.get_default_verify_paths().cafile
        system = None if roots_file is None else Path(roots_file).read_bytes()
        return Security(system, "this system's list; name it with --tls-ca", key, chain)
    if not is_local(address):
        message = (
            f"{address} is another machine's, where a token is sent over TLS only: name the file of the"
            " authority to trust with --tls-ca, or use --tls for those of this system"
        )
        raise CliError(message, ExitCode.USAGE)
    return None


def open_channel(address: str, security: Security | None) -> grpc.Channel:
    """A channel; nothing is sent yet."""
    if security is None:
        return grpc.insecure_channel(bindable(address, tls=False), options=_OPTIONS)
    options: list[tuple[str, object]] = [*_OPTIONS]
    if security.server_name is not None:
        options.append(("grpc.ssl_target_name_override", security.server_name))
    credentials = grpc.ssl_channel_credentials(security.roots, security.key, security.chain)
    return grpc.secure_channel(address, credentials, options=options)


def handshake_fault(message: str, address: str, security: Security | None) -> CliError | None:
    """Why no channel came up, if it is for TLS or the want of it; ``message`` is gRPC's."""
    if security is None:
        if any(word in message for word in _CUT_OFF):
            advice = "if it serves TLS, name what to trust with --tls-ca, or --tls"
            return CliError(f"the node at {address} ended the connection at once: {advice}")
        return None
    host, _ = parts_of(address)
    for word, meaning in _FAULTS:
        if word in message:
            text = meaning.format(roots=security.roots_name, host=host)
            return CliError(f"the node at {address} is not called: {text}")
    if any(word in message for word in _CUT_OFF):
        what = (
            "may want another client certificate"
            if security.key
            else "may want a client certificate"
        )
        text = f"the node at {address} ended the TLS connection: it {what} (--tls-client-cert and --tls-client-key)"
        return CliError(text, ExitCode.UNAUTHORISED)
    return None


def _client_pair(target: Target) -> tuple[bytes | None, bytes | None]:
    """The client's key and certificate, if any."""
    chain_file, key_file = target.tls_client_cert, target.tls_client_key
    if chain_file is None and key_file is None:
        return None, None
    if chain_file is None or key_file is None:
        message = "--tls-client-cert and --tls-client-key go together"
        raise CliError(message, ExitCode.USAGE)
    # Imported here: plaintext calls need no X.509, whose library takes its time to load.
    from admin.certificates import CertificateError, Pair, check  # noqa: PLC0415

    pair = Pair(_read(key_file), _read(chain_file))
    try:
        check(pair)
    except CertificateError as error:
        message = f"cannot use the client certificate {chain_file}: {error}"
        raise CliError(message, ExitCode.USAGE) from error
    return pair.key, pair.chain


def _certificates(path: Path) -> bytes:
    from admin.certificates import CertificateError, certificate_of  # noqa: PLC0415

    pem = _read(path)
    try:
        certificate_of(pem)
    except CertificateError as error:
        message = f"cannot trust {path}: {error}"
        raise CliError(message, ExitCode.USAGE) from error
    return pem


def _other_name(roots: bytes, address: str) -> str | None:
    """The name to look for where the directory says to trust one certificate that is not for the address.

    Whoever can write the directory has the node; a certificate there is trusted as it is, whatever name it has.
    """
    from admin.certificates import certificate_of, names_of  # noqa: PLC0415

    names = names_of(certificate_of(roots))
    return names[0] if names and parts_of(address)[0] not in names else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise CliError(message, ExitCode.USAGE) from error
