"""The settings of TLS: how they go together, and which admin address they allow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from actors.config import TlsSettings
from admin.bind import AdminBindError, bindable


def tls_of(get: Mapping[str, object]) -> TlsSettings:
    """The TLS settings among the values of all.

    ``tls`` is None where nobody said anything: a certificate then switches TLS on; ``--no-tls`` switches all
    of it off.

    Raises:
        click.UsageError: one needs another, or excludes it.
    """
    if get["tls"] is False:
        return TlsSettings()
    names, certificate, key, client_ca = (
        get[f"tls_{name}"] for name in ("name", "cert", "key", "client_ca")
    )
    assert isinstance(names, tuple)
    if (certificate is None) != (key is None):
        _refuse("--tls-cert and --tls-key go together.")
    if names and certificate is not None:
        _refuse("--tls-name is for an automatic certificate, and --tls-cert names another.")
    if (names or client_ca is not None) and not get["tls"] and certificate is None:
        _refuse("--tls-name and --tls-client-ca need --tls, or --tls-cert and --tls-key.")
    return TlsSettings(
        automatic=bool(get["tls"]) and certificate is None,
        names=names,
        certificate=_path(certificate),
        key=_path(key),
        client_ca=_path(client_ca),
    )


def admin_of(ctx: click.Context, address: str, tls: TlsSettings) -> str:
    """The address of the admin server, as it is bound.

    Raises:
        click.BadParameter: it is open to other machines, without TLS.
    """
    try:
        return bindable(address, tls=tls.is_on)
    except AdminBindError as error:
        param = next(each for each in ctx.command.params if each.name == "admin")
        raise click.BadParameter(str(error), ctx, param) from error


def _refuse(message: str) -> None:
    raise click.UsageError(message)


def _path(value: object) -> Path | None:
    return None if value is None else Path(str(value)).absolute()
